/**
 * The text form of a job as the Python original wrote and read it, in the fewest words: docs/powerhose.md says what it got
 * wrong. A reference for what it got right, and proven against texts that it wrote (test/golden/original-vectors.json).
 */

/** What the original made of a text, or that it raised an error. */
export type OriginalJob = { readonly data: string; readonly headers: Map<string, string> } | "error";

/** Names and values with the colon escaped, the backslash not; nothing is checked. */
export function originalWrite(data: string, headers: readonly (readonly [string, string])[]): string {
  const segments = headers.map(([name, value]) => `${name.replaceAll(":", "\\:")}:${value.replaceAll(":", "\\:")}`);
  return `${segments.length === 0 ? "NONE" : segments.join("::")}:::${data}`;
}

/** Splits at colons without looking for escapes, strips, and lets the last of a name win. */
export function originalRead(text: string): OriginalJob {
  const separator = text.indexOf(":::");
  if (separator < 0) return "error";
  const headers = new Map<string, string>();
  for (const segment of text.slice(0, separator).split("::")) {
    if (segment === "NONE") break;
    const [name, value, ...more] = strip(segment).split(":");
    if (name === undefined || value === undefined || more.length > 0) return "error";
    headers.set(name, value);
  }
  return { data: text.slice(separator + 3), headers };
}

/** `str.strip()`. */
function strip(text: string): string {
  return text.replace(/^[ \t\n\r\v\f]+/, "").replace(/[ \t\n\r\v\f]+$/, "");
}
