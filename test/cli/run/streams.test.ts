/** Streams of a run: which of them are read on, so that memory has a bound and the run has an end. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { InputLine } from "../../../src/cli/run/input.ts";
import { JobPipeline, type PipelineRunner, type PipelineSource } from "../../../src/cli/run/pipeline.ts";
import { ShownReport } from "../../../src/cli/run/shown-report.ts";
import { ByteBudget } from "../../../src/core/job/byte-budget.ts";
import { type Handler, type JobRunner, type Payload, WorkerLostError } from "../../../src/index.ts";
import { stage } from "../../support/stage.ts";

const MIB = 1_048_576;

class Lines implements PipelineSource {
  #index = 0;
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  next(): InputLine | undefined {
    if (this.#index === this.#count) return undefined;
    const index = this.#index++;
    return new InputLine(index, "-", index + 1, String(index), undefined);
  }

  more(): Promise<boolean> {
    return Promise.resolve(false);
  }

  stop(): void {
    this.#index = this.#count;
  }
}

function deskOf(runner: JobRunner): PipelineRunner {
  const { submitter } = runner;
  return {
    isReady: () => true,
    capacity: () => submitter.capacity(),
    slots: () => runner.workers.scheduler.slots,
    unused: () => 0,
    submit: ({ text }, onSettled, onStream) => submitter.submit(text, { streamWindow: 2_000 }, onSettled, onStream),
  };
}

interface Rig {
  readonly pipeline: JobPipeline;
  readonly budget: ByteBudget;
  /** Items as `line:item`, ends as `line=result` or `line!error`. */
  readonly told: string[];
  /** Whether what is due is fetched. */
  fetches: boolean;
  most: number;
}

function rig(runner: JobRunner, count: number, ordered: boolean, limit: number): Rig {
  const budget = new ByteBudget(limit);
  const fetch = (): void => {
    set.most = Math.max(set.most, budget.held);
    while (set.fetches) {
      const item = set.pipeline.shiftItem();
      if (item !== undefined) {
        set.told.push(`${item.line.index}:${String(item.value).trimEnd()}`);
        continue;
      }
      const line = set.pipeline.shift();
      if (line === undefined) return;
      const { index, value, error } = line;
      set.told.push(value === undefined ? `${index}!${(error as Error).name}` : `${index}=${String(value)}`);
    }
  };
  const owner = { onOutcomes: fetch, onJobFailed: () => undefined };
  const pipeline = new JobPipeline(new Lines(count), deskOf(runner), owner, budget, ordered);
  const set: Rig = { pipeline, budget, told: [], fetches: true, most: 0 };
  return set;
}

/** A generator of so many items of so many bytes for each line. */
function counting(items: (line: number) => number, bytes: number): Handler {
  return async function* ({ data }): AsyncGenerator<Payload, Payload> {
    for (let n = 0; n < items(Number(data)); n++) yield await Promise.resolve(String(n).padEnd(bytes));
    return "end";
  };
}

function all(count: number, items: (line: number) => number): string[] {
  return Array.from({ length: count }, (_, line) => [
    ...Array.from({ length: items(line) }, (_item, n) => `${line}:${n}`),
    `${line}=end`,
  ]).flat();
}

test.each([true, false])("in order %s: a budget of one item and few slots come to an end", async (ordered) => {
  const arbitrary = fc.record({
    slots: fc.integer({ min: 1, max: 3 }),
    sizes: fc.array(fc.nat(12), { minLength: 1, maxLength: 24 }),
    limit: fc.constantFrom(1, 20_000, 100_000),
  });
  await fc.assert(
    fc.asyncProperty(arbitrary, async ({ slots, sizes, limit }) => {
      await using set = await stage({});
      const items = (line: number): number => sizes[line] ?? 0;
      await set.worker(counting(items, 1_000), { capacity: slots });
      const { pipeline, told, budget } = rig(set.runner, sizes.length, ordered, limit);
      const run = pipeline.run();
      await set.clock.settle();
      await run;
      const expected = all(sizes.length, items);
      expect(ordered ? told : told.toSorted()).toEqual(ordered ? expected : expected.toSorted());
      expect([budget.held, budget.inFlight]).toEqual([0, 0]);
    }),
    { numRuns: 25 },
  );
});

