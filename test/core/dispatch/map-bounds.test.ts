/** What one `map` holds, in bytes: inputs, outcomes that nobody has read, and what the jobs under way will result in. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SubmittedJob } from "../../../src/core/dispatch/call-context.ts";
import { Job } from "../../../src/core/job/job.ts";
import {
  MAP_DEFAULTS,
  type JobSubmitter,
  type MapInput,
  mapJobs,
  type Outcome,
} from "../../../src/core/dispatch/map.ts";
import type { Payload } from "../../../src/core/peer.ts";
import type { Handler } from "../../../src/core/worker/execution.ts";
import { simulate } from "../../../src/testing/index.ts";
import { Puppet, type Stage, stage, watch } from "../../support/stage.ts";

const KIB = 1_024;

/** A runner whose jobs end when the test says so, and hold what it says. */
class Desk implements JobSubmitter {
  readonly underWay: { readonly index: number; readonly settled: (call: SubmittedJob) => void }[] = [];
  submitted = 0;
  slots = 4;

  capacity(): number {
    return this.slots;
  }

  inContext<R>(fn: () => R): R {
    return fn();
  }

  hasRoom(): boolean {
    return true;
  }

  whenRoom(): () => void {
    throw new Error("there is always room");
  }

  submit(_job: MapInput, _options: unknown, settled: (call: SubmittedJob) => void): SubmittedJob {
    this.underWay.push({ index: this.submitted++, settled });
    return settledWith("");
  }

  /** Ends the job at that place among those under way. Returns its number. */
  end(place: number, value: Payload): number {
    const [job] = this.underWay.splice(place % this.underWay.length, 1);
    if (job === undefined) throw new Error("nothing runs");
    job.settled(settledWith(value));
    return job.index;
  }
}

/** A call that has settled. */
function settledWith(value: Payload): SubmittedJob {
  const links = { elder: undefined, younger: undefined };
  const facts = {
    id: 1,
    createdAt: 0,
    ok: true,
    error: undefined,
    jobId: "r:1",
    job: undefined,
    labels: [],
    lastWorker: undefined,
    attemptsMade: 1,
    attempts: [],
    bytes: 0,
  };
  return { ...facts, ...links, value, start: () => undefined, stop: () => undefined };
}

/** Counts up, and how far it got. */
class Source implements Iterable<Uint8Array> {
  pulled = 0;
  readonly #sizes: (index: number) => number;

  constructor(sizes: (index: number) => number) {
    this.#sizes = sizes;
  }

