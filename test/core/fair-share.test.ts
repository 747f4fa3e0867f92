/** Several runners at one worker that listens: its slots are shared fairly, and what waits for one is known to wait. */
import { describe, expect, it } from "vitest";
import { AbortError, TimeoutError } from "../../src/core/errors.ts";
import { relay } from "../../src/core/relay.ts";
import type { ExecuteOptions } from "../../src/core/job/execute-options.ts";
import { JobRunner } from "../../src/core/runner/runner.ts";
import type { RunnerOptions } from "../../src/core/runner/runner-options.ts";
import type { Dialer } from "../../src/core/transport/listener.ts";
import { Worker } from "../../src/core/worker/worker.ts";
import type { WorkerOptions } from "../../src/core/worker/worker-options.ts";
import { SeededRandom } from "../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../src/testing/time/virtual-clock.ts";
import { MemoryTransport } from "../../src/transports/memory.ts";
import { Puppet, watch, type Watched } from "../support/stage.ts";

/** Workers that listen, and runners that dial some of them. */
class Hall {
  readonly clock = new VirtualClock();
  readonly random = new SeededRandom(5);
  readonly workers: Worker[] = [];
  readonly runners: JobRunner[] = [];

  async listen(options: Partial<WorkerOptions>): Promise<MemoryTransport> {
    const front = new MemoryTransport({ clock: this.clock });
    const { clock, random } = this;
    const worker = new Worker({
      listen: front,
      handler: (job) => job.data,
      blocking: false,
      clock,
      random,
      ...options,
    });
    this.workers.push(worker);
    await this.settle(worker.start());
    return front;
  }

  async runner(dial: Dialer | readonly Dialer[], options: RunnerOptions = {}): Promise<JobRunner> {
    const { clock, random } = this;
    const runner = new JobRunner({ dial, clock, random, ...options });
    this.runners.push(runner);
    await this.settle(runner.start());
    await this.settle(clock.advance(1));
    return runner;
  }

  async settle<T>(promise: Promise<T>): Promise<T> {
    await this.clock.settle();
    return promise;
  }

  async execute(runner: JobRunner | undefined, data: string, options?: ExecuteOptions): Promise<Watched<unknown>> {
    if (runner === undefined) throw new Error("no such runner");
    const call = watch<unknown>(runner.execute(data, options));
    await this.clock.settle();
    return call;
  }

  /** A handler that takes so many ms. */
  takes(ms: number): () => Promise<string> {
    return () => new Promise((end) => void this.clock.set(ms, () => end("")));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stops = [...this.runners, ...this.workers].map((each) => each.stop());
    await this.clock.settle();
    await Promise.all(stops);
    for (const runner of this.runners) expect(runner.stats()).toMatchObject({ pending: 0, running: 0, prefetched: 0 });
    for (const worker of this.workers) await this.clock.advance(worker.running > 0 ? 60_000 : 0);
    expect(this.clock.pending, "timers left").toBe(0);
  }
}

/** So many callers of a runner, each of which has its next job run as soon as the last one is done. */
class Callers {
  readonly waits: number[] = [];
  isOver = false;
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock, runner: JobRunner, callers: number) {
    this.#clock = clock;
    for (let n = 0; n < callers; n++) void this.#loop(runner);
  }

  get done(): number {
    return this.waits.length;
  }

  async #loop(runner: JobRunner): Promise<void> {
    while (!this.isOver) {
      const from = this.#clock.now();
      await runner.execute("x");
      this.waits.push(this.#clock.now() - from);
    }
  }
}

/** How many jobs of each runner were done, in `ms` of equal demand. */
async function compete(hall: Hall, runners: readonly JobRunner[], callers: number, ms: number): Promise<Callers[]> {
  const all = runners.map((runner) => new Callers(hall.clock, runner, callers));
  await hall.clock.advance(ms);
  for (const each of all) each.isOver = true;
  const counts = all.map(({ done }) => done);
  await hall.clock.advance(60_000);
  expect(Math.max(...counts), counts.join(" : ")).toBeLessThanOrEqual(1.2 * Math.min(...counts));
  for (const runner of runners)
    expect(runner.stats(), "refusals are no retries").toMatchObject({ retries: 0, returned: 0 });
  return all;
}

