/**
 * The budget: what a job costs beside the bare transport, by transport, and the alarm when it becomes dearer. A short look,
 * for every change: it sees a job that has become half as dear again, not one that has become a tenth dearer.
 *
 * What is compared is a job's processor time with many in flight, in the best of many short rounds. On a machine that others
 * use too, a rate is what they leave, and the time of a lone job depends on which core its thread was put on. So a job that
 * only waits longer is not seen here, but in the long measurements.
 */
import { readFile, writeFile } from "node:fs/promises";
import { BUDGET_ROWS, GROUPS } from "./contestants/list.js";
import { median } from "./median.js";
import { race } from "./race.js";
import { machine, table } from "./table.js";

const FILE = new URL("./budget.json", import.meta.url);
/** How far a ratio may fall below the recorded one. */
const MARGIN = 0.3;
/** Short, and many: of a disturbed machine some are quiet. */
const ROUNDS = 12;
const MS = 60;
/** How much longer the second look at a row is that has failed the first. */
const AGAIN = 2;
/** How many looks make a record; the one in the middle counts. */
const LOOKS = 5;

const HEAD = "speed by the bare transport's";

/** @typedef {import("./contestants/list.js").BudgetRow} BudgetRow */

/**
 * How much of the floor's speed is ours.
 * @param {BudgetRow} row
 * @param {readonly import("./race.js").Series[]} series
 */
function ratioOf({ pair }, series) {
  const [ours = [], floor = []] = pair.map((name) => series.find((one) => one.name === name)?.values["cpu"]);
  return Math.min(...floor) / Math.min(...ours);
}

/**
 * @param {readonly BudgetRow[]} rows
 * @param {number} rounds
 * @returns {Promise<number[]>} the ratio of each row
 */
async function look(rows, rounds) {
  const names = rows.flatMap(({ pair }) => pair);
  const contestants = Object.values(GROUPS).flatMap((all) => all.filter(({ name }) => names.includes(name)));
  const task = { kind: /** @type {const} */ ("text"), bytes: 16, inFlight: 256, ms: MS };
  const series = await race(contestants, { measure: "rate", rounds, task });
  return rows.map((row) => ratioOf(row, series));
}

/** Records what is seen now as what has to be kept up. */
export async function record() {
  const looks = [];
  for (let i = 0; i < LOOKS; i++) looks.push(await look(BUDGET_ROWS, ROUNDS));
  const ratios = BUDGET_ROWS.map(({ name }, index) => {
    const seen = looks.map((one) => one[index] ?? NaN);
    return { name, ratio: Number(median(seen).toPrecision(3)), seen };
  });
  const kept = Object.fromEntries(ratios.map(({ name, ratio }) => [name, ratio]));
  await writeFile(FILE, `${JSON.stringify({ machine: machine(), ratios: kept }, undefined, 2)}\n`);
  const rows = ratios.map(({ name, ratio, seen }) => [
    name,
    ratio.toFixed(3),
    seen.map((one) => one.toFixed(3)).join(", "),
  ]);
  console.log(table([HEAD, "recorded:", "looks"], rows));
}

/**
 * Compares what is seen now with what was recorded.
 * @returns {Promise<boolean>} whether all rows hold
 */
export async function check() {
  /** @type {{ ratios: Record<string, number> }} */
  const { ratios } = JSON.parse(await readFile(FILE, "utf8"));
  const least = (/** @type {BudgetRow} */ { name }) => (ratios[name] ?? Infinity) * (1 - MARGIN);
  const first = await look(BUDGET_ROWS, ROUNDS);
  const rows = BUDGET_ROWS.map((row, index) => ({ row, seen: first[index] ?? NaN }));
  // Not `<`: what could not be measured does not hold either.
  const low = () => rows.filter(({ row, seen }) => !(seen >= least(row)));
  const doubtful = low();
  if (doubtful.length > 0) {
    console.log(`again, and longer: ${doubtful.map(({ row, seen }) => `${row.name} (${seen.toFixed(3)})`).join(", ")}`);
    const second = await look(
      doubtful.map(({ row }) => row),
      ROUNDS * AGAIN,
    );
    doubtful.forEach((one, index) => (one.seen = second[index] ?? NaN));
  }
  const failed = low();
  console.log(
    table(
      [HEAD, "recorded:", "at least:", "now:", "holds"],
      rows.map((one) => [
        one.row.name,
        (ratios[one.row.name] ?? NaN).toFixed(3),
        least(one.row).toFixed(3),
        one.seen.toFixed(3),
        failed.includes(one) ? "**no**" : "yes",
      ]),
    ),
  );
  return failed.length === 0;
}
