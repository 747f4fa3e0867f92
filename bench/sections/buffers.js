/** What a large buffer costs to a thread and back: copied, given away, and shared. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { JobRunner } from "powerhose";
import { client } from "powerhose/tasks";
import { threads } from "powerhose/threads";
import { median } from "../median.js";
import { table, times } from "../table.js";

const MIB = 1_048_576;
const SIZES = [1, 16, 64];

/** @typedef {{ ms: number, cpu: number }} Cost - Of one call, in ms. */
/** @typedef {{ mib: number, copied: Cost, given: Cost, shared: Cost, bare: Cost }} Row */

/**
 * @param {number} rounds
 * @param {() => Promise<unknown>} call
 * @returns {Promise<Cost>}
 */
async function costOf(rounds, call) {
  await call();
  const costs = [];
  for (let i = 0; i < rounds; i++) {
    const [since, before] = [performance.now(), process.cpuUsage()];
    await call();
    const { user, system } = process.cpuUsage(before);
    costs.push({ ms: performance.now() - since, cpu: (user + system) / 1_000 });
  }
  return { ms: median(costs.map(({ ms }) => ms)), cpu: median(costs.map(({ cpu }) => cpu)) };
}

/**
 * What a bare port takes for a buffer that is transferred both ways.
 * @param {number} mib
 * @param {number} rounds
 */
async function bareCost(mib, rounds) {
  const thread = new Worker(new URL("../contestants/buffer-thread.js", import.meta.url));
  let buffer = new Uint8Array(mib * MIB).fill(1).buffer;
  try {
    return await costOf(rounds, async () => {
      const answer = once(thread, "message");
      thread.postMessage(buffer, [buffer]);
      [buffer] = await answer;
    });
  } finally {
    await thread.terminate();
  }
}

/**
 * @param {import("powerhose/tasks").Client<typeof import("../contestants/buffer-tasks.js").default>} api
 * @param {number} mib
 * @param {number} rounds
 * @returns {Promise<Row>}
 */
async function rowOf(api, mib, rounds) {
  let data = new Uint8Array(mib * MIB).fill(1);
  // What comes back is sent again, so that no call pays for new memory.
  const given = await costOf(rounds, async () => {
    const back = await api.give({ data }, { transfer: [data.buffer] });
    data = /** @type {Uint8Array<ArrayBuffer>} */ (back.data);
  });
  const memory = new Uint8Array(new SharedArrayBuffer(mib * MIB));
  const shared = await costOf(rounds, () => api.look({ data: memory }));
  const bare = await bareCost(mib, rounds);
  // Last, as it leaves garbage.
  const copied = await costOf(rounds, () => api.copy({ data }));
  return { mib, copied, given, shared, bare };
}

/** @param {Cost} cost */
function text({ ms, cpu }) {
  return `${ms.toFixed(2)} ms, ${cpu.toFixed(2)} ms of CPU`;
}

/** @type {import("./section.js").Section} */
export const buffers = {
  name: "buffers",
  group: "tasks",
  title: "A large buffer to a thread and back",
  about:
    "One call at a time of a typed task: its input and its result are copied, or given away by `transfer`; shared memory goes by " +
    "reference, and a byte of it is read. With more than 64 MB of " +
    "buffers V8 begins a collection for each that comes, by a bare port, too. The CPU is that of the process with its thread.",
  async run({ rounds, quick }) {
    const listen = threads(new URL("../contestants/buffer-tasks.js", import.meta.url), { size: 1 });
    const runner = new JobRunner({ listen, maxPayload: 65 * MIB, acquireTimeout: 30_000 });
    await runner.start();
    try {
      /** @type {Row[]} */
      const rows = [];
      for (const mib of SIZES) rows.push(await rowOf(client(runner), mib, quick ? rounds : 3 * rounds));
      return { rows };
    } finally {
      await runner.stop();
    }
  },
  text({ rows }) {
    const all = /** @type {Row[]} */ (rows);
    return table(
      ["", "copied:", "given away:", "by a bare port:", "shared:", "copied by given away, CPU:"],
      all.map(({ mib, copied, given, shared, bare }) => [
        `${mib} MiB`,
        text(copied),
        text(given),
        text(bare),
        text(shared),
        times(copied.cpu / Math.max(given.cpu, 0.001)),
      ]),
    );
  },
};
