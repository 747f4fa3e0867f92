/** A relay: what happens in the fleet behind it means what it means in a thread. */
import { describe, expect, it } from "vitest";
import { EncodingError, ExecutionError, QueueFullError, TimeoutError, WorkerLostError } from "../../src/core/errors.ts";
import type { ExecuteOptions } from "../../src/core/job/execute-options.ts";
import { Job } from "../../src/core/job/job.ts";
import { relay } from "../../src/core/relay.ts";
import { JobRunner } from "../../src/core/runner/runner.ts";
import type { RunnerOptions } from "../../src/core/runner/runner-options.ts";
import type { Handler, JobContext } from "../../src/core/worker/execution.ts";
import type { Dialer } from "../../src/core/transport/listener.ts";
import { Worker } from "../../src/core/worker/worker.ts";
import type { WorkerOptions } from "../../src/core/worker/worker-options.ts";
import { Puppet, type Stage, stage } from "../support/stage.ts";

/** A stage whose runner is the outermost one, and relays below it: each dials the one above, the last has the fleet. */
class Chain {
  readonly outer: Stage;
  readonly inner: Stage;
  readonly relays: readonly Worker[];
  readonly #between: readonly JobRunner[];

  constructor(outer: Stage, inner: Stage, between: readonly JobRunner[], relays: readonly Worker[]) {
    this.outer = outer;
    this.inner = inner;
    this.relays = relays;
    this.#between = between;
  }

  async settle(): Promise<void> {
    for (let round = 0; round < 4; round++) await this.outer.clock.settle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.relays) await this.outer.settle(each.stop());
    for (const each of this.#between) await this.outer.settle(each.stop());
    await this.outer.settle(this.outer.runner.stop());
    await this.inner[Symbol.asyncDispose]();
    await this.outer[Symbol.asyncDispose]();
  }
}

async function chain(
  length: number,
  options: {
    readonly outer?: RunnerOptions;
    readonly inner?: RunnerOptions;
    readonly worker?: Partial<WorkerOptions>;
  } = {},
): Promise<Chain> {
  const outer = await stage(options.outer);
  const { clock, random } = outer;
  const inner = await stage(options.inner, outer);
  const between = Array.from({ length: length - 1 }, () => new JobRunner({ clock, random }));
  for (const each of between) await outer.settle(each.start());
  const runners = [outer.runner, ...between, inner.runner];
  const relays = Array.from({ length }, (_, i) => {
    const [dial, fleet] = [runners[i], runners[i + 1]];
    if (dial === undefined || fleet === undefined) throw new RangeError("no such runner");
    return new Worker({ dial, handler: relay(fleet), identity: `host-${i + 1}`, clock, random, ...options.worker });
  });
  for (const each of relays) await outer.settle(each.start());
  return new Chain(outer, inner, between, relays);
}

/** The same fleet at the runner itself, behind one relay, and behind three. */
const DEPTHS = [1, 3];

const PATHS: Readonly<Record<number, string>> = { 1: "host-1/", 3: "host-1/host-2/host-3/" };

async function outcome(set: Chain, job: Job | string, options?: ExecuteOptions): Promise<unknown> {
  const call = await set.outer.execute(job, options);
  for (let i = 0; i < 20 && call.state === "pending"; i++) await set.outer.clock.advance(1_000);
  return call.error ?? call.value;
}

