/** Too many, too slow, too often: what costs the listener its connections. Rows T10 to T13 and T30. */
import type { Listener } from "../../../src/core/transport/listener.ts";
import type { Receiver, Socket } from "../../../src/core/transport/socket.ts";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { dialWebSocket, listenWebSocket } from "../../../src/transports/websocket/node/index.ts";
import { frame, RawClient, upgrade } from "../../transports/websocket/node/raw-client.ts";
import type { Finding, Scale } from "../section.ts";
import type { Lab, Victim } from "./lab.ts";
import { knock, rawWorker, said, upgraded } from "./raw-worker.ts";
import { atMost, exactly, holds, none, type Row, same, sized } from "./row.ts";
import { inParallel, until } from "./waiting.ts";

const MIB = 1024 * 1024;

/** The runner's process has no connection any more. */
function empty(victim: Victim): Promise<void> {
  return until("all connections are gone", async () => (await victim.figures()).connections === 0);
}

async function slow(scale: Scale, lab: Lab): Promise<readonly Finding[]> {
  const count = sized(scale, 100, 100, 1_000);
  const hasty = { headersTimeout: 100, requestTimeout: 100, connectionsCheckingInterval: 20 };
  await using victim = await lab.victim({ listen: scale === "full" ? {} : hasty });
  const words = [
    "GET / HTTP/1.1\r\nHost: a\r\n",
    "",
    "G",
    upgrade("/").slice(0, -4),
    "\u0016\u0003\u0001 not HTTP\r\n\r\n",
  ];
  const clients = Array.from({ length: count }, (_, i) =>
    new RawClient(victim.port).send(words[i % words.length] ?? ""),
  );
  // Some send a little more now and then, as slowloris does.
  const drips = setInterval(
    () => clients.forEach((client, i) => i % 10 === 0 && !client.ended && client.send("X: y\r\n")),
    20,
  );
  await Promise.all(clients.map((client) => client.end()));
  clearInterval(drips);
  await empty(victim);
  const { connections, registered } = await victim.figures();
  return [
    none("slow and silent connections left, counted by the server", connections, count),
    exactly("of them, registered", registered, 0),
  ];
}

async function silent(scale: Scale, lab: Lab): Promise<readonly Finding[]> {
  const runner = scale === "full" ? {} : { helloTimeout: 300 };
  await using victim = await lab.victim({ runner });
  const clients: RawClient[] = [];
  await inParallel(1_000, 50, async () => void clients.push(await upgraded(victim.port)));
  await Promise.all(clients.map((client) => client.end()));
  await empty(victim);
  const left = await victim.figures();
  return [
    none("silent upgrades left", left.connections + left.pending, clients.length),
    exactly("refused", left.refused, clients.length),
    ...(await waitedFor(lab)),
  ];
}

/** So many are waited for at a time, and whoever comes beyond is told at once. */
async function waitedFor(lab: Lab): Promise<readonly Finding[]> {
  await using victim = await lab.victim({ runner: { helloTimeout: 3_600_000 } });
  const clients: RawClient[] = [];
  await inParallel(300, 50, async () => void clients.push(await upgraded(victim.port)));
  await until("all have been looked at", async () => {
    const { pending, refused } = await victim.figures();
    return pending + refused === clients.length;
  });
  const { pending } = await victim.figures();
  for (const client of clients) client[Symbol.dispose]();
  await empty(victim);
  return [exactly("of 300 that come at once and say nothing, waited for", pending, 256)];
}

async function flood(scale: Scale, lab: Lab): Promise<readonly Finding[]> {
  const [members, knocks] = [sized(scale, 30, 100, 100), sized(scale, 2_000, 5_000, 20_000)];
  await using victim = await lab.victim({ listen: { maxConnections: members + 20 } });
  const workers = Array.from(
    { length: members },
    () => new Worker({ dial: dialWebSocket(`ws://127.0.0.1:${victim.port}/`), handler: (job) => job.data }),
  );
  await Promise.all(workers.map((worker) => worker.start()));
  const refusals = { busy: 0, cut: 0, in: 0 };
  const flooding = { over: false };
  const work = async (): Promise<number> => {
    let done = 0;
    while (!flooding.over) done += await victim.run(500);
    return done;
  };
  const working = work();
  await inParallel(knocks, 200, async () => {
    const head = await knock(victim.port, upgrade("/"));
    refusals[head.startsWith("HTTP/1.1 503") ? "busy" : head === "" ? "cut" : "in"]++;
  });
  flooding.over = true;
  const done = await working;
  const { workers: left, gone, failed } = await victim.figures();
  await Promise.all(workers.map((worker) => worker.stop()));
  return [
    exactly(`workers lost to a flood of ${knocks.toLocaleString("en")} connects`, lost(gone) + members - left, 0),
    exactly("jobs that failed meanwhile", failed, 0),
    holds("jobs done meanwhile", done > 0, String(done), "over 0"),
    holds("the flood", refusals.busy + refusals.cut > 0, JSON.stringify(refusals), "bounded: some refused"),
  ];
}

/** How many sessions have ended. */
function lost(gone: Readonly<Record<string, number>>): number {
  return Object.values(gone).reduce((sum, count) => sum + count, 0);
}

/** Remembers the most that waited in each accepted socket. */
class Gauge {
  readonly sockets: Socket[] = [];
  most = 0;

  look(): void {
    for (const socket of this.sockets) this.most = Math.max(this.most, socket.bufferedBytes);
  }