  [Symbol.iterator](): Iterator<Uint8Array> {
    return { next: () => ({ done: false, value: new Uint8Array(this.#sizes(this.pulled++)) }) };
  }
}

async function turn(): Promise<void> {
  for (let i = 0; i < 5; i++) await null;
}

describe("the window in bytes", () => {
  it("is 64 MiB, and refuses what is no limit", async () => {
    expect(MAP_DEFAULTS).toEqual({ ordered: true, windowBytes: 64 * KIB * KIB });
    await using set = await stage();
    for (const windowBytes of [0, -1, 1.5, Number.NaN])
      await expect(set.runner.map([], { windowBytes }).next()).rejects.toThrow(RangeError);
    expect(await set.runner.map([], { windowBytes: Number.POSITIVE_INFINITY }).next()).toMatchObject({ done: true });
  });

  it.each([true, false])("bounds results that nobody reads, ordered: %s", async (ordered) => {
    const desk = new Desk();
    const source = new Source(() => 0);
    const results = mapJobs(source, { windowBytes: 64 * KIB, ordered }, desk);
    const first = results.next();
    await turn();
    // Nothing is known yet of how large results are.
    expect(desk.underWay).toHaveLength(16);
    let ended = 0;
    while (desk.underWay.length > 0) {
      desk.end(0, new Uint8Array(KIB));
      ended++;
      await turn();
    }
    expect(await first).toMatchObject({ value: { ok: true } });
    // One was read; 1 KiB and some bytes each.
    expect(ended - 1).toBeGreaterThan(55);
    expect(ended - 1).toBeLessThanOrEqual(64);
    for (let i = 0; i < 30; i++) await results.next();
    expect(desk.underWay.length).toBeGreaterThan(0);
    await results.return();
  });

  it("counts what runs by the largest of the recent results", async () => {
    const desk = new Desk();
    desk.slots = 100;
    const results = mapJobs(new Source(() => 0), { windowBytes: 100 * KIB }, desk);
    const first = results.next();
    await turn();
    expect(desk.underWay).toHaveLength(200);
    for (let i = 0; i < 195; i++) desk.end(0, new Uint8Array(10 * KIB));
    await first;
    for (let i = 1; i < 195; i++) await results.next();
    // All that was admitted may end; ten of that size fit, and no more are under way from now on.
    expect(desk.underWay.length).toBeGreaterThanOrEqual(5);
    expect(desk.underWay.length).toBeLessThanOrEqual(10);
    await results.return();
  });

  it("counts inputs, also those that wait to be run", async () => {
    const desk = new Desk();
    const source = new Source(() => 10 * KIB);
    const results = mapJobs(source, { windowBytes: 50 * KIB }, desk);
    void results.next();
    await turn();
    expect(desk.underWay).toHaveLength(4);
    // One more is at hand: how large it is was not known before it came.
    expect(source.pulled).toBe(5);
    await finish(results, desk);
  });

  it("takes an item that is larger than all of it alone", async () => {
    const desk = new Desk();
    const results = mapJobs(new Source(() => 10 * KIB), { windowBytes: KIB }, desk);
    for (let i = 0; i < 5; i++) {
      const next = results.next();
      await turn();
      expect(desk.underWay).toHaveLength(1);
      desk.end(0, new Uint8Array(50 * KIB));
      expect(await next).toMatchObject({ value: { index: i } });
    }
    await finish(results, desk);
  });

  it("counts the text of errors", async () => {
    await using set = await stage();
    await set.worker(() => Promise.reject(new Error("x".repeat(4 * KIB))));
    let pulled = 0;
    const results = set.runner.map(endless(), { windowBytes: 100 * KIB, attempts: 1 });
    const first = watch(results.next());
    await set.clock.settle();
    expect(first.value).toMatchObject({ value: { ok: false, error: { code: "EXECUTION" } } });
    // 8 KiB for the error's own text, and as much for that of the handler.
    expect(pulled).toBeLessThanOrEqual(16);
    await set.settle(results.return());

    function* endless(): Generator<string> {
      for (;;) yield String(pulled++);
    }
  });

  it("is given back whatever the caller does to the bytes he gave", async () => {
    const desk = new Desk();
    const data = Array.from({ length: 40 }, () => new Uint8Array(10 * KIB));
    const results = mapJobs(data, { windowBytes: 50 * KIB }, desk);
    for (let i = 0; i < data.length; i++) {
      const next = results.next();
      await turn();
      for (const { buffer } of data.slice(i, i + 4))
        if (!buffer.detached) structuredClone(buffer, { transfer: [buffer] });
      desk.end(0, "");
      expect(await next).toMatchObject({ value: { index: i } });
    }
    expect(await results.next()).toMatchObject({ done: true });
  });

  it("holds at most the window and what was under way, and always goes on: any sizes, any order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.integer({ min: 1, max: 5_000 }),
        fc.array(fc.record({ input: fc.nat({ max: 2_000 }), result: fc.nat({ max: 8_000 }), place: fc.nat() }), {
          minLength: 1,
          maxLength: 60,
        }),
        async (ordered, windowBytes, items) => {
          const desk = new Desk();
          const inputs = items.map(({ input }) => new Uint8Array(input));
          const results = mapJobs(inputs, { windowBytes, ordered }, desk);
          const order: number[] = [];
          const largest = Math.max(...items.map(({ input, result }) => input + result + 100));
          const ended = new Set<number>();
          for (const { place } of items) {
            const next = watch(results.next());
            for (let ends = 0; ; ends++) {
              await turn();
              const held = [...ended].filter((index) => !order.includes(index));
              const bytes = held.reduce((sum, i) => sum + (items[i]?.result ?? 0) + (items[i]?.input ?? 0), 0);
              const underWay = desk.underWay.reduce((sum, { index }) => sum + (items[index]?.input ?? 0), 0);
              expect(bytes + underWay).toBeLessThanOrEqual(windowBytes + 16 * largest);
              if (next.state !== "pending") break;
              // Nobody waits for what does not come: a job is under way, unless the next outcome is there.
              expect(desk.underWay.length).toBeGreaterThan(0);
              const at = place + ends;
              const { index = 0 } = desk.underWay[at % desk.underWay.length] ?? {};
              ended.add(desk.end(at, new Uint8Array(items[index]?.result ?? 0)));
            }
            order.push(outcomeOf(next.value).index);
          }
          expect(await results.next()).toMatchObject({ done: true });
          const all = items.map((_, index) => index);
          expect(ordered ? order : order.toSorted((a, b) => a - b)).toEqual(all);
        },
      ),
      { numRuns: 100 },
    );
  });
});

function outcomeOf<T>(result: IteratorResult<Outcome<T>, void> | undefined): Outcome<T> {
  if (result?.value === undefined) throw new Error("no outcome");
  return result.value;
}

/** Ends a map that nobody reads to its end. */
async function finish(results: AsyncGenerator, desk: Desk): Promise<void> {
  const left = results.return(undefined);
  while (desk.underWay.length > 0) desk.end(0, "");
  await left;
}

describe("a first input that fails twice and is the last to finish, while the window is full", () => {
  const inputs = Array.from({ length: 40 }, (_, index) => String(index));

  /** A worker whose results are 4 KiB in a window of 40 KiB. The first job fails twice, and then ends when it is told to. */
  async function begin(set: Stage, tries: string[]): Promise<Puppet> {
    const puppet = new Puppet();
    const handler: Handler = (job, context) => {
      const name = String(job.data);
      tries.push(name);
      if (name !== "0") return "x".repeat(2 * KIB);
      if (context.attempt < 3) throw Object.assign(new Error("not now"), { retryable: true, retryAfter: 1_000 });
      return puppet.handler(job, context);
    };
    await set.worker(handler, { capacity: 4 });
    return puppet;
  }

  it("is read first, and all that follows in order", async () => {
    await using set = await stage({ prefetch: 0 });
    const tries: string[] = [];
    const puppet = await begin(set, tries);
    const read: string[] = [];
    const reader = async (): Promise<void> => {
      for await (const { input } of set.runner.map(inputs, { windowBytes: 40 * KIB })) read.push(input);
    };
    const done = watch(reader());
    await set.clock.advance(2_500);
    expect(tries.filter((name) => name === "0")).toHaveLength(3);
    const begun = tries.length;
    expect(begun).toBeLessThan(3 + 20);
    await set.clock.advance(5_000);
    expect(tries, "the window is full").toHaveLength(begun);
    expect(read).toEqual([]);
    puppet.runs[0]?.end("at last");
    for (let i = 0; i < 50; i++) await set.clock.settle();
    expect(done.state).toBe("ok");
    expect(read).toEqual(inputs);
  });

  it("does not hold up the others when the order does not matter", async () => {
    await using set = await stage({ prefetch: 0 });
    const tries: string[] = [];
    const puppet = await begin(set, tries);
    const results = set.runner.map(inputs, { windowBytes: 40 * KIB, ordered: false });
    const read: string[] = [];
    const readOn = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const next = watch(results.next());
        for (let turns = 0; turns < 10 && next.state === "pending"; turns++) await set.clock.settle();
        read.push(outcomeOf(next.value).input);
      }
    };
    await readOn(1);
    await set.clock.advance(2_500);
    expect(tries.filter((name) => name === "0")).toHaveLength(3);
    expect(tries.length, "the window is full").toBeLessThan(3 + 20);
    await readOn(38);
    puppet.runs[0]?.end("at last");
    await set.clock.settle();
    await readOn(1);
    expect(read.at(-1)).toBe("0");
    expect(read.toSorted((a, b) => Number(a) - Number(b))).toEqual(inputs);
    expect(await results.next()).toMatchObject({ done: true });
  });
});