describe.each(DEPTHS)("behind %i relays", (depth) => {
  const path = PATHS[depth] ?? "";

  it("a job has the headers of its caller's runner, and none of the runners that pass it on", async () => {
    const handler: Handler = ({ headers }) => JSON.stringify([...headers]);
    await using set = await chain(depth, {
      outer: { headers: () => ({ a: "1" }) },
      inner: { headers: () => ({ b: "2" }) },
    });
    await set.inner.worker(handler);
    await set.settle();
    expect(await outcome(set, "x")).toBe('[["a","1"]]');
  });

  it("a handler has the job id and the attempt of the outermost runner", async () => {
    await using set = await chain(depth);
    const seen: Pick<JobContext, "attempt" | "jobId">[] = [];
    const flaky: Handler = (_job, { attempt, jobId }) => {
      seen.push({ attempt, jobId });
      if (attempt < 3) throw Object.assign(new Error("not yet"), { retryable: true });
      return "done";
    };
    const direct = await set.outer.worker(flaky, { identity: "direct" });
    expect(await outcome(set, "x", {})).toBe("done");
    const [first] = seen;
    await set.outer.settle(direct.stop());
    seen.length = 0;
    await set.inner.worker(flaky, { identity: "w" });
    await set.settle();
    expect(await outcome(set, "x")).toBe("done");
    const runnerId = first?.jobId.split(":")[0] ?? "";
    expect(seen).toEqual([1, 2, 3].map((attempt) => ({ attempt, jobId: `${runnerId}:2` })));
    expect(set.inner.runner.stats().retries).toBe(0);
  });

  it("attempts name the path", async () => {
    await using set = await chain(depth);
    await set.inner.worker(() => "y", { identity: "w" });
    await set.settle();
    const outcomes = set.outer.runner.map(["x"]);
    const { value } = await set.outer.settle(outcomes.next());
    expect(value?.attempts).toMatchObject([{ identity: `${path}w`, outcome: "ok" }]);
    await set.outer.settle(outcomes.return());
  });

  it("a worker lost with the job is a loss, and counts against maxLost", async () => {
    await using set = await chain(depth);
    const peers = await Promise.all(["a", "b", "c"].map((identity) => set.inner.peer({ identity })));
    await set.settle();
    const call = await set.outer.execute("poison", { attempts: 5 });
    for (let i = 0; i < 10; i++) {
      await set.outer.clock.advance(1_000);
      for (const peer of peers) if (peer.jobs.length > 0) peer.close();
    }
    const { error } = call;
    expect(error).toBeInstanceOf(WorkerLostError);
    expect((error as WorkerLostError).attempts).toMatchObject([
      { identity: `${path}a`, outcome: "lost" },
      { identity: `${path}b`, outcome: "lost" },
    ]);
    expect(set.inner.runner.workers.size).toBe(1);
  });

  it("a handler's error arrives as it was thrown, and once", async () => {
    await using set = await chain(depth);
    let runs = 0;
    await set.inner.worker(() => {
      runs++;
      throw Object.assign(new RangeError("no"), { code: "E_NO" });
    });
    await set.settle();
    const error = await outcome(set, "x");
    expect(error).toBeInstanceOf(ExecutionError);
    expect(error).toMatchObject({ remoteName: "RangeError", remoteMessage: "no", remoteCode: "E_NO" });
    expect(runs).toBe(1);
  });

  it("limits of the fleet keep their codes", async () => {
    await using set = await chain(depth, { inner: { queueTimeout: 1_500, maxPayload: 100 } });
    const puppet = new Puppet();
    await set.inner.worker(puppet.handler);
    await set.settle();
    const large = await outcome(set, "x".repeat(101));
    expect(large).toBeInstanceOf(EncodingError);
    const held = await set.outer.execute("held");
    const broker = await set.inner.execute("of the broker's own");
    expect(puppet.runs).toHaveLength(1);
    expect([held.state, broker.state]).toEqual(["pending", "pending"]);
    puppet.runs[0]?.end("done");
    await set.settle();
    puppet.runs[1]?.end("done");
    await set.settle();
  });

  it("a queue that is full there is a QueueFullError here, with its numbers", async () => {
    await using set = await chain(depth, { inner: { maxQueue: 1 } });
    const puppet = new Puppet();
    await set.inner.worker(puppet.handler);
    await set.settle();
    const own = [await set.inner.execute("1"), await set.inner.execute("2")];
    const error = await outcome(set, "3");
    expect(error).toBeInstanceOf(QueueFullError);
    expect(error).toMatchObject({ limit: "maxQueue", max: 1, queued: 1 });
    for (let i = 0; i < 2; i++) {
      puppet.runs[i]?.end("done");
      await set.settle();
    }
    expect(own.map(({ value }) => value)).toEqual(["done", "done"]);
  });

  it("a stay in a queue that is too long there is a TimeoutError here", async () => {
    await using set = await chain(depth, { inner: { queueTimeout: 1_500 } });
    const puppet = new Puppet();
    await set.inner.worker(puppet.handler);
    await set.settle();
    const own = await set.inner.execute("1", { queueTimeout: Number.POSITIVE_INFINITY });
    const error = await outcome(set, "2");
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ kind: "queue", ms: 1_500 });
    puppet.runs[0]?.end("done");
    await set.settle();
    expect(own.value).toBe("done");
  });

  it("no worker at all is what it is without relays", async () => {
    await using set = await chain(depth);
    expect(await outcome(set, "x", { acquireTimeout: 100 })).toMatchObject({
      code: "TIMEOUT",
      kind: "acquire",
      ms: 100,
    });
    expect(await outcome(set, "x", { failFast: true, acquireTimeout: 100 })).toMatchObject({ code: "TIMEOUT" });
  });

  it("headers, labels, deadline and what is left of the time go through", async () => {
    await using set = await chain(depth);
    const other = await set.inner.peer({ identity: "a" });
    const fit = await set.inner.peer({ identity: "b", labels: ["gpu"], features: 0x40 });
    await set.settle();
    const job = new Job("x", { one: "1" });
    const call = await set.outer.execute(job, { require: ["gpu"], deadline: 10_000, timeout: 4_000 });
    await set.settle();
    const message = fit.last("JOB");
    expect([...message.job.headers]).toEqual([["one", "1"]]);
    expect(message.ttl).toBeLessThanOrEqual(4_000);
    expect(message.route?.deadline).toBeLessThanOrEqual(10_000);
    expect(other.all("JOB")).toHaveLength(0);
    fit.answer("y");
    await set.settle();
    expect(call.value).toBe("y");
  });

  it("an abort goes down to the handler, and the slot is taken until it has returned", async () => {
    await using set = await chain(depth);
    const puppet = new Puppet();
    await set.inner.worker(puppet.handler);
    await set.settle();
    const controller = new AbortController();
    const call = await set.outer.execute("x", { signal: controller.signal });
    await set.settle();
    controller.abort(new Error("enough"));
    await set.settle();
    expect(call.error).toEqual(new Error("enough"));
    expect(puppet.runs[0]?.signal.reason).toMatchObject({ reason: "cancelled" });
    const next = await set.outer.execute("next");
    await set.settle();
    expect(puppet.runs).toHaveLength(1);
    puppet.runs[0]?.end("late");
    await set.settle();
    puppet.runs[1]?.end("done");
    await set.settle();
    expect(next.value).toBe("done");
  });

  it("a retry goes elsewhere in the fleet", async () => {
    await using set = await chain(depth);
    const ran: string[] = [];
    const handler: Handler = (_job, { identity, attempt }) => {
      ran.push(identity);
      if (attempt === 1) throw Object.assign(new Error("here not"), { retryable: true });
      return "done";
    };
    // The first is the least used again by the time of the retry.
    await set.inner.worker(handler, { identity: "a", capacity: 4 });
    await set.inner.worker(() => "done", { identity: "b" });
    await set.settle();
    await outcome(set, "warm");
    await outcome(set, "warm");
    ran.length = 0;
    await outcome(set, "x");
    expect(ran.filter((name) => name === "a").length).toBeLessThanOrEqual(1);
  });

  it("the stack of an error arrives while nothing leaves the process", async () => {
    await using set = await chain(depth);
    await set.inner.worker(() => {
      throw new Error("no");
    });
    await set.settle();
    expect(((await outcome(set, "x")) as ExecutionError).remoteStack).toContain("relay.test.ts");
  });

  it("the stack of an error goes no further than the relay when that is told so", async () => {
    const throws: Handler = () => {
      throw new Error("no");
    };
    for (const remoteStacks of [false, true]) {
      const all = { remoteStacks: true };
      await using set = await chain(depth, { outer: all, inner: all, worker: { remoteStacks } });
      await set.inner.worker(throws, { remoteStacks: true });
      await set.settle();
      const error = (await outcome(set, "x")) as ExecutionError;
      expect(error.remoteStack !== "").toBe(remoteStacks);
    }
  });

  it("the slots and labels of the fleet are told as they change", async () => {
    await using set = await chain(depth);
    expect(set.outer.runner.stats()).toMatchObject({ capacity: 0, workers: [{ capacity: 0, labels: [] }] });
    const first = await set.inner.peer({ identity: "a", capacity: 3, labels: ["gpu"] });
    await set.settle();
    expect(set.outer.runner.stats()).toMatchObject({ capacity: 3, workers: [{ capacity: 3, labels: ["gpu"] }] });
    first.close();
    await set.settle();
    expect(set.outer.runner.stats()).toMatchObject({ capacity: 0, workers: [{ capacity: 0, labels: [] }] });
    expect(set.outer.runner.stats().registered).toBe(1);
  });

  it("a job waits for the first worker of the fleet", async () => {
    await using set = await chain(depth);
    const call = await set.outer.execute("x");
    await set.inner.worker(() => "done");
    await set.settle();
    expect(call.value).toBe("done");
  });

  it("a job that has not started is handed back when no worker is left for it", async () => {
    await using set = await chain(depth);
    const peer = await set.inner.peer({ identity: "a" });
    await set.settle();
    const own = await set.inner.execute("of the broker's own", { attempts: 1 });
    const call = await set.outer.execute("x", { attempts: 1 });
    await set.settle();
    peer.close();
    await set.settle();
    const elsewhere = await set.outer.worker(() => "elsewhere", { identity: "elsewhere" });
    await set.settle();
    expect(call.value).toBe("elsewhere");
    await set.outer.settle(elsewhere.stop());
    expect(own.error).toBeInstanceOf(WorkerLostError);
  });
});

