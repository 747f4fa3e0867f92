/**
 * Any life of a worker: runners come and go, jobs are short or long, it retires by its jobs or its age, is drained or
 * stopped, at any moment. After each step the worker is compared with what its runners have seen of it.
 */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Job } from "../../../src/core/job/job.ts";
import type { Dialer, Listener } from "../../../src/core/transport/listener.ts";
import type { HelloMessage } from "../../../src/core/protocol/message.ts";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import type { Socket } from "../../../src/core/transport/socket.ts";
import type { Handler } from "../../../src/core/worker/execution.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { Tally } from "../../properties/statement.ts";
import { ScriptedPeer, welcome } from "../../support/scripted-peer.ts";

const HERE = { transport: "test", address: "here", principal: "local" };
const DRAIN_TIMEOUT = 3_000;
const JITTER = 10;
const NEVER = Number.POSITIVE_INFINITY;

/** A step of a life; `which` picks one of those that are there. */
type Step =
  | { readonly do: "connect" | "allow" | "forbid" | "drain" | "stop" }
  | { readonly do: "welcome" | "job" | "end" | "dismiss" | "close"; readonly which: number }
  | { readonly do: "goaway"; readonly which: number; readonly retryAfter: number }
  | { readonly do: "wait"; readonly ms: number };

interface Plan {
  readonly listens: boolean;
  readonly capacity: number;
  readonly maxJobs: number;
  readonly maxAge: number;
  readonly afterRetirement: "rejoin" | "stop";
  readonly steps: readonly Step[];
}

/** A connection, as its runner sees it. */
interface Connection {
  readonly peer: ScriptedPeer;
  readonly hello: HelloMessage;
  /** When it was let in; never until then. */
  since: number;
  welcomed: boolean;
  sentAway: boolean;
  /** Jobs without an answer. */
  jobs: number;
}

interface Run {
  readonly connection: Connection;
  readonly shuttingDown: AbortSignal;
  end(value: string): void;
}

/** The connection gets jobs, as far as its runner knows. */
function serves({ peer, welcomed, sentAway }: Connection): boolean {
  return welcomed && !sentAway && peer.closed === undefined && peer.all("REMOVE").length === 0;
}

class Life {
  readonly clock = new VirtualClock();
  readonly worker: Worker;
  readonly connections: Connection[] = [];
  readonly runs = new Set<Run>();
  /** Jobs begun, by instance. */
  readonly begun = new Map<string, number>();
  readonly #plan: Plan;
  readonly #tally: Tally;
  readonly #peers: ScriptedPeer[] = [];
  #accept: (socket: Socket) => void = () => undefined;
  #allowed = true;
  #ended = false;
  #orphansBefore = 0;

  constructor(plan: Plan, tally: Tally) {
    this.#plan = plan;
    this.#tally = tally;
    const { listens, steps: _steps, ...options } = plan;
    const listen: Listener = {
      address: "door",
      start: async (accept) => {
        this.#accept = accept;
      },
      stop: async () => undefined,
    };
    const dial: Dialer = {
      dial: async () => {
        if (!this.#allowed) throw new Error("not now");
        return this.#socket();
      },
    };
    this.worker = new Worker({
      ...(listens ? { listen } : { dial }),
      ...options,
      handler: this.#handler,
      identity: "w",
      clock: this.clock,
      random: new SeededRandom(5),
      maxAgeJitter: JITTER,
      reconnectMax: 500,
      drainTimeout: DRAIN_TIMEOUT,
    });
  }

  get orphans(): number {
    return [...this.runs].filter(({ connection }) => connection.peer.closed !== undefined).length;
  }

  get serving(): Connection[] {
    return this.connections.filter(serves);
  }

  async play(): Promise<void> {
    this.worker.start().catch(() => undefined);
    await this.#settle();
    for (const step of this.#plan.steps) {
      this.#orphansBefore = this.orphans;
      await this.#do(step);
      await this.#settle();
      this.#check();
    }
    await this.#finish();
  }

  readonly #handler: Handler = (job, { shuttingDown }) =>
    new Promise((end) => {
      const connection = this.connections[Number(job.data)];
      if (connection === undefined) throw new Error(`no connection ${String(job.data)}`);
      const { instance } = connection.hello;
      this.begun.set(instance, (this.begun.get(instance) ?? 0) + 1);
      const run: Run = {
        connection,
        shuttingDown,
        end: (value) => {
          this.runs.delete(run);
          end(value);
        },
      };
      this.runs.add(run);
    });

  #socket(): Socket {
    const [ours, theirs] = socketPair({ clock: this.clock, peers: [HERE, HERE], maxFrameBytes: 2_000_000 });
    this.#peers.push(new ScriptedPeer(ours));
    return theirs;
  }

