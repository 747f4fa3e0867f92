/**
 * A profile of the processor, by part of the library: whose lines were running when the samples were taken. By the file a
 * function is in, so that a part is what the map in docs/architecture.md says it is.
 */

/** The parts, each with the files that belong to it; the first that fits has it. */
/** @type {readonly (readonly [part: string, file: RegExp])[]} */
const FILES = [
  ["encode", /core\/protocol\/(encoder|byte-writer)\.js$/],
  ["decode", /core\/protocol\/(decoder|byte-reader)\.js$/],
  ["headers, jobs and errors", /core\/(job\/|errors\.js$|protocol\/(message|constants)\.js$)/],
  ["timers", /core\/time\/|node:(internal\/)?timers/],
  ["queue and choice of a worker", /core\/pool\//],
  ["one call: limits, attempts, outcome", /core\/(dispatch\/|options\.js$)/],
  ["sessions and batches", /core\/(session|runner|health|protocol)\//],
  ["the worker's end", /core\/(worker\/|relay\.js$)/],
  ["events and figures", /core\/(async\/|events\.js$|stats\.js$)/],
  ["lists and maps", /core\/collections\//],
  ["transport", /(core\/transport\/|dist\/transports\/|dist\/threads\/).*\.js$/],
  ["core, other", /dist\/(core\/|index\.js$)/],
  ["transport: ws", /node_modules\/ws\//],
  [
    "promises, microtasks, the turn",
    /node:internal\/process\/(task_queues|promises)|node:internal\/(async_hooks|promise)/,
  ],
  ["transport: Node", /^node:/],
  ["the benchmark itself", /\/bench\//],
];

/** Who works for whoever calls: text, buffers, checks and clocks are for decoding, sending or timing something. */
const SERVANTS = /core\/job\/utf8\.js$|node:(internal\/)?(encoding|buffer|validators|util|errors|perf)/;

/** What the engine calls the time it spends in no function of anybody's. */
/** @type {Readonly<Record<string, string>>} */
const NAMES = { "(garbage collector)": "garbage collection", "(idle)": "", "(program)": "engine and kernel" };

/** Functions of the engine, which have no file. */
const PROMISES = /promise|microtask|async|tick|await/i;

/**
 * @param {{ functionName: string, url: string }} frame
 * @returns {string | undefined} the part; empty when it does not count, undefined when it is the caller's
 */
function partOf({ functionName, url }) {
  const named = NAMES[functionName];
  if (named !== undefined) return named;
  if (url === "") return PROMISES.test(functionName) ? "promises, microtasks, the turn" : undefined;
  // Starting and stopping the profiler is no part of a job.
  if (url === "node:inspector") return "";
  if (SERVANTS.test(url)) return undefined;
  return FILES.find(([, file]) => file.test(url))?.[0] ?? "other";
}

/**
 * @param {import("node:inspector").Profiler.Profile} profile
 * @returns {Record<string, number>} each part's share of the time that was not idle, the largest first
 */
export function partsOf({ nodes, samples = [], timeDeltas = [] }) {
  /** @type {Map<number, number>} */
  const parents = new Map();
  for (const { id, children = [] } of nodes) for (const child of children) parents.set(child, id);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  /** @type {Map<number, string>} */
  const partById = new Map();
  /** What has no part of its own (`set`, `slice`) belongs to whoever called it. */
  const resolve = (/** @type {number | undefined} */ id) => {
    if (id === undefined) return "engine and kernel";
    const known = partById.get(id);
    if (known !== undefined) return known;
    const node = byId.get(id);
    const part = (node && partOf(node.callFrame)) ?? resolve(parents.get(id));
    partById.set(id, part);
    return part;
  };
  /** @type {Record<string, number>} */
  const times = {};
  let all = 0;
  samples.forEach((id, index) => {
    const part = resolve(id);
    const time = Math.max(0, timeDeltas[index] ?? 0);
    if (part === "") return;
    times[part] = (times[part] ?? 0) + time;
    all += time;
  });
  return Object.fromEntries(
    Object.entries(times)
      .map(([part, time]) => /** @type {const} */ ([part, time / all]))
      .sort(([, a], [, b]) => b - a),
  );
}