describe("two callers at one broker", () => {
  it("have job ids of their own", async () => {
    await using fleet = await stage();
    const { clock, random } = fleet;
    const callers = [1, 2].map((seed) => new JobRunner({ clock, random, drainTimeout: seed * 1_000 }));
    const brokers: Worker[] = [];
    await fleet.worker((_job, { jobId }) => jobId, { capacity: 2 });
    for (const caller of callers) {
      await fleet.settle(caller.start());
      const broker = new Worker({ dial: caller, handler: relay(fleet.runner), clock, random });
      brokers.push(broker);
      await fleet.settle(broker.start());
    }
    const ids = await fleet.settle(Promise.all(callers.map((caller) => caller.execute("x"))));
    expect(new Set(ids).size).toBe(2);
    for (const each of [...brokers, ...callers]) await fleet.settle(each.stop());
  });
});

describe("a worker that speaks of no relays, behind one", () => {
  it("has numbers of its runner, so that two callers' jobs are two", async () => {
    await using set = await chain(1);
    const peer = await set.inner.peer({ identity: "old", capacity: 2 });
    await set.settle();
    await set.inner.execute("of the broker's own", { attempts: 1 });
    const call = await set.outer.execute("x", { attempts: 1 });
    await set.settle();
    const [one, other] = peer.all("JOB");
    expect(one?.jobId).not.toBe(other?.jobId);
    expect(other?.route).toBeUndefined();
    for (const job of peer.all("JOB")) peer.answer("done", job);
    await set.settle();
    expect(call.value).toBe("done");
  });
});