test("in order: later streams fill the budget and then stand still, while the first goes on", async () => {
  await using set = await stage({});
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  const given = [0, 0, 0, 0];
  await set.worker(
    async function* ({ data }): AsyncGenerator<Payload> {
      const line = Number(data);
      if (line === 0) await gate;
      for (let n = 0; n < 300; n++) {
        given[line] = n + 1;
        yield String(n).padEnd(10_000);
      }
    },
    { capacity: 4 },
  );
  const { pipeline, told, budget } = rig(set.runner, 4, true, MIB);
  const run = pipeline.run();
  await set.clock.settle();
  expect(told).toEqual([]);
  expect(budget.held).toBeGreaterThanOrEqual(MIB);
  expect(budget.held).toBeLessThan(MIB + 4 * 30_000);
  expect(given[0]).toBe(0);
  expect(given.every((count) => count < 300)).toBe(true);
  release();
  await set.clock.settle();
  await run;
  expect(told.filter((one) => one.includes(":"))).toEqual(all(4, () => 300).filter((one) => one.includes(":")));
});

test("in order: the first line lost its worker, and streams behind it have all slots that are left: they are read on", async () => {
  await using set = await stage({});
  const first = await set.worker(() => new Promise(() => undefined), { identity: "one" });
  const { pipeline, told, budget } = rig(set.runner, 2, true, 20_000);
  const run = pipeline.run();
  await set.clock.settle();
  await set.worker(
    counting(() => 100, 10_000),
    { identity: "two" },
  );
  pipeline.pull();
  await set.clock.settle();
  expect(set.runner.stats().running, "line 1 has a slot and stands still").toBe(2);
  expect(budget.held).toBeLessThan(MIB);
  await first.stop();
  await set.clock.advance(60_000);
  pipeline.pull();
  await set.clock.advance(60_000);
  await run;
  expect(told).toEqual(all(2, () => 100));
});

test("as they come: nothing that waits to be written holds up another stream, and unread output holds up all", async () => {
  await using set = await stage({});
  const given = [0, 0];
  await set.worker(
    async function* ({ data }): AsyncGenerator<Payload> {
      for (let n = 0; n < 1_000; n++) {
        given[Number(data)] = n + 1;
        yield await Promise.resolve("".padEnd(10_000));
      }
    },
    { capacity: 2 },
  );
  const set2 = rig(set.runner, 2, false, MIB);
  set2.fetches = false;
  const run = set2.pipeline.run();
  await set.clock.settle();
  const before = [...given];
  expect(Math.max(...before)).toBeLessThan(200);
  await set.clock.settle();
  expect(given).toEqual(before);
  set2.fetches = true;
  set2.pipeline.stop();
  await set.clock.settle();
  await run;
  expect(set2.told.filter((one) => one.includes(":"))).toHaveLength(2_000);
});

test("a stream that fails in its middle: its items, then why", async () => {
  await using set = await stage({});
  const worker = await set.worker(async function* ({ data }): AsyncGenerator<Payload> {
    yield "a";
    if (data === "0") throw new RangeError("no");
    yield "b";
    await new Promise(() => undefined);
  });
  const { pipeline, told } = rig(set.runner, 2, true, MIB);
  const run = pipeline.run();
  await set.clock.settle();
  expect(told).toEqual(["0:a", "0!ExecutionError", "1:a", "1:b"]);
  await worker.stop();
  await set.clock.settle();
  await run;
  expect(told.at(-1)).toBe(`1!${WorkerLostError.name}`);
});

test("an item that cannot be written ends its stream", async () => {
  await using set = await stage({});
  let closed = 0;
  await set.worker(async function* (): AsyncGenerator<Payload> {
    try {
      for (;;) yield await Promise.resolve("x");
    } finally {
      closed++;
    }
  });
  const set2 = rig(set.runner, 1, true, MIB);
  set2.fetches = false;
  const run = set2.pipeline.run();
  await set.clock.settle();
  set2.pipeline.shiftItem()?.line.stream?.leave(new SyntaxError("no value"));
  set2.fetches = true;
  await set.clock.settle();
  await run;
  expect([closed, set2.told.at(-1)]).toEqual([1, "0!SyntaxError"]);
  expect(set2.budget.held).toBe(0);
});

test("the report of one job is shown until it has settled, then that of the next that tells", () => {
  const [one, two] = [1, 2].map((line) => new InputLine(line - 1, "-", line, "", undefined));
  if (one === undefined || two === undefined) throw new Error("two lines");
  const report = new ShownReport();
  report.onReport(one, "10 %");
  report.onReport(two, "50 %");
  expect(report.text).toBe("line 1: 10 %");
  report.onReport(one, "20 %");
  expect(report.text).toBe("line 1: 20 %");
  one.settled = true;
  expect(report.text).toBeUndefined();
  report.onReport(one, "late");
  report.onReport(two, "60 %");
  expect(report.text).toBe("line 2: 60 %");
});
