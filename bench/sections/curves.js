/** Curves: what becomes of the throughput when one thing is turned up. Drawn as pictures for docs/performance.md. */
import { FLOORS } from "../contestants/list.js";
import { ratio, typical } from "../median.js";
import { race } from "../race.js";
import { lineChart } from "../svg.js";
import { shortRate, table, times } from "../table.js";

/** @typedef {import("../race.js").Series} Series */
/** @typedef {import("../race.js").Contestant} Contestant */

/**
 * A point of a curve before it is measured.
 * @typedef {Contestant & { line: string, x: number }} Point
 */

/**
 * @typedef {object} Curve
 * @property {string} name - Of the picture too.
 * @property {string} title
 * @property {() => readonly Point[]} points
 * @property {Partial<import("../measures.js").Task>} task
 * @property {"rate" | "burst"} measure
 * @property {import("../svg.js").Axis} x
 * @property {readonly string[]} [dashed] - Lines that are there to compare with.
 */

/** @typedef {{ line: string, x: number, value: number }} Measured */

const SIXTEEN = { kind: /** @type {const} */ ("text"), bytes: 16, inFlight: 256 };
const CAPACITIES = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const PREFETCHES = [0, 1, 2, 4, 8, 16, 32];
/** HMACs a job; one takes about 3.3 µs. */
const CHAINS = [3, 10, 30, 100, 300, 1_000, 3_000];
const MICROS_A_LINK = 3.3;
const PAYLOADS = [16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576];

/**
 * @param {string} line
 * @param {number} x
 * @param {string} module
 * @param {object} [options]
 * @param {Contestant["task"]} [task]
 * @returns {Point}
 */
function point(line, x, module, options, task) {
  /** @type {Point} */
  const made = {
    line,
    x,
    name: `${line}, ${x}`,
    role: line.startsWith("powerhose") ? "powerhose" : "floor",
    module: `./contestants/${module}`,
  };
  if (options !== undefined) made.options = options;
  if (task !== undefined) made.task = task;
  return made;
}

/** @param {number} bytes */
function bytesText(bytes) {
  if (bytes >= 1_048_576) return `${bytes / 1_048_576} MiB`;
  return bytes >= 1024 ? `${bytes / 1024} KiB` : `${bytes} B`;
}

/** @param {number} micros */
const timeText = (micros) => (micros >= 1_000 ? `${micros / 1_000} ms` : `${micros} µs`);

/** @type {readonly Curve[]} */
const CURVES = [
  {
    name: "capacity",
    title: "Capacity: echoes of 16 bytes, 256 in flight, one worker",
    measure: "rate",
    task: SIXTEEN,
    x: { label: "capacity of the worker", text: String, ticks: CAPACITIES },
    points: () =>
      CAPACITIES.flatMap((capacity) => [
        // Nothing prefetched: else capacity 1 would show what prefetch does. Left out where there is no such option.
        point("powerhose, thread", capacity, "powerhose-threads.js", { threads: { capacity }, ahead: 0 }),
        point("powerhose, WebSocket", capacity, "powerhose-websocket.js", { capacity, ahead: 0 }),
      ]),
  },
  {
    name: "prefetch",
    title: "Prefetch: echoes of 16 bytes, 256 in flight, capacity 1",
    measure: "rate",
    task: SIXTEEN,
    // A logarithmic axis has no 0: it stands where 0.5 would.
    x: { label: "prefetch", text: (at) => (at === 0.5 ? "0" : String(at)), ticks: [0.5, ...PREFETCHES.slice(1)] },
    dashed: ["powerhose, thread, auto"],
    points: () => [
      ...PREFETCHES.flatMap((prefetch) => [
        point("powerhose, thread", prefetch || 0.5, "powerhose-threads.js", { runner: { prefetch } }),
        point("powerhose, WebSocket", prefetch || 0.5, "powerhose-websocket.js", { capacity: 1, runner: { prefetch } }),
      ]),
      point("powerhose, thread, auto", 32, "powerhose-threads.js", { runner: { prefetch: "auto" } }),
    ],
  },
  {
    name: "job-length",
    title: "Length of a job: 64 in flight, as many times as fast as a direct call",
    measure: "burst",
    task: { inFlight: 64 },
    x: { label: "time of one job, called directly", text: timeText, ticks: [10, 100, 1_000, 10_000] },
    points: () =>
      CHAINS.flatMap((chain) => {
        const x = chain * MICROS_A_LINK;
        // About 150 ms of work in all, or 20 jobs.
        const task = { job: String(chain), jobs: Math.max(20, Math.round(150_000 / x)) };
        const threads = { handler: "./hash-chain.js" };
        return [
          point("direct call", x, "direct-call.js", { handler: "./hash-chain.js" }, task),
          point("powerhose, 1 thread", x, "powerhose-threads.js", threads, task),
          point("powerhose, 2 threads", x, "powerhose-threads.js", { ...threads, threads: { size: 2 } }, task),
        ];
      }),
  },
  {
    name: "payload",
    title: "Size of a job and of its result, bytes, one worker",
    measure: "rate",
    task: { kind: "bytes" },
    x: { label: "bytes, there and back", text: bytesText, ticks: PAYLOADS },
    dashed: [FLOORS.slab.split(",")[0] ?? "", "ws"],
    points: () =>
      PAYLOADS.flatMap((bytes) => {
        const task = { bytes, inFlight: bytes <= 4096 ? 256 : bytes <= 65_536 ? 64 : 16 };
        return [
          point("powerhose, memory", bytes, "powerhose-memory.js", { capacity: 256 }, task),
          point("powerhose, thread", bytes, "powerhose-threads.js", { threads: { capacity: 256 } }, task),
          point("postMessage", bytes, "post-message.js", { as: "slab" }, task),
          point("powerhose, WebSocket", bytes, "powerhose-websocket.js", { capacity: 256 }, task),
          point("ws", bytes, "bare-ws.js", { batched: true }, task),
        ];
      }),
  },
];

