/** Makes a peer's text harmless on a terminal and on the dashboard: one short line, without controls and direction marks. */

/**
 * What may move a cursor, ring, colour, or turn the line around: C0 and C1 controls, line separators, and the marks that
 * change the direction of writing. Written with escapes, as a source should not hold them.
 */
// oxlint-disable-next-line no-control-regex -- finding control characters is the point
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const BREAKS: ReadonlySet<string> = new Set(["\n", "\r", "\t"]);

/** A peer's text as one harmless line: breaks become spaces, other controls `\x1b`. It is cut after `maxLength` characters. */
export function safeText(text: string, maxLength: number = 500): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength).trimEnd()}…` : text;
  return cut.toWellFormed().replace(UNSAFE, (unsafe) => {
    if (BREAKS.has(unsafe)) return " ";
    const code = unsafe.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
