/** What a process still holds after many jobs, once all that can be collected is: beside what the floor holds. */
import { FLOORS, GROUPS, OURS } from "../contestants/list.js";
import { typical } from "../median.js";
import { race } from "../race.js";
import { table } from "../table.js";

/** @typedef {import("../race.js").Series} Series */

const JOBS = 100_000;

/** Ours and the floor, by transport. */
export const PAIRS = {
  memory: [OURS.memory, FLOORS.memory],
  threads: [OURS.threads, FLOORS.batched],
  ws: [OURS.ws, FLOORS.wsBatched],
};

/** @param {number} mebibytes */
const signed = (mebibytes) => `${mebibytes < 0 ? "−" : "+"}${Math.abs(mebibytes).toFixed(1)}`;

/** @type {import("./section.js").Section} */
export const retained = {
  name: "retained",
  group: "retained",
  title: "What is left of 100,000 jobs",
  about: `MiB by which a process is larger after ${JOBS.toLocaleString("en")} jobs than after the first tenth of them, both after a collection; 256 in flight. Heap: JavaScript's objects and the buffers they hold. RSS: the process as the kernel sees it, threads, free pages and all.`,
  rounds: ({ quick }) => (quick ? 1 : 3),
  async run({ rounds }) {
    /** @type {Record<string, readonly Series[]>} */
    const races = {};
    for (const [group, names] of Object.entries(PAIRS)) {
      const contestants = GROUPS[/** @type {keyof typeof PAIRS} */ (group)].filter(({ name }) => names.includes(name));
      races[group] = await race(contestants, {
        measure: "retained",
        rounds,
        // Fresh processes: what a first round leaves behind is a find too.
        cold: true,
        task: { kind: "text", bytes: 16, inFlight: 256, jobs: JOBS },
        execArgv: ["--expose-gc"],
      });
    }
    return { races };
  },
  text({ races }) {
    const rows = Object.values(races)
      .flat()
      .map((/** @type {Series} */ one) => [
        one.role === "powerhose" ? `**${one.name}**` : one.name,
        signed(typical(one, "heap")),
        signed(Math.max(...(one.values["heap"] ?? []))),
        signed(typical(one, "rss")),
        signed(Math.max(...(one.values["rss"] ?? []))),
      ]);
    return table(["", "heap MiB:", "worst round:", "RSS MiB:", "worst round:"], rows);
  },
};