describe("several runners at one worker", () => {
  it.each([
    [1, 2],
    [2, 2],
    [3, 2],
    [8, 2],
    [2, 3],
    [1, 5],
    [16, 5],
  ])(
    "have equal shares of its slots (%d), %d runners of equal demand, and wait no longer than that explains",
    async (capacity, count) => {
      await using hall = new Hall();
      const front = await hall.listen({ capacity, handler: hall.takes(20) });
      const runners: JobRunner[] = [];
      for (let n = 0; n < count; n++) runners.push(await hall.runner(front));
      const callers = 6 * Math.ceil(capacity / 2);
      const all = await compete(hall, runners, callers, 3_000);
      const total = all.reduce((sum, { done }) => sum + done, 0);
      expect(total, "no slot stays free").toBeGreaterThan((capacity * 3_000) / 20);
      // A job waits for those before it: its own runner's, and as many of each other one.
      const fair = (20 * count * callers) / capacity;
      for (const { waits } of all) expect(Math.max(...waits)).toBeLessThanOrEqual(fair + 2 * 20);
    },
  );

  it("lets the one that has work have all slots while the other has none", async () => {
    await using hall = new Hall();
    const front = await hall.listen({ capacity: 2, handler: hall.takes(20) });
    const [busy, idle] = [await hall.runner(front), await hall.runner(front)];
    const callers = new Callers(hall.clock, busy, 6);
    await hall.clock.advance(1_000);
    expect(callers.done).toBe(2 * (1_000 / 20));
    const call = await hall.execute(idle, "now and then");
    await hall.clock.advance(40);
    expect(call.state, "the next slot that is free is its").toBe("ok");
    await hall.clock.advance(1_000 - 40);
    callers.isOver = true;
    expect(callers.done).toBeGreaterThanOrEqual(2 * (2_000 / 20) - 3);
    await hall.clock.advance(1_000);
  });

  it("have equal shares of a fleet behind a relay", async () => {
    await using hall = new Hall();
    const inside = await hall.listen({ capacity: 3, handler: hall.takes(20) });
    const broker = await hall.runner(inside);
    const front = await hall.listen({ handler: relay(broker), capacity: 100 });
    const runners = [await hall.runner(front), await hall.runner(front)];
    await compete(hall, runners, 6, 3_000);
  });
});

/** A worker of one slot that a first runner's job has, a second runner, and a puppet that ends jobs. */
async function contended(hall: Hall) {
  const puppet = new Puppet();
  const front = await hall.listen({ identity: "shared", capacity: 1, handler: puppet.handler });
  const first = await hall.runner(front);
  await hall.execute(first, "first", { timeout: 600_000 });
  return { puppet, front, first, begun: (): unknown[] => puppet.runs.map(({ data }) => data) };
}

