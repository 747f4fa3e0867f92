/** What a run holds in memory: bytes are counted as they are handed over, against one budget. */
import { expect, test } from "vitest";
import { InputLine } from "../../../src/cli/run/input.ts";
import { JobPipeline, type PipelineRunner, type PipelineSource, type Settled } from "../../../src/cli/run/pipeline.ts";
import { ByteBudget } from "../../../src/core/job/byte-budget.ts";
import { ExecutionError } from "../../../src/core/errors.ts";
import type { JobRunner } from "../../../src/core/runner/runner.ts";
import type { Handler } from "../../../src/core/worker/execution.ts";
import { stage } from "../../support/stage.ts";

const MIB = 1_048_576;
const BUDGET = 64 * MIB;

/** Lines without an end, all of one length. */
class Endless implements PipelineSource {
  taken = 0;
  readonly #max: number;
  readonly #length: number;

  constructor(length: number, max: number = Number.POSITIVE_INFINITY) {
    this.#length = length;
    this.#max = max;
  }

  next(): InputLine | undefined {
    if (this.taken >= this.#max) return undefined;
    const index = this.taken++;
    return new InputLine(index, "-", index + 1, `${index}`.padEnd(this.#length), undefined);
  }

  more(): Promise<boolean> {
    return Promise.resolve(this.taken < this.#max);
  }

  stop(): void {}
}

/** Threads whose jobs end when the test says so. */
class Fleet implements PipelineRunner {
  isReady(): boolean {
    return true;
  }

  readonly waiting: ((call: Settled) => void)[] = [];
  mostInFlight = 0;
  readonly #slots: number;
  readonly #prefetch: number;

  constructor(slots: number, prefetch: number) {
    this.#slots = slots;
    this.#prefetch = prefetch;
  }

  capacity(): number {
    return this.#slots + this.#prefetch;
  }

  slots(): number {
    return this.#slots;
  }

  unused(): number {
    return 0;
  }

  submit(_line: InputLine, settled: (call: Settled) => void): undefined {
    this.waiting.push(settled);
    this.mostInFlight = Math.max(this.mostInFlight, this.waiting.length);
  }

  /** Ends all jobs but the oldest so many, latest first. */
  end(call: Settled, kept: number = 0): void {
    for (const settled of this.waiting.splice(kept).toReversed()) settled(call);
  }
}

interface Rig {
  readonly pipeline: JobPipeline;
  readonly budget: ByteBudget;
  /** Fetches outcomes until none is due; tells their indexes. */
  readonly fetch: () => number[];
}

function rig(source: PipelineSource, runner: PipelineRunner, ordered: boolean = true, limit: number = BUDGET): Rig {
  const budget = new ByteBudget(limit);
  const owner = { onOutcomes: () => undefined, onJobFailed: () => undefined };
  const pipeline = new JobPipeline(source, runner, owner, budget, ordered);
  void pipeline.run();
  const fetch = (): number[] => {
    const indexes: number[] = [];
    for (let line = pipeline.shift(); line !== undefined; line = pipeline.shift()) indexes.push(line.index);
    pipeline.pull();
    return indexes;
  };
  return { pipeline, budget, fetch };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

/** Ends jobs until no more are begun, though nothing is fetched. Tells how many outcomes wait. */
async function fill(fleet: Fleet, call: Settled, kept: number = 0): Promise<number> {
  let ended = 0;
  for (await settle(); fleet.waiting.length > kept; await settle()) {
    ended += fleet.waiting.length - kept;
    fleet.end(call, kept);
  }
  return ended;
}

/** As V8 may keep it: two bytes a character. */
const megabyte: Settled = { value: "y".repeat(MIB / 2), error: undefined, attempts: [] };
const small: Settled = { value: "y", error: undefined, attempts: [] };

/** A failure as a runner tells it, with a message of 8 KiB and what was tried. */
function failure(): Settled {
  const error = new ExecutionError({ name: "Error", message: "z".repeat(8_192), code: "", stack: "" });
  return { value: undefined, error, attempts: [{ identity: "thread-1", outcome: "error", ms: 1 }] };
}

test.each([2, 8, 16])(
  "%i threads and a reader that does not read: results of 1 MiB stay within the budget",
  async (slots) => {
    for (const ordered of [true, false]) {
      const fleet = new Fleet(slots, 128 * slots);
      const lines = new Endless(10);
      const { pipeline, budget, fetch } = rig(lines, fleet, ordered);
      // The first ones teach the size: until then as many are under way as there is room for in number.
      await settle();
      fleet.end(megabyte);
      fetch();
      await settle();
      fleet.mostInFlight = fleet.waiting.length;
      const waiting = await fill(fleet, megabyte);
      expect(waiting * MIB, "held").toBeLessThanOrEqual(BUDGET);
      expect(waiting * MIB, "used").toBeGreaterThan(BUDGET / 2);
      expect(budget.held).toBeLessThanOrEqual(BUDGET);
      expect(fleet.mostInFlight, "none is prefetched").toBeLessThanOrEqual(slots);
      // And again, as some are fetched.
      for (let i = 0; i < 5; i++) {
        fetch();
        const more = await fill(fleet, megabyte);
        expect(more * MIB).toBeLessThanOrEqual(BUDGET);
        expect(more * MIB).toBeGreaterThan(BUDGET / 2);
      }
      pipeline.stop();
    }
  },
);

test.each([2, 8, 16])(
  "%i threads: small results are prefetched, and large ones that come of a sudden add one a job",
  async (slots) => {
    const fleet = new Fleet(slots, 128 * slots);
    const { pipeline, budget, fetch } = rig(new Endless(10), fleet);
    for (let i = 0; i < 10; i++) {
      await settle();
      expect(fleet.waiting.length).toBe(129 * slots);
      fleet.end(small);
      fetch();
    }
    await settle();
    const inFlight = fleet.waiting.length;
    await fill(fleet, megabyte);
    // Nothing is begun once the first of them is known.
    expect(budget.held).toBeLessThanOrEqual(BUDGET + inFlight * MIB);
    expect(fleet.waiting).toEqual([]);
    fetch();
    await settle();
    expect(fleet.waiting.length).toBeLessThanOrEqual(slots);
    pipeline.stop();
  },
);

test("small results switch prefetching on again", async () => {
  const fleet = new Fleet(2, 256);
  const { pipeline, fetch } = rig(new Endless(10), fleet);
  await settle();
  fleet.end(megabyte);
  for (let i = 0; i < 1_000; i++) {
    fetch();
    await settle();
    fleet.end(small);
  }
  fetch();
  await settle();
  expect(fleet.waiting.length).toBe(258);
  pipeline.stop();
});

test("errors of 8 KiB behind a slow first line are counted, and so are their attempts", async () => {
  const lines = new Endless(10);
  const fleet = new Fleet(8, 0);
  const { pipeline, budget, fetch } = rig(lines, fleet);
  const waiting = await fill(fleet, failure(), 1);
  expect(waiting * (8_192 + 4_096)).toBeLessThanOrEqual(BUDGET);
  expect(waiting).toBeGreaterThan(1_000);
  expect(budget.held).toBeLessThanOrEqual(BUDGET);
  fleet.end(small);
  expect(fetch()).toHaveLength(waiting + 1);
  pipeline.stop();

  // Attempts alone: 64 of each job, as many as a runner keeps.
  const tried = new Fleet(8, 0);
  const other = rig(new Endless(10), tried);
  const records = Array.from({ length: 64 }, () => ({ identity: "thread-1", outcome: "lost" as const, ms: 1 }));
  const many = await fill(tried, { ...small, attempts: records }, 1);
  expect(many * (4_096 + 64 * 128)).toBeLessThanOrEqual(BUDGET);
  expect(other.budget.held).toBeLessThanOrEqual(BUDGET);
  other.pipeline.stop();
});

test("one line over the budget is admitted alone, and the next once it is fetched", async () => {
  const fleet = new Fleet(4, 0);
  const { pipeline, budget, fetch } = rig(new Endless(3 * MIB, 3), fleet, true, MIB);
  for (const index of [0, 1, 2]) {
    await settle();
    expect(fleet.waiting).toHaveLength(1);
    fleet.end(small);
    await settle();
    expect(fleet.waiting).toHaveLength(0);
    expect(fetch()).toEqual([index]);
  }
  await settle();
  expect([budget.held, budget.inFlight, fleet.waiting.length]).toEqual([0, 0, 0]);
  await pipeline.run();
});

function deskOf(runner: JobRunner): PipelineRunner {
  const { submitter: desk } = runner;
  return {
    isReady: () => true,
    capacity: () => desk.capacity(),
    slots: () => runner.workers.scheduler.slots,
    unused: () => 0,
    submit: (line, settled) => desk.submit(line.text, undefined, settled),
  };
}

test("line 1 fails twice and is the last to finish, with the budget full: it is retried, order is kept, all goes on", async () => {
  const [count, limit, result] = [60, 4 * MIB, "y".repeat(MIB / 4)];
  await using set = await stage({ attempts: 3, timeout: 1_000 });
  const slow = { attempts: 0 };
  let release: (value: string) => void = () => undefined;
  const handler: Handler = ({ data }, { signal }) => {
    if (String(data).trim() !== "0") return result;
    return new Promise((resolve, reject) => {
      release = resolve;
      // The first two attempts time out: the kind of failure that is tried again.
      if (++slow.attempts < 3) signal.addEventListener("abort", () => reject(new Error("stopped")));
    });
  };
  for (const identity of ["one", "two"]) await set.worker(handler, { identity, capacity: 4 });
  const lines = new Endless(10, count);
  const { budget, fetch } = rig(lines, deskOf(set.runner), true, limit);
  await set.clock.settle();
  // What was begun before the first result taught the size adds one each; then the budget is full.
  const max = limit + 16 * 2 * result.length;
  const { taken } = lines;
  expect([fetch(), slow.attempts]).toEqual([[], 1]);
  expect(taken).toBeLessThan(count);
  expect(budget.admits(4_096 + 10)).toBe(false);
  expect(budget.held).toBeLessThanOrEqual(max);
  await set.clock.advance(1_000);
  while (slow.attempts < 3) await set.clock.advance(100);
  expect([fetch(), lines.taken, set.runner.stats().running], "still full").toEqual([[], taken, 1]);
  release(result);
  const fetched: number[] = [];
  while (fetched.length < count) {
    await set.clock.settle();
    const due = fetch();
    expect(due.length, "something is due").toBeGreaterThan(0);
    fetched.push(...due);
    expect(budget.held).toBeLessThanOrEqual(max);
  }
  expect(fetched).toEqual(Array.from({ length: count }, (_, index) => index));
  await set.clock.settle();
  expect([budget.held, budget.inFlight]).toEqual([0, 0]);
});