/**
 * @param {Curve} curve
 * @param {import("./section.js").Scale} scale
 * @returns {Promise<Measured[]>}
 */
async function measure({ points, measure: what, task }, { rounds, ms }) {
  /** @type {Measured[]} */
  const measured = [];
  const all = points();
  // A few at a time: what is compared most is neighbours, and two hundred processes at once are a load of their own.
  for (let from = 0; from < all.length; from += 12) {
    const some = all.slice(from, from + 12);
    const series = await race(some, { measure: what, rounds, task: { ...task, ms: ms / 2 } });
    series.forEach((one, index) => {
      const { line, x } = some[index] ?? {};
      if (line === undefined || x === undefined || one.absent !== undefined) return;
      if (what === "rate") {
        measured.push({ line, x, value: typical(one, "rate") });
        return;
      }
      const direct = series.find((_, other) => some[other]?.line === "direct call" && some[other]?.x === x);
      if (direct !== undefined) measured.push({ line, x, value: ratio(direct, one, "ms") });
    });
  }
  return measured;
}

/** @type {import("./section.js").Section} */
export const curves = {
  name: "curves",
  group: "curves",
  title: "Curves",
  about: "Jobs a second, or times as fast as a direct call, as one thing is turned up.",
  rounds: ({ rounds }) => Math.min(rounds, 3),
  async run(scale) {
    /** @type {Record<string, Measured[]>} */
    const measured = {};
    for (const curve of CURVES) measured[curve.name] = await measure(curve, scale);
    return { measured };
  },
  text({ measured }) {
    const texts = CURVES.map(({ name, title, x, measure: what }) => {
      /** @type {Measured[]} */
      const points = measured[name] ?? [];
      if (points.length === 0) return `### ${title}\n\nNot measured: the option is not there.`;
      const lines = [...new Set(points.map(({ line }) => line))];
      const xs = [...new Set(points.map((one) => one.x))].toSorted((a, b) => a - b);
      const value = (/** @type {string} */ line, /** @type {number} */ at) => {
        const one = points.find((other) => other.line === line && other.x === at);
        if (one === undefined) return "";
        return what === "rate" ? shortRate(one.value) : times(one.value);
      };
      const rows = xs.map((at) => [
        what === "burst" ? `${Math.round(at)} µs` : x.text(at),
        ...lines.map((line) => value(line, at)),
      ]);
      return `### ${title}\n\n${table([`${x.label}:`, ...lines.map((line) => `${line}:`)], rows)}`;
    });
    return texts.join("\n\n");
  },
};

/**
 * @param {{ measured: Record<string, Measured[]> }} figures
 * @returns {{ file: string, svg: string }[]} a picture of each curve that was measured
 */
export function picturesOf({ measured }) {
  return CURVES.filter(({ name }) => (measured[name] ?? []).length > 0).map((curve) => {
    const points = measured[curve.name] ?? [];
    const xs = [...new Set(points.map(({ x }) => x))];
    const lines = [...new Set(points.map(({ line }) => line))].map((name) => {
      const own = points.filter(({ line }) => line === name);
      // What does not depend on x was measured once, and is a level.
      const level = own.length === 1 ? xs.map((x) => ({ x, value: own[0]?.value ?? NaN })) : own;
      return {
        name,
        dashed: curve.dashed?.includes(name) ?? false,
        points: level.map(({ x, value }) => /** @type {const} */ ([x, value])).toSorted(([a], [b]) => a - b),
      };
    });
    const speedUp = curve.measure === "burst";
    const y = speedUp
      ? { label: "times as fast as a direct call", text: times, ticks: [0.05, 0.1, 0.25, 0.5, 1, 2] }
      : { label: "jobs a second", text: shortRate };
    return { file: `${curve.name}.svg`, svg: lineChart({ title: curve.title, x: curve.x, y, lines }) };
  });
}