describe("a runner that speaks of no relays, before one", () => {
  it("is told a loss as an error worth another attempt", async () => {
    await using inner = await stage();
    const { clock, random } = inner;
    const { Switchboard } = await import("./worker/worker-scene.ts");
    const { welcome } = await import("../support/scripted-peer.ts");
    const board = new Switchboard(clock);
    const worker = new Worker({ dial: board, handler: relay(inner.runner), identity: "host", clock, random });
    const peer = await inner.peer({ identity: "a" });
    void worker.start();
    await clock.settle();
    board.call.send(welcome());
    await clock.settle();
    board.job(1);
    await clock.settle();
    peer.close();
    await clock.settle();
    expect(board.call.last("JOBERR")).toMatchObject({ retryable: true, error: { code: "WORKER_LOST" } });
    await inner.settle(worker.stop());
  });
});

describe("slots that have gone", () => {
  it("are told before the jobs that had them: no job is sent for a slot that is no more", async () => {
    await using inner = await stage();
    const { clock, random } = inner;
    const { Switchboard } = await import("./worker/worker-scene.ts");
    const { welcome } = await import("../support/scripted-peer.ts");
    const board = new Switchboard(clock);
    const worker = new Worker({ dial: board, handler: relay(inner.runner), identity: "host", clock, random });
    const peer = await inner.peer({ identity: "a", capacity: 2 });
    void worker.start();
    await clock.settle();
    board.call.send(welcome({ features: 0xc0 }));
    await clock.settle();
    board.job(1);
    await clock.settle();
    peer.close();
    await clock.settle();
    const said = board.call.received.map(({ type }) => type).filter((type) => type !== "HELLO");
    expect(said).toEqual(["CAPACITY", "FAILED"]);
    expect(board.call.last("CAPACITY").capacity).toBe(0);
    expect(board.call.last("FAILED")).toMatchObject({ code: "lost", path: "a" });
    await inner.settle(worker.stop());
  });

  it("are told before the jobs that had them when a relay of the fleet tells so", async () => {
    await using inner = await stage();
    const { clock, random } = inner;
    const { Switchboard } = await import("./worker/worker-scene.ts");
    const { welcome } = await import("../support/scripted-peer.ts");
    const board = new Switchboard(clock);
    const worker = new Worker({ dial: board, handler: relay(inner.runner), identity: "host", clock, random });
    const peer = await inner.peer({ identity: "a", capacity: 2, isRelay: true, features: 0xc0 });
    void worker.start();
    await clock.settle();
    board.call.send(welcome({ features: 0xc0 }));
    await clock.settle();
    board.job(1);
    await clock.settle();
    const { attemptId } = peer.last("JOB");
    const failed = { type: "FAILED", attemptId, code: "lost", path: "b", text: "gone" } as const;
    peer.send({ type: "CAPACITY", capacity: 1, labels: [] }, { ...failed, limit: 0, queued: 0, queuedBytes: 0 });
    await clock.settle();
    const said = board.call.received.map(({ type }) => type).filter((type) => type !== "HELLO");
    expect(said).toEqual(["CAPACITY", "FAILED"]);
    expect(board.call.last("FAILED")).toMatchObject({ code: "lost", path: "a/b" });
    await inner.settle(worker.stop());
  });
});

