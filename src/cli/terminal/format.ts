/** Text made fit for a terminal: short enough and aligned; harmless it is made in safe-text.ts. Knows no stream and no colours. */
export { safeText } from "../../dashboard/safe-text.ts";

/** A whole number with thousands apart: `1,234,567`. */
export function grouped(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `1 job`, `2 jobs`. */
export function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** A rate or factor in three digits: `0.42`, `36.6`, `1,234`. */
export function threeDigits(value: number): string {
  if (value >= 99.95) return grouped(value);
  return value.toFixed(value >= 9.995 ? 1 : 2);
}

/** Rows as columns, two spaces apart, each as wide as its widest cell; nothing behind the last one. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, cell.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
