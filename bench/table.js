/** Samples into medians, and medians into the table people read. */
import { availableParallelism, cpus } from "node:os";
import { IN_FLIGHT, TEXT } from "./measure.js";

/**
 * @typedef {object} Series
 * @property {string} group
 * @property {string} name
 * @property {string} [floor]
 * @property {import("./measure.js").Sample[]} samples
 */

/**
 * @typedef {object} Row
 * @property {string} group
 * @property {string} name
 * @property {string | undefined} floor - The floor's name; floors have none.
 * @property {number} p50 - µs.
 * @property {number} p99 - µs.
 * @property {number} rate - Jobs a second.
 * @property {number} cpu - µs of processor time a job, in the runner's process.
 * @property {number} spread - How far the rounds' rates lie apart, as a part of their median.
 * @property {number | undefined} slower - p50 by the floor's.
 * @property {number | undefined} ofFloor - Rate by the floor's.
 */

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = NaN, high = NaN] = [sorted[middle - 1 + (sorted.length % 2)], sorted[middle]];
  return (low + high) / 2;
}

/**
 * @param {readonly Series[]} series
 * @returns {Row[]}
 */
export function rowsOf(series) {
  const rows = series.map(({ group, name, floor, samples }) => {
    const rates = samples.map((sample) => sample.rate);
    const rate = median(rates);
    const of = (/** @type {keyof import("./measure.js").Sample} */ what) =>
      median(samples.map((sample) => sample[what]));
    const [p50, p99, cpu] = [of("p50"), of("p99"), of("cpu")];
    return { group, name, floor, p50, p99, rate, cpu, spread: (Math.max(...rates) - Math.min(...rates)) / rate };
  });
  return rows.map((row) => {
    const floor = rows.find(({ group, name }) => group === row.group && name === row.floor);
    if (floor === undefined) return { ...row, slower: undefined, ofFloor: undefined };
    return { ...row, slower: row.p50 / floor.p50, ofFloor: row.rate / floor.rate };
  });
}

/** @param {number} rate */
function shortRate(rate) {
  return rate >= 1e6 ? `${(rate / 1e6).toFixed(2)}M` : `${Math.round(rate / 1e3)}k`;
}

/** The machine in a line: what a figure is worth without it is nothing. */
export function machine() {
  const model = cpus()[0]?.model.trim() ?? "";
  const cores = availableParallelism();
  return `${cores} cores${model === "" || model === "unknown" ? "" : ` (${model})`}, Node ${process.version}, ${process.platform} ${process.arch}`;
}

/**
 * @param {readonly Row[]} rows
 * @param {number} rounds
 */
export function table(rows, rounds) {
  const lines = rows.map((row) => {
    const cells = [
      row.floor === undefined ? row.name : `**${row.name}**`,
      row.p50.toFixed(1),
      row.p99.toFixed(1),
      row.slower === undefined ? "" : `×${row.slower.toFixed(2)}`,
      shortRate(row.rate),
      row.ofFloor === undefined ? "" : `×${row.ofFloor.toFixed(2)}`,
      row.cpu.toFixed(1),
      `${Math.round(row.spread * 100)} %`,
      row.floor ?? "",
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [
    `An echo of ${TEXT.length} bytes by one worker; medians of ${rounds} interleaved rounds. ${machine()}.`,
    "",
    `| | lone job p50 µs | p99 µs | to floor | ${IN_FLIGHT} in flight, jobs/s | to floor | CPU µs a job | spread | floor |`,
    "| --- | --: | --: | --: | --: | --: | --: | --: | --- |",
    ...lines,
    "",
  ].join("\n");
}