describe("a job that waits at a worker for a slot of another runner's", () => {
  it("counts as waiting, and its timeout runs from when it begins", async () => {
    await using hall = new Hall();
    const { puppet, front, begun } = await contended(hall);
    const second = await hall.runner(front);
    const call = await hall.execute(second, "second", { timeout: 1_000, attempts: 1 });
    expect(second.stats()).toMatchObject({
      running: 0,
      prefetched: 1,
      workers: [{ inFlight: 0, waiting: 1, capacity: 1 }],
    });
    await hall.clock.advance(20_000);
    expect(call.state).toBe("pending");
    puppet.runs[0]?.end("");
    await hall.clock.settle();
    expect(begun()).toEqual(["first", "second"]);
    expect(second.stats()).toMatchObject({ running: 1, prefetched: 0 });
    await hall.clock.advance(999);
    expect(call.state).toBe("pending");
    await hall.clock.advance(1);
    expect(puppet.runs[1]?.signal.aborted).toBe(true);
    puppet.runs[1]?.end("");
    await hall.clock.settle();
    expect(call.error).toMatchObject({ kind: "attempt", ms: 1_000, attempts: [{ outcome: "timeout", ms: 1_000 }] });
  });

  it("keeps to its queueTimeout, and never begins after that", async () => {
    await using hall = new Hall();
    const { puppet, front, begun } = await contended(hall);
    const second = await hall.runner(front);
    const call = await hall.execute(second, "second", { queueTimeout: 3_000 });
    await hall.clock.advance(3_000);
    expect(call.error).toBeInstanceOf(TimeoutError);
    expect(call.error).toMatchObject({ kind: "queue", ms: 3_000, attempts: [] });
    puppet.runs[0]?.end("");
    await hall.clock.settle();
    expect(begun()).toEqual(["first"]);
  });

  it("is gone at once when its caller gives it up", async () => {
    await using hall = new Hall();
    const { puppet, front, begun } = await contended(hall);
    const second = await hall.runner(front);
    const control = new AbortController();
    const call = await hall.execute(second, "second", { signal: control.signal });
    control.abort(new AbortError("not now", "cancelled"));
    await hall.clock.settle();
    expect(String(call.error)).toContain("not now");
    expect(second.stats()).toMatchObject({ pending: 0, workers: [{ inFlight: 0, waiting: 0 }] });
    puppet.runs[0]?.end("");
    await hall.clock.settle();
    expect(begun()).toEqual(["first"]);
    const next = await hall.execute(second, "third");
    puppet.runs[1]?.end("done");
    await hall.clock.settle();
    expect([begun(), next.value]).toEqual([["first", "third"], "done"]);
  });

  it("moves to another worker as soon as one has a slot for it", async () => {
    await using hall = new Hall();
    const { puppet, front, begun } = await contended(hall);
    const other = new Puppet();
    const elsewhere = await hall.listen({ identity: "other", capacity: 1, handler: other.handler });
    const second = await hall.runner([front, elsewhere]);
    const calls = [await hall.execute(second, "a"), await hall.execute(second, "b")];
    await hall.clock.advance(1);
    expect([begun(), other.runs.map(({ data }) => data)]).toEqual([["first"], [expect.any(String)]]);
    other.runs[0]?.end("1");
    await hall.clock.advance(1);
    expect(other.runs).toHaveLength(2);
    other.runs[1]?.end("2");
    await hall.clock.settle();
    expect(calls.map(({ state }) => state)).toEqual(["ok", "ok"]);
    expect(begun()).toEqual(["first"]);
    expect(second.stats()).toMatchObject({ retries: 0 });
    puppet.runs[0]?.end("");
  });

  it("goes elsewhere when the worker leaves, and has not been tried", async () => {
    await using hall = new Hall();
    const { puppet, front } = await contended(hall);
    const second = await hall.runner(front);
    const call = await hall.execute(second, "second", { attempts: 1 });
    const [shared] = hall.workers;
    const drained = shared?.drain();
    await hall.clock.settle();
    expect(second.stats()).toMatchObject({ queued: 1, prefetched: 0, retries: 0 });
    puppet.runs[0]?.end("");
    await hall.clock.settle();
    await drained;
    expect(call.state).toBe("pending");
  });

  it("is not overtaken: a runner whose turn is longest ago comes first", async () => {
    await using hall = new Hall();
    const { puppet, front, first, begun } = await contended(hall);
    const [second, third] = [await hall.runner(front), await hall.runner(front)];
    for (const data of ["first 2", "first 3"]) await hall.execute(first, data);
    for (const data of ["third 1", "third 2"]) await hall.execute(third, data);
    for (const data of ["second 1", "second 2"]) await hall.execute(second, data);
    for (let n = 0; n < 7; n++) {
      puppet.runs[n]?.end("");
      await hall.clock.settle();
    }
    expect(begun()).toEqual(["first", "second 1", "third 1", "first 2", "second 2", "third 2", "first 3"]);
  });
});