  /** Lets everything happen that does now, and notes who said HELLO. */
  async #settle(): Promise<void> {
    await this.clock.settle();
    for (const peer of this.#peers) {
      const [hello] = peer.all("HELLO");
      if (hello === undefined || this.connections.some((known) => known.peer === peer)) continue;
      this.connections.push({ peer, hello, since: NEVER, welcomed: false, sentAway: false, jobs: 0 });
      const orphans = [this.#orphansBefore, this.orphans];
      expect(hello.capacity, "slots it offers").toBeLessThanOrEqual(this.#plan.capacity - Math.min(...orphans));
      expect(hello.capacity, "slots it offers").toBeGreaterThanOrEqual(this.#plan.capacity - Math.max(...orphans));
      if (hello.capacity < this.#plan.capacity) this.#tally.add("offers fewer slots");
    }
  }

  async #do(step: Step): Promise<void> {
    switch (step.do) {
      case "connect":
        if (this.#plan.listens) this.#accept(this.#socket());
        return;
      case "allow":
      case "forbid":
        this.#allowed = step.do === "allow";
        return;
      case "drain":
        void this.worker.drain();
        this.#ended = true;
        return;
      case "stop":
        void this.worker.stop();
        this.#ended = true;
        return;
      case "wait":
        return this.clock.advance(step.ms);
      case "end": {
        const run = [...this.runs][step.which % this.runs.size];
        if (run !== undefined) this.#endRun(run);
        return;
      }
      default:
        return this.#asRunner(step);
    }
  }

  #asRunner(step: Extract<Step, { readonly which: number }>): void {
    const open = this.connections.filter(({ peer }) => peer.closed === undefined);
    const connection = open[step.which % open.length];
    if (connection === undefined) return;
    const { peer, hello } = connection;
    if (step.do === "close") peer.close();
    else if (step.do === "welcome" && !connection.welcomed) {
      connection.welcomed = true;
      connection.since = this.clock.now();
      peer.send(welcome({ heartbeat: 600_000 }));
    } else if (step.do === "goaway" && connection.welcomed) {
      connection.sentAway = true;
      peer.send({ type: "GOAWAY", reason: "draining", retryAfter: step.retryAfter });
    } else if (step.do === "job" && serves(connection) && connection.jobs < hello.capacity) this.#give(connection);
    else if (step.do === "dismiss") this.#dismiss(connection);
  }

  #give(connection: Connection): void {
    // Another runner may have all slots: then it is handed back.
    if (this.runs.size < this.#plan.capacity) connection.jobs++;
    const data = String(this.connections.indexOf(connection));
    const attemptId = connection.peer.frames * 1_000 + this.#nextId++;
    connection.peer.send({ type: "JOB", attemptId, attempt: 1, jobId: attemptId, ttl: 1_000, job: new Job(data) });
  }

  #nextId = 1;

  #dismiss(connection: Connection): void {
    const { peer, jobs, sentAway } = connection;
    const leaves = sentAway || peer.all("REMOVE").length > 0;
    if (peer.closed === undefined && leaves && jobs === 0) peer.send({ type: "REMOVED" });
  }

  #endRun(run: Run): void {
    run.connection.jobs--;
    run.end("done");
  }

  #check(): void {
    const { capacity, maxJobs, maxAge, listens } = this.#plan;
    const { worker, serving } = this;
    const now = this.clock.now();
    const latest = this.connections.at(-1)?.hello.instance;
    assert.equal(worker.running, this.runs.size, "handlers it counts");
    expect(worker.running).toBeLessThanOrEqual(capacity);
    for (const begun of this.begun.values()) expect(begun, "jobs of one instance").toBeLessThanOrEqual(maxJobs);
    for (const { hello } of serving) {
      assert.equal(hello.instance, latest, "the instance that serves");
      expect(this.begun.get(hello.instance) ?? 0, "jobs of one that serves").toBeLessThan(maxJobs);
      expect(now - this.#bornAt(hello.instance), "age of one that serves").toBeLessThanOrEqual(maxAge + JITTER);
    }
    for (const { connection, shuttingDown } of this.runs) {
      const { instance } = connection.hello;
      const isOver = instance !== latest || (this.begun.get(instance) ?? 0) >= maxJobs;
      if (isOver) assert.equal(shuttingDown.aborted, true, "a handler of a retired instance is told");
      else if (serves(connection)) assert.equal(shuttingDown.aborted, false, "one of an instance that serves is not");
    }
    if (!listens) this.#checkDialing();
    if (worker.state === "draining" || worker.state === "stopped") assert.deepEqual(serving, []);
  }

