/** Many samples into one figure. */

/** @typedef {import("./race.js").Series} Series */

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = NaN, high = NaN] = [sorted[middle - 1 + (sorted.length % 2)], sorted[middle]];
  return (low + high) / 2;
}

/**
 * The median of one thing that was measured.
 * @param {Series} series
 * @param {string} what
 */
export function typical({ values }, what) {
  return median(values[what] ?? []);
}

/**
 * How many times as much one has as the other. Of each round first, then the median: the two were measured within the
 * same seconds, so what disturbed one has disturbed the other.
 * @param {Series} series
 * @param {Series} other
 * @param {string} what
 */
export function ratio(series, other, what) {
  return median((series.values[what] ?? []).map((value, round) => value / (other.values[what]?.[round] ?? NaN)));
}

/**
 * How far the rounds lie apart, as a part of their median: of the middle half of them, as one odd round says nothing.
 * @param {Series} series
 * @param {string} what
 */
export function spread({ values }, what) {
  const sorted = (values[what] ?? []).toSorted((a, b) => a - b);
  const at = (/** @type {number} */ part) => sorted[Math.round((sorted.length - 1) * part)] ?? NaN;
  return (at(0.75) - at(0.25)) / median(sorted);
}
