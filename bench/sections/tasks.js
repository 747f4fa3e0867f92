/** What a typed task costs: an echo of five fields beside a job of the same bytes, and beside what others do with the same object. */
import { ratio, typical } from "../median.js";
import { race } from "../race.js";
import { shortRate, shortTime, table, times } from "../table.js";
import { absences } from "./section.js";

/** @typedef {import("../race.js").Series} Series */

/** The contestants that a target speaks of. */
export const TASKS = {
  jobInMemory: "a job of the same bytes, one process",
  taskInMemory: "a typed task, one process",
  jobInThread: "a job of the same bytes, a thread",
  taskInThread: "a typed task, a thread",
  piscina: "piscina, defaults",
  piscinaMany: "piscina, 128 tasks a worker",
  comlink: "comlink",
};

/**
 * @param {string} name
 * @param {"floor" | "powerhose" | "peer"} role
 * @param {string} module
 * @param {object} [options]
 * @param {"object" | "bytes"} [as]
 * @returns {import("../race.js").Contestant}
 */
function contestant(name, role, module, options, as) {
  return { name, role, module: "./contestants/five-fields.js", options: { module, options, as } };
}

const RACES = {
  memory: [
    contestant(TASKS.jobInMemory, "floor", "contestants/powerhose-memory.js", { capacity: 256 }, "bytes"),
    contestant(TASKS.taskInMemory, "powerhose", "contestants/typed-task.js", { over: "memory" }),
  ],
  threads: [
    contestant(TASKS.jobInThread, "floor", "contestants/powerhose-threads.js", { threads: { capacity: 256 } }, "bytes"),
    contestant(TASKS.taskInThread, "powerhose", "contestants/typed-task.js", { over: "threads" }),
    contestant(TASKS.piscina, "peer", "peers/piscina.js", { handler: "./pool-handler.js", size: 1 }),
    contestant(TASKS.piscinaMany, "peer", "peers/piscina.js", { handler: "./pool-handler.js", size: 1, tasks: 128 }),
    contestant(TASKS.comlink, "peer", "peers/rpc-over-threads.js", { library: "comlink" }),
  ],
};

/** @type {import("./section.js").Section} */
export const tasks = {
  name: "tasks",
  group: "tasks",
  title: "A typed task",
  about: "An echo of an object of five fields, 256 in flight. The CPU is that of the process with its threads.",
  async run({ rounds, ms }) {
    /** @type {Record<string, Series[]>} */
    const races = {};
    const task = { ms, inFlight: 256, kind: /** @type {const} */ ("bytes"), bytes: 16 };
    for (const [name, contestants] of Object.entries(RACES))
      races[name] = await race(contestants, { measure: "rate", rounds, task });
    return { races };
  },
  text({ races }) {
    const all = Object.values(/** @type {Record<string, Series[]>} */ (races));
    const rows = all.flatMap((series) => {
      const ours = series.find(({ role }) => role === "powerhose");
      return series
        .filter(({ absent }) => absent === undefined)
        .map((one) => [
          one.role === "powerhose" ? `**${one.name}**` : one.name,
          shortRate(typical(one, "rate")),
          shortTime(typical(one, "cpu")),
          ours === undefined || one === ours ? "" : times(ratio(ours, one, "rate")),
          ours === undefined || one === ours ? "" : times(ratio(ours, one, "cpu")),
        ]);
    });
    const head = ["", "calls/s:", "CPU µs a call:", "the task's rate by it:", "the task's CPU by it:"];
    return table(head, rows) + absences(all.flat());
  },
};
