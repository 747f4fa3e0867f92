/** Figures into the text people read. */
import { availableParallelism, cpus } from "node:os";

/** The machine in a line: what a figure is worth without it is nothing. */
export function machine() {
  const model = cpus()[0]?.model.trim() ?? "";
  const cores = availableParallelism();
  return `${cores} cores${model === "" || model === "unknown" ? "" : ` (${model})`}, Node ${process.version}, ${process.platform} ${process.arch}`;
}

/** @param {number} rate - Jobs a second. */
export function shortRate(rate) {
  if (rate >= 1e6) return `${(rate / 1e6).toFixed(2)}M`;
  return rate >= 1e4 ? `${Math.round(rate / 1e3)}k` : rate.toFixed(0);
}

/** @param {number} micros */
export function shortTime(micros) {
  return micros >= 1_000 ? micros.toFixed(0) : micros.toFixed(micros >= 100 ? 0 : 1);
}

/** @param {number} factor */
export function times(factor) {
  return Number.isNaN(factor) ? "" : `×${factor.toFixed(factor >= 10 ? 0 : 2)}`;
}

/** @param {number} part */
export function percent(part) {
  return Number.isNaN(part) ? "" : `${Math.round(part * 100)} %`;
}

/**
 * @param {readonly string[]} head - A title that ends in `:` is of a column of figures, and loses it.
 * @param {readonly (readonly string[])[]} rows
 */
export function table(head, rows) {
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(" | ")} |`;
  return [
    line(head.map((title) => title.replace(/:$/, ""))),
    line(head.map((title) => (title.endsWith(":") ? "--:" : "---"))),
    ...rows.map(line),
  ].join("\n");
}