  #checkDialing(): void {
    const open = this.connections.filter(({ peer }) => peer.closed === undefined);
    expect(open.length, "connections at a time").toBeLessThanOrEqual(1);
    const [connection] = open;
    // While it retires to come back it is registered still.
    if (this.worker.state === "registered") expect(connection).toMatchObject({ welcomed: true, sentAway: false });
    if (this.worker.state === "connecting" || this.worker.state === "disconnected") assert.deepEqual(this.serving, []);
  }

  #bornAt(instance: string): number {
    return Math.min(...this.connections.filter(({ hello }) => hello.instance === instance).map(({ since }) => since));
  }

  /** Handlers end, runners let the worker go and let it in: then it serves with all its slots, or it has stopped. */
  async #finish(): Promise<void> {
    this.#allowed = true;
    const { listens, capacity, afterRetirement } = this.#plan;
    for (let round = 0; round < 8; round++) {
      this.#orphansBefore = this.orphans;
      for (const run of this.runs) this.#endRun(run);
      for (const connection of this.connections) {
        if (connection.peer.closed === undefined) this.#asRunner({ do: "welcome", which: this.#openPlace(connection) });
        this.#dismiss(connection);
      }
      await this.clock.advance(300);
      await this.#settle();
      this.#check();
    }
    if (this.#ended) assert.equal(this.worker.state, "stopped");
    const stopped = this.worker.state === "stopped";
    if (stopped && !this.#ended) {
      assert.equal(afterRetirement, "stop");
      this.#tally.add("retired to stop");
      if (this.connections.length > 1) this.#tally.add("retired to stop with more than one connection");
    }
    if (!stopped && !listens && this.#plan.maxAge === NEVER) {
      assert.equal(this.worker.state, "registered");
      assert.deepEqual(
        this.serving.map(({ hello }) => hello.capacity),
        [capacity],
      );
    }
    if (new Set(this.connections.map(({ hello }) => hello.instance)).size > 1) {
      assert.equal(afterRetirement, "rejoin", "another instance");
      this.#tally.add("rejoined as another instance");
    }
    await this.#end();
  }

  #openPlace(connection: Connection): number {
    return this.connections.filter(({ peer }) => peer.closed === undefined).indexOf(connection);
  }

  async #end(): Promise<void> {
    void this.worker.stop();
    await this.clock.settle();
    await this.worker.closed;
    assert.equal(this.clock.pending, 0, "timers left");
    for (const peer of this.#peers) expect(peer.closed, "sockets left").toBeDefined();
  }
}

const which = fc.nat({ max: 3 });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("connect" as const) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("welcome" as const), which }) },
  { weight: 14, arbitrary: fc.record({ do: fc.constant("job" as const), which }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constant("end" as const), which }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("dismiss" as const), which }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("close" as const), which }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("goaway" as const), which, retryAfter: fc.constantFrom(0, 400) }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(1, 100, 600, 1_500) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("allow" as const, "forbid" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("drain" as const, "drain" as const, "stop" as const) }) },
);

const plan: fc.Arbitrary<Plan> = fc.record({
  listens: fc.boolean(),
  capacity: fc.integer({ min: 1, max: 3 }),
  maxJobs: fc.constantFrom(NEVER, 1, 2, 4),
  maxAge: fc.constantFrom(NEVER, NEVER, 1_000),
  afterRetirement: fc.constantFrom("rejoin" as const, "stop" as const),
  steps: fc.array(step, { maxLength: 60, size: "max" }),
});

describe("any life of a worker", () => {
  it("keeps within its slots, its jobs and its age, and ends with nothing left", { timeout: 120_000 }, async () => {
    const tally = new Tally();
    await fc.assert(
      fc.asyncProperty(plan, (one) => new Life(one, tally).play()),
      { numRuns: Number(process.env["LIFE_RUNS"] ?? 300) },
    );
    for (const what of [
      "offers fewer slots",
      "retired to stop",
      "retired to stop with more than one connection",
      "rejoined as another instance",
    ])
      expect(tally.count(what), what).toBeGreaterThan(0);
  });
});
