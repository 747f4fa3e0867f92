/**
 * Who runs against whom: the contestants of each group, whatever their jobs carry. What opens each is in a file of its
 * own, beside this one or, for those that have to be installed, in ../peers.
 */

/** @typedef {import("../race.js").Contestant} Contestant */

/** What the figures of a group are held against; also the names by which targets.js finds them. */
export const FLOORS = {
  memory: "MessageChannel, same thread",
  each: "postMessage, one message a job",
  batched: "postMessage, one message a turn",
  slab: "postMessage, a slab a turn, transferred",
  one: "postMessage, one job in flight",
  wsEach: "ws, one message a job",
  wsBatched: "ws, one message a turn",
};

/** Our own, by name. */
export const OURS = {
  memory: "powerhose, memory",
  threads: "powerhose, a thread of capacity 256",
  threadsDefault: "powerhose, a thread, defaults",
  ws: "powerhose, WebSocket, capacity 256",
};

/** Peers that a target speaks of. */
export const PEERS = {
  piscina: "piscina, defaults",
  piscinaMany: "piscina, 128 tasks a worker, FixedQueue",
  zeromqTcp: "zeromq.js ROUTER/DEALER, tcp (native)",
  zeromqIpc: "zeromq.js ROUTER/DEALER, ipc (native)",
};

/** @type {readonly Contestant[]} */
const MEMORY = [
  { name: "direct async call", role: "floor", module: "./contestants/direct-call.js" },
  { name: FLOORS.memory, role: "floor", module: "./contestants/message-channel.js" },
  {
    name: OURS.memory,
    role: "powerhose",
    floor: FLOORS.memory,
    module: "./contestants/powerhose-memory.js",
    options: { capacity: 256 },
  },
];

/**
 * @param {string} name
 * @param {string} as
 * @param {readonly ("text" | "bytes")[]} [kinds]
 * @returns {Contestant}
 */
function barePort(name, as, kinds) {
  return {
    name,
    role: "floor",
    module: "./contestants/post-message.js",
    options: { as },
    ...(kinds === undefined ? {} : { kinds }),
  };
}

/**
 * @param {string} name
 * @param {string} module
 * @param {object} [options]
 * @param {readonly ("text" | "bytes")[]} [kinds]
 * @returns {Contestant}
 */
function peer(name, module, options, kinds) {
  return {
    name,
    role: "peer",
    module: `./peers/${module}`,
    ...(options === undefined ? {} : { options }),
    ...(kinds === undefined ? {} : { kinds }),
  };
}

/** @type {readonly Contestant[]} */
const THREADS = [
  barePort(FLOORS.each, "each"),
  barePort(FLOORS.batched, "batched"),
  barePort(FLOORS.slab, "slab"),
  {
    name: OURS.threads,
    role: "powerhose",
    floor: FLOORS.batched,
    module: "./contestants/powerhose-threads.js",
    options: { threads: { capacity: 256 } },
  },
  barePort(FLOORS.one, "one"),
  {
    name: OURS.threadsDefault,
    role: "powerhose",
    floor: FLOORS.one,
    module: "./contestants/powerhose-threads.js",
  },
  peer(PEERS.piscina, "piscina.js", { handler: "./pool-handler.js", size: 1 }),
  peer(PEERS.piscinaMany, "piscina.js", { handler: "./pool-handler.js", size: 1, tasks: 128 }),
  peer("tinypool, defaults", "tinypool.js", { handler: "./pool-handler.js", size: 1 }),
  peer("workerpool, threads", "workerpool.js", { method: "echo", size: 1 }),
  peer("poolifier, defaults", "poolifier.js", { method: "echo", size: 1 }),
  peer("poolifier, tasks queue, concurrency 128", "poolifier.js", { method: "echo", size: 1, tasks: 128 }),
  peer("comlink", "rpc-over-threads.js", { library: "comlink" }),
  peer("birpc over a thread", "rpc-over-threads.js", { library: "birpc" }),
  peer("capnweb over a MessagePort", "rpc-over-threads.js", { library: "capnweb" }),
];

/** @type {readonly Contestant[]} */
const WS = [
  { name: FLOORS.wsEach, role: "floor", module: "./contestants/bare-ws.js", options: { batched: false } },
  { name: FLOORS.wsBatched, role: "floor", module: "./contestants/bare-ws.js", options: { batched: true } },
  {
    name: OURS.ws,
    role: "powerhose",
    floor: FLOORS.wsBatched,
    module: "./contestants/powerhose-websocket.js",
    options: { capacity: 256 },
  },
  peer(PEERS.zeromqTcp, "zeromq.js", { over: "tcp" }),
  peer(PEERS.zeromqIpc, "zeromq.js", { over: "ipc" }),
  peer("birpc over ws (JSON)", "rpc-over-ws.js", { library: "birpc" }, ["text"]),
  peer("capnweb over ws", "rpc-over-ws.js", { library: "capnweb" }),
  peer("NATS request/reply, queue group", "nats.js"),
  peer("BullMQ on Redis, result waited for", "bullmq.js", undefined, ["text"]),
];

/** @type {Readonly<Record<"memory" | "threads" | "ws", readonly Contestant[]>>} */
export const GROUPS = { memory: MEMORY, threads: THREADS, ws: WS };

/**
 * A row of the budget.
 * @typedef {object} BudgetRow
 * @property {string} name
 * @property {readonly [ours: string, floor: string]} pair
 */

/** The few that watch over the others, each beside the floor it is held against: see budget.js. */
/** @type {readonly BudgetRow[]} */
export const BUDGET_ROWS = [
  { name: "memory", pair: [OURS.memory, FLOORS.memory] },
  { name: "threads, capacity 256", pair: [OURS.threads, FLOORS.batched] },
  { name: "threads, defaults", pair: [OURS.threadsDefault, FLOORS.each] },
  { name: "WebSocket, capacity 256", pair: [OURS.ws, FLOORS.wsBatched] },
];
