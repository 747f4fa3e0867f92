/** Text made fit for a terminal: harmless, short enough, aligned. Knows no stream and no colours. */

/**
 * What may move the cursor, ring, colour, or turn the line around: C0 and C1 controls, line separators, and the marks that
 * change the direction of writing. Written with escapes, as a source should not hold them.
 */
// oxlint-disable-next-line no-control-regex -- finding control characters is the point
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const BREAKS: ReadonlySet<string> = new Set(["\n", "\r", "\t"]);

/** A peer's words as one harmless line: breaks become spaces, other controls are shown as `\x1b`; cut after `longest` characters. */
export function plain(text: string, longest: number = 500): string {
  const cut = text.length > longest ? `${text.slice(0, longest).trimEnd()}…` : text;
  return cut.toWellFormed().replace(UNSAFE, (unsafe) => {
    if (BREAKS.has(unsafe)) return " ";
    const code = unsafe.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

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
