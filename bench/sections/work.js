/** Work that keeps a processor busy, on two threads: how close to a perfect split of it, and how close the pools get. */
import { ratio, spread, typical } from "../median.js";
import { race } from "../race.js";
import { percent, table, times } from "../table.js";
import { absences } from "./section.js";

/** @typedef {import("../race.js").Series} Series */

const JOBS = 400;
const SIZE = 2;
/** HMACs, one of the other: about a millisecond. */
const CHAIN = 300;
/** The name of the perfect split. */
export const SPLIT = "two plain threads, half of the jobs each";
/** Our name here. */
export const OURS = "powerhose, two threads, defaults";

/** @type {readonly import("../race.js").Contestant[]} */
const CONTESTANTS = [
  { name: SPLIT, role: "floor", module: "./contestants/plain-threads.js", options: { size: SIZE } },
  {
    name: OURS,
    role: "powerhose",
    floor: SPLIT,
    module: "./contestants/powerhose-threads.js",
    options: { threads: { size: SIZE }, handler: "./hash-chain.js" },
  },
  ...["piscina", "tinypool"].map((name) => ({
    name,
    role: /** @type {const} */ ("peer"),
    module: `./peers/${name}.js`,
    options: { handler: "./pool-work.js", size: SIZE },
  })),
  ...["workerpool", "poolifier"].map((name) => ({
    name,
    role: /** @type {const} */ ("peer"),
    module: `./peers/${name}.js`,
    options: { method: "work", size: SIZE },
  })),
];

/** @type {import("./section.js").Section} */
export const work = {
  name: "work",
  group: "work",
  title: `${JOBS} jobs of a millisecond on two threads`,
  about: `Each job is a chain of ${CHAIN} HMACs, about 1 ms; all ${JOBS} are asked for at once. The floor is a perfect split: the jobs dealt out beforehand, in one message to each of two plain threads.`,
  // A round is short, and its time is what other processes leave of two cores: so many of them.
  rounds: ({ rounds }) => rounds * 3,
  run: async ({ rounds }) => ({
    series: await race(CONTESTANTS, {
      measure: "burst",
      rounds,
      task: { jobs: JOBS, inFlight: JOBS, job: String(CHAIN) },
    }),
  }),
  text({ series }) {
    const measured = series.filter((/** @type {Series} */ { absent }) => absent === undefined);
    const [floor] = measured;
    const rows = measured.map((/** @type {Series} */ one) => [
      one.role === "powerhose" ? `**${one.name}**` : one.name,
      typical(one, "ms").toFixed(0),
      times(ratio(one, floor, "ms")),
      Math.min(...(one.values["ms"] ?? [])).toFixed(0),
      percent(spread(one, "ms")),
    ]);
    return table(["", "ms in all:", "to a perfect split:", "best round:", "spread:"], rows) + absences(series);
  },
};
