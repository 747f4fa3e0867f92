/** What every part of the benchmark is: it measures, and it says what it has measured. */

/**
 * @typedef {object} Scale - How long to go on.
 * @property {boolean} quick - To see that it runs; the figures are worth little.
 * @property {number} rounds
 * @property {number} ms - One measurement.
 */

/**
 * @typedef {Record<string, unknown>} Figures - What a section has measured; becomes JSON.
 */

/**
 * @typedef {object} Section
 * @property {string} name - As in the results.
 * @property {string} group - As on the command line.
 * @property {string} [size] - As on the command line, of the sections that come in sizes.
 * @property {string} title
 * @property {string} about - What is compared with what.
 * @property {(scale: Scale) => number} [rounds] - How many it does, where that is not what is usual.
 * @property {(scale: Scale) => Promise<any>} run - Gives its figures.
 * @property {(figures: any) => string} text - The figures, as Markdown.
 */

/** How the peers get here. */
export const INSTALL_PEERS = "npm ci --prefix bench/peers";

/**
 * What was left out and why, as a sentence, or nothing.
 * @param {readonly import("../race.js").Series[]} series
 */
export function absences(series) {
  const absent = series.filter(({ absent: why }) => why !== undefined);
  if (absent.length === 0) return "";
  const names = absent.map(({ name, absent: why }) => `${name} (${why})`).join(", ");
  const hint = absent.some(({ absent: why }) => why === "not installed")
    ? ` The peers come with \`${INSTALL_PEERS}\`.`
    : "";
  return `\n\nNot measured: ${names}.${hint}`;
}
