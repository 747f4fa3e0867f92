/** Which family a browser is of, as a label: from what it says of itself, which may be anything. */

/** The first that fits: most browsers claim to be those below them too. */
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