describe("a runner whose queue is full", () => {
  it("has room for a map of any length: it waits, and no job of it is refused", async () => {
    await using set = await stage({ maxQueue: 1, prefetch: 0 });
    await set.worker((job) => job.data);
    const read: string[] = [];
    const reader = async (): Promise<void> => {
      for await (const { ok, input } of set.runner.map(Array.from({ length: 50 }, (_, i) => String(i))))
        read.push(ok ? input : `${input}!`);
    };
    const done = watch(reader());
    for (let i = 0; i < 60; i++) await set.clock.settle();
    expect(done.state).toBe("ok");
    expect(read).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
  });

  it("is waited for in bytes, and when it is full of other callers' jobs", async () => {
    await using set = await stage({ maxQueueBytes: 2 * KIB, prefetch: 0 });
    const peer = await set.peer();
    const others = [await set.execute("runs"), await set.execute(new Uint8Array(2 * KIB - 100))];
    const results = set.runner.map([new Job(new Uint8Array(KIB))]);
    const next = watch(results.next());
    await set.clock.settle();
    expect(set.runner.stats()).toMatchObject({ submitted: 2 });
    peer.answer("");
    await set.clock.settle();
    // The second one runs, and there is room.
    expect(set.runner.stats()).toMatchObject({ submitted: 3, running: 1, queued: 1 });
    peer.answer("");
    await set.clock.settle();
    peer.answer("mine");
    await set.clock.settle();
    expect(next.value).toMatchObject({ value: { ok: true, value: "mine" } });
    expect(others.map(({ state }) => state)).toEqual(["ok", "ok"]);
    expect(await results.next()).toMatchObject({ done: true });
  });

  it("is not waited for once the runner has stopped, or crashed", async () => {
    for (const end of ["stop", "crash"] as const)
      await simulate({ seeds: 3 }, async (sim) => {
        const runner = sim.runner({ maxQueue: 1 });
        sim.worker("w", (_job, { signal }) => sim.forever(signal));
        const others = [runner.execute("runs"), runner.execute("waits")].map((call) => watch(call));
        await sim.sleep(1_000);
        const first = watch(runner.map(["a"]).next());
        await sim.sleep(1_000);
        expect([first.state, runner.stats().submitted]).toEqual(["pending", 2]);
        void runner[end]();
        await sim.sleep(1);
        expect([first, ...others].map(({ state }) => state)).toEqual(["ok", "failed", "failed"]);
        expect(first.value).toMatchObject({ value: { ok: false, error: { code: "RUNNER_STOPPED" } } });
      });
  });

  it("is not waited for by a map that nobody reads any more", async () => {
    await using set = await stage({ maxQueue: 1, prefetch: 0 });
    const peer = await set.peer();
    const results = set.runner.map(["a", "b", "c", "d", "e"]);
    const first = watch(results.next());
    await set.clock.settle();
    expect(set.runner.stats()).toMatchObject({ submitted: 2, running: 1, queued: 1 });
    peer.answer("");
    await set.clock.settle();
    expect(first.value).toMatchObject({ value: { input: "a" } });
    expect(set.runner.stats()).toMatchObject({ submitted: 3, running: 1, queued: 1 });
    // It ends what it has submitted, which makes room.
    await set.settle(results.return());
    expect(set.runner.stats()).toMatchObject({ submitted: 3, queued: 0 });
  });
});
