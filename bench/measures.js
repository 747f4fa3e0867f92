/** What is measured of one contestant, and how. Runs in the contestant's own process: see entrant.js. */
import { Session } from "node:inspector/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { partsOf } from "./parts.js";
import { checkEcho, payloadOf } from "./payload.js";

/** @typedef {import("./payload.js").Payload} Payload */

/**
 * @typedef {object} Opened
 * @property {(payload: Payload) => Promise<unknown>} echo - One job.
 * @property {(payloads: readonly Payload[]) => Promise<unknown>} [burst] - All of these jobs; by default an echo of each.
 * @property {() => Promise<unknown>} close - Gives everything back.
 */

/**
 * @typedef {object} Task - What a measure is asked to do; each uses what it needs.
 * @property {number} ms - How long to measure.
 * @property {number} inFlight
 * @property {number} jobs - For the measures that count jobs instead of time.
 * @property {"text" | "bytes"} kind
 * @property {number} bytes
 * @property {number} [warmUp] - Jobs to run before the rate is measured.
 * @property {string} [job] - What each job of a burst says.
 */

/** Before the name of a part in what `profile` says. */
export const PART = "part: ";

/** How often a loop looks at the clock: reading it costs as much as a small job. */
const LOOK_EVERY = 256;

/**
 * One job after the other.
 * @param {Opened["echo"]} echo
 * @param {Payload} payload
 * @param {number} ms
 * @returns {Promise<{ p50: number, p99: number }>} in µs
 */
async function lone(echo, payload, ms) {
  /** @type {number[]} */
  const times = [];
  const end = performance.now() + ms;
  for (let before = performance.now(); before < end;) {
    await echo(payload);
    const after = performance.now();
    times.push((after - before) * 1_000);
    before = after;
  }
  times.sort((a, b) => a - b);
  return { p50: times[Math.floor(times.length / 2)] ?? NaN, p99: times[Math.floor(times.length * 0.99)] ?? NaN };
}

/**
 * Always so many jobs in flight.
 * @param {Opened["echo"]} echo
 * @param {Payload} payload
 * @param {number} inFlight
 * @param {number} ms
 * @returns {Promise<{ rate: number, cpu: number }>} jobs a second; µs of this process's processor time a job, threads included
 */
async function manyInFlight(echo, payload, inFlight, ms) {
  const every = Math.min(inFlight, LOOK_EVERY);
  const start = performance.now();
  const cpuBefore = process.cpuUsage();
  let done = 0;
  let over = false;
  const loop = async () => {
    while (!over) {
      await echo(payload);
      // The clock is read now and then, by the loops themselves: a contestant that never lets go starves a timer.
      if (++done % every === 0) over = performance.now() - start >= ms;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, loop));
  const rate = (done / (performance.now() - start)) * 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { rate, cpu: (user + system) / done };
}

/**
 * Runs so many jobs, `inFlight` at a time.
 * @param {Opened["echo"]} echo
 * @param {Payload} payload
 * @param {number} inFlight
 * @param {number} jobs
 */
async function count(echo, payload, inFlight, jobs) {
  let begun = 0;
  const loop = async () => {
    while (begun++ < jobs) await echo(payload);
  };
  await Promise.all(Array.from({ length: inFlight }, loop));
}

/** What is held once everything that can be collected is. */
async function held() {
  // Twice, with a pause: ports and sockets let go of their buffers in callbacks of the first collection.
  for (let i = 0; i < 2; i++) {
    globalThis.gc?.();
    await sleep(50);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, rss };
}

/** @type {Readonly<Record<string, (opened: Opened, task: Task) => Promise<Record<string, number>>>>} */
export const MEASURES = {
  /** The time of a lone job, and the rate and cost with many in flight. */
  async echo({ echo }, task) {
    const payload = payloadOf(task);
    checkEcho(await echo(payload), payload);
    await manyInFlight(echo, payload, task.inFlight, task.ms / 4);
    const many = await manyInFlight(echo, payload, task.inFlight, task.ms);
    await lone(echo, payload, task.ms / 8);
    return { ...(await lone(echo, payload, task.ms / 2)), ...many };
  },

  /** Only the rate and cost with many in flight; before each, `warmUp` jobs, or jobs for a while. */
  async rate({ echo }, task) {
    const payload = payloadOf(task);
    checkEcho(await echo(payload), payload);
    if (task.warmUp === undefined) await manyInFlight(echo, payload, task.inFlight, task.ms / 4);
    else await count(echo, payload, task.inFlight, task.warmUp);
    return manyInFlight(echo, payload, task.inFlight, task.ms);
  },

  /** How long a batch of jobs takes, each a piece of work of its own, `inFlight` of them at a time: in ms. */
  async burst({ echo, burst }, { jobs, inFlight, job = "" }) {
    const payloads = Array.from({ length: jobs }, (_, index) => `${job}:${index}`);
    const start = performance.now();
    if (burst === undefined) {
      const loop = async () => {
        for (let next = payloads.pop(); next !== undefined; next = payloads.pop()) await echo(next);
      };
      await Promise.all(Array.from({ length: inFlight }, loop));
    } else await burst(payloads);
    return { ms: performance.now() - start };
  },

  /** What is still held after `jobs` jobs, beyond what a tenth of them had left: in MiB. Wants `--expose-gc`. */
  async retained({ echo }, task) {
    if (globalThis.gc === undefined) throw new Error("needs --expose-gc");
    const payload = payloadOf(task);
    await count(echo, payload, task.inFlight, task.jobs / 10);
    const before = await held();
    await count(echo, payload, task.inFlight, task.jobs);
    const after = await held();
    return { heap: (after.heap - before.heap) / 2 ** 20, rss: (after.rss - before.rss) / 2 ** 20 };
  },

  /** Where this process's main thread spends its time, by part, with many in flight. */
  async profile({ echo }, task) {
    const payload = payloadOf(task);
    // Warm, and its cost without the profiler.
    await manyInFlight(echo, payload, task.inFlight, task.ms);
    const { rate, cpu } = await manyInFlight(echo, payload, task.inFlight, task.ms);
    const session = new Session();
    session.connect();
    await session.post("Profiler.enable");
    await session.post("Profiler.setSamplingInterval", { interval: 200 });
    await session.post("Profiler.start");
    await manyInFlight(echo, payload, task.inFlight, task.ms);
    const { profile } = await session.post("Profiler.stop");
    session.disconnect();
    const parts = Object.entries(partsOf(profile)).map(([part, share]) => [`${PART}${part}`, share]);
    return { rate, cpu, ...Object.fromEntries(parts) };
  },
};