describe("a job that moves within the fleet", () => {
  it("counts as returned there, and as no retry", async () => {
    await using set = await chain(1);
    const first = await set.inner.peer({ identity: "a" });
    await set.settle();
    const call = await set.outer.execute("x");
    await set.settle();
    const second = await set.inner.peer({ identity: "b" });
    first.send({ type: "REJECT", attemptId: first.last("JOB").attemptId, reason: "overloaded" });
    await set.settle();
    for (const peer of [first, second]) if (peer.jobs.length > (peer === first ? 1 : 0)) peer.answer("y");
    await set.settle();
    expect(call.value).toBe("y");
    expect(set.inner.runner.stats()).toMatchObject({ returned: 1, retries: 0 });
    expect(set.outer.runner.stats()).toMatchObject({ returned: 0, retries: 0 });
  });
});

describe("a relay whose lost session still has a slot of its fleet", () => {
  async function lost(workers: number) {
    const inner = await stage();
    const { clock, random } = inner;
    const { Switchboard } = await import("./worker/worker-scene.ts");
    const { welcome } = await import("../support/scripted-peer.ts");
    const board = new Switchboard(clock);
    const gate = { isOpen: Promise.resolve() };
    const dial: Dialer = { dial: (signal, limits) => gate.isOpen.then(() => board.dial(signal, limits)) };
    const worker = new Worker({ dial, handler: relay(inner.runner), identity: "host", clock, random });
    const peers = [];
    for (let i = 0; i < workers; i++) peers.push(await inner.peer({ identity: `p${i}` }));
    void worker.start();
    await clock.settle();
    board.call.send(welcome({ features: 0xc0 }));
    await clock.settle();
    board.job(1);
    await clock.settle();
    board.call.close();
    await clock.settle();
    return { inner, board, worker, peers, gate, before: board.calls.length };
  }

  it("comes back as soon as its fleet has another one", async () => {
    const { inner, board, worker, before } = await lost(1);
    await using _inner = inner;
    await inner.clock.advance(500);
    expect(board.calls.length).toBe(before);
    await inner.peer({ identity: "another" });
    await inner.clock.settle();
    expect(board.calls.length).toBe(before + 1);
    await inner.settle(worker.stop());
  });

  it("comes back when the fleet's other slots go while it dials", async () => {
    const { inner, board, worker, peers, gate, before } = await lost(2);
    await using _inner = inner;
    let open = (): void => undefined;
    gate.isOpen = new Promise((resolve) => (open = resolve));
    await inner.clock.advance(500);
    peers[1]?.close();
    await inner.clock.settle();
    open();
    await inner.clock.settle();
    expect(board.calls.length).toBe(before + 1);
    const [busy] = peers;
    busy?.send({ type: "CANCELLED", attemptId: 1 });
    await inner.clock.settle();
    expect(board.calls.length).toBe(before + 2);
    await inner.settle(worker.stop());
  });
});

