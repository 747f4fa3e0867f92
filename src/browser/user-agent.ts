/** The family of a browser, as a label. A user agent may claim anything. */

/** The first match counts: most browsers also claim to be those below them. */
const FAMILIES: readonly (readonly [family: string, pattern: RegExp])[] = [
  ["edge", /\bEdg(?:e|A|iOS)?\//],
  ["opera", /\bOPR\//],
  ["samsung", /\bSamsungBrowser\//],
  ["firefox", /\b(?:Firefox|FxiOS)\//],
  ["chrome", /(?:\bChrome|\bCriOS|\bHeadlessChrome|\bChromium)\//],
  ["safari", /\bSafari\//],
];

/** `edge`, `opera`, `samsung`, `firefox`, `chrome`, `safari` or `unknown`. */
export function browserFamily(userAgent: string): string {
  return FAMILIES.find(([, pattern]) => pattern.test(userAgent))?.[0] ?? "unknown";
}
