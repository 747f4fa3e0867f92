/** Text for a terminal: tables, clocks and words of a shell. Numbers and durations read as on the dashboard. */
export { counted, grouped, showDuration, threeDigits } from "../../dashboard/format.ts";
export { safeText } from "../../dashboard/safe-text.ts";

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

/** A span as a clock shows it: `0:07`, `12:34`, `1:02:03`. */
export function showClock(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const minutes = Math.floor(seconds / 60) % 60;
  const hours = Math.floor(seconds / 3_600);
  const tail = String(seconds % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** Text as one word of a POSIX shell, for lines to copy: the text itself where it is harmless, else in single quotes. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:@%+=,#-]+$/.test(text) && !text.startsWith("#") ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