describe("the last worker of a fleet", () => {
  it.each(["leaves", "is suspect"])(
    "is told as a slot that has gone before its jobs are handed back when it %s",
    async (how) => {
      await using inner = await stage({ heartbeat: 1_000 });
      const { clock, random } = inner;
      const { Switchboard } = await import("./worker/worker-scene.ts");
      const { welcome } = await import("../support/scripted-peer.ts");
      const board = new Switchboard(clock);
      const worker = new Worker({ dial: board, handler: relay(inner.runner), identity: "host", clock, random });
      const peer = await inner.peer({ identity: "a" });
      await inner.execute("of the fleet's own runner");
      void worker.start();
      await clock.settle();
      board.call.send(welcome({ features: 0xc0, heartbeat: 60_000 }));
      await clock.settle();
      board.job(1);
      await clock.settle();
      if (how === "leaves") peer.send({ type: "REMOVE" });
      else await clock.advance(2_001);
      await clock.settle();
      const said = board.call.received.map(({ type }) => type).filter((type) => type !== "HELLO");
      expect(said).toEqual(["CAPACITY", "REJECT"]);
      expect(board.call.last("CAPACITY").capacity).toBe(0);
      await inner.settle(worker.stop());
    },
  );
});

describe("a job that waits at the relay for a slot", () => {
  it("has the less of its deadline left", async () => {
    await using inner = await stage();
    const { clock, random } = inner;
    const { Switchboard } = await import("./worker/worker-scene.ts");
    const { welcome } = await import("../support/scripted-peer.ts");
    const board = new Switchboard(clock);
    const worker = new Worker({ dial: board, handler: relay(inner.runner), identity: "host", clock, random });
    const peer = await inner.peer({ identity: "a", features: 0x40 });
    void worker.start();
    await clock.settle();
    board.call.send(welcome({ features: 0xc0 }));
    await clock.settle();
    const route = { origin: "r", deadline: 1_000, priority: 0, labels: [], avoid: [] };
    board.job(1, "x", { route });
    board.job(2, "x", { route, ttl: 500 });
    await clock.advance(300);
    peer.answer("y");
    await clock.settle();
    expect(peer.last("JOB")).toMatchObject({ ttl: 500, route: { deadline: 700 } });
    await inner.settle(worker.stop());
  });
});