  /** A socket that is measured after each frame it takes. */
  measured(socket: Socket): Socket {
    this.sockets.push(socket);
    const look = (): void => this.look();
    return {
      faults: socket.faults,
      peer: socket.peer,
      get bufferedBytes() {
        return socket.bufferedBytes;
      },
      send: (bytes) => {
        const taken = socket.send(bytes);
        look();
        return taken;
      },
      open: (receiver: Receiver) => socket.open(receiver),
      close: (reason) => socket.close(reason),
    };
  }
}

/** A runner whose sockets are measured, with a worker that registers and reads nothing from then on, and two honest ones. */
class Jam {
  readonly gauge: Gauge = new Gauge();
  readonly gone: string[] = [];
  readonly runner: JobRunner;
  readonly #listener = listenWebSocket();
  readonly #workers: Worker[] = [];

  constructor(stallTimeout: number) {
    const inner = this.#listener;
    const listen: Listener = {
      start: (accept, context) => inner.start((socket) => accept(this.gauge.measured(socket)), context),
      stop: () => inner.stop(),
      address: "measured",
    };
    this.runner = new JobRunner({ listen, stallTimeout });
    this.runner.on(
      (event) => void (event.type === "worker-gone" && this.gone.push(`${event.identity} ${event.reason}`)),
    );
  }

  async start(): Promise<RawClient> {
    await this.runner.start();
    const { address } = this.#listener;
    const stuck = await rawWorker(Number(new URL(address).port), "stuck", 1_000);
    await until("the stuck worker is registered", () => this.runner.workers.size === 1);
    stuck.pause();
    for (const identity of ["w1", "w2"]) {
      const worker = new Worker({ dial: dialWebSocket(address), identity, handler: () => "done" });
      this.#workers.push(worker);
      await worker.start();
    }
    return stuck;
  }

  /** Jobs that the stuck worker holds. */
  get held(): number {
    return this.runner.stats().workers.find(({ identity }) => identity === "stuck")?.inFlight ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()));
    await this.runner.stop();
  }
}

const JOB_SIZE = 256 * 1024;

/** Meanwhile the others do all that the stuck one does not hold; it holds little. */
async function besideStuck(count: number): Promise<readonly Finding[]> {
  await using jam = new Jam(3_600_000);
  using stuck = await jam.start();
  let served = 0;
  const jobs = Array.from({ length: count }, () =>
    jam.runner.execute(new Uint8Array(JOB_SIZE), { timeout: Number.POSITIVE_INFINITY }).then(() => served++),
  );
  await until("all jobs but those of the stuck worker are done", () => served + jam.held === count);
  const { held } = jam;
  stuck[Symbol.dispose]();
  const failed = (await Promise.allSettled(jobs)).filter(({ status }) => status === "rejected").length;
  const most = "most bytes that waited for a peer that reads nothing: the high-water mark and a frame";
  return [
    atMost(most, jam.gauge.most / MIB, 1 + (JOB_SIZE + 1_024) / MIB, "MiB"),
    holds(
      "jobs that the others did while it was stuck",
      held > 0 && held < count,
      `${count - held} of ${count}`,
      "all but what it held",
    ),
    exactly("jobs that failed", failed, 0),
  ];
}

/** Before long it is given up, and what it held runs elsewhere. */
async function givenUp(stallTimeout: number): Promise<readonly Finding[]> {
  await using jam = new Jam(stallTimeout);
  using _stuck = await jam.start();
  const jobs = Array.from({ length: 40 }, () => jam.runner.execute(new Uint8Array(JOB_SIZE)));
  const failed = (await Promise.allSettled(jobs)).filter(({ status }) => status === "rejected").length;
  return [same("gone after `stallTimeout`", jam.gone, ["stuck slow"]), exactly("jobs that failed with it", failed, 0)];
}

async function paused(scale: Scale): Promise<readonly Finding[]> {
  return [...(await besideStuck(sized(scale, 150, 300, 1_000))), ...(await givenUp(scale === "full" ? 10_000 : 300))];
}

/** Comes, registers and goes, in good order or by a reset. */
async function visit(port: number, index: number): Promise<void> {
  const client = await rawWorker(port, `visitor-${index}`);
  await until("WELCOME", () => client.frames.length > 0);
  // With the answer to the server's close frame, which it would wait for.
  if (index % 2 === 0) client.send(said({ type: "REMOVE" })).send(frame(0x88, Uint8Array.of(1_000 >> 8, 1_000 & 0xff)));
  else client[Symbol.dispose]();
  await client.end();
}

async function churn(scale: Scale, lab: Lab): Promise<readonly Finding[]> {
  const cycles = sized(scale, 1_500, 5_000, 100_000);
  await using victim = await lab.victim({ listen: { acceptRate: 1_000_000 } });
  // What is compiled, pooled and cached at first is not what leaks.
  await inParallel(500, 50, (i) => visit(victim.port, i));
  await empty(victim);
  const before = await victim.figures();
  await inParallel(cycles, 50, (i) => visit(victim.port, 1_000 + i));
  await empty(victim);
  const after = await victim.figures();
  return [
    atMost(
      `heap growth over ${cycles.toLocaleString("en")} connects and disconnects`,
      (after.heap - before.heap) / MIB,
      2,
      "MiB",
    ),
    exactly("registered of them", after.registered - before.registered, cycles),
    exactly("left", after.workers + after.pending + after.connections, 0),
  ];
}

/** Too many. */
export const crowdRows: readonly Row[] = [
  { name: "T10", threat: "requests that never end, connections that never speak", check: slow },
  { name: "T11", threat: "upgrades that never say HELLO", check: silent },
  { name: "T12", threat: "more connections than there is room for", check: flood },
  { name: "T13", threat: "a worker that does not read", check: paused },
  { name: "T30", threat: "connections that come and go, for ever", check: churn },
];
