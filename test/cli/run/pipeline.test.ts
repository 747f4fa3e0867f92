import * as fc from "fast-check";
import { expect, test } from "vitest";
import { InputLine } from "../../../src/cli/run/input.ts";
import {
  JobPipeline,
  type PipelineRunner,
  type PipelineOwner,
  type PipelineSource,
  type Settled,
} from "../../../src/cli/run/pipeline.ts";
import { ByteBudget } from "../../../src/core/job/byte-budget.ts";
import { RunnerStoppedError } from "../../../src/core/errors.ts";

type Answer = (call: Settled) => void;

const ok = (value: string): Settled => ({ value, error: undefined, attempts: [] });
const failed = (error: unknown): Settled => ({ value: undefined, error, attempts: [] });

/** A microtask that was asked for before this was called has run, and what followed from it. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

/** So many lines of one text, a few at a time; counts those that were taken. */
class Lines implements PipelineSource {
  taken = 0;
  stopped = false;
  /** What `next` does instead of giving the line of that place. */
  readonly odd = new Map<number, () => InputLine>();
  readonly #count: number;
  readonly #text: string;
  #athand = 0;
  /** Set to keep `more` waiting. */
  silent = false;

  constructor(count: number, text: string = "x") {
    this.#count = count;
    this.#text = text;
  }

  next(): InputLine | undefined {
    if (this.#athand === 0 || this.stopped) return undefined;
    this.#athand--;
    const index = this.taken++;
    return this.odd.get(index)?.() ?? new InputLine(index, "-", index + 1, `${this.#text}${index}`, undefined);
  }

  more(): Promise<boolean> {
    if (this.silent) return new Promise(() => undefined);
    this.#athand = Math.min(10, this.#count - this.taken);
    return Promise.resolve(this.#athand > 0);
  }

  stop(): void {
    this.stopped = true;
  }
}

/** Answers at once, or when the test says so. */
class FakeRunner implements PipelineRunner {
  ready = true;

  isReady(): boolean {
    return this.ready;
  }

  room = 4;
  /** Those of them that are no more than slots. */
  slotCount = 4;
  readonly waiting: { readonly job: string; readonly answer: Answer }[] = [];
  /** What is answered at once. */
  atOnce: ((job: string) => Settled) | undefined;

  capacity(): number {
    return this.room;
  }

  slots(): number {
    return this.slotCount;
  }

  unused(): number {
    return 0;
  }

  submit({ text: job }: InputLine, settled: Answer): undefined {
    if (this.atOnce !== undefined) settled(this.atOnce(job));
    else this.waiting.push({ job, answer: settled });
  }
}

const MIB = 1_048_576;

interface Rig {
  readonly pipeline: JobPipeline;
  readonly budget: ByteBudget;
  readonly told: string[];
  readonly ended: () => string;
  /** Whether outcomes are fetched as they are due. */
  fetches: boolean;
}

function rig(source: PipelineSource, runner: PipelineRunner, ordered: boolean = true): Rig {
  let end = "";
  const told: string[] = [];
  const owner: PipelineOwner = {
    onOutcomes: () => set.fetches && fetchAll(set),
    onJobFailed: () => told.push("failed"),
  };
  const budget = new ByteBudget(64 * MIB);
  const pipeline = new JobPipeline(source, runner, owner, budget, ordered);
  const set: Rig = { pipeline, budget, told, ended: () => end, fetches: true };
  void set.pipeline.run().then(
    () => (end = "done"),
    (error: unknown) => (end = String(error)),
  );
  return set;
}

function fetchAll({ pipeline, told }: Rig): void {
  for (let line = pipeline.shift(); line !== undefined; line = pipeline.shift()) {
    told.push(`${line.index}=${line.value === undefined ? (line.fault ?? String(line.error)) : String(line.value)}`);
  }
}

test("nobody fetches outcomes: lines are taken until their budget is used up, and again as some are fetched", async () => {
  const lines = new Lines(1_000_000);
  const runner = new FakeRunner();
  runner.atOnce = ok;
  const set = rig(lines, runner);
  set.fetches = false;
  for (let before = -1; before < lines.taken; await settle()) before = lines.taken;
  const most = (64 * 1_024 * 1_024) / 4_096;
  expect(lines.taken).toBeGreaterThan(most / 2);
  expect(lines.taken).toBeLessThanOrEqual(most + 1);
  const before = lines.taken;
  for (let i = 0; i < 100; i++) set.pipeline.shift();
  set.pipeline.pull();
  for (let i = 0; i < 20; i++) await settle();
  expect(lines.taken - before).toBeGreaterThan(90);
  expect(lines.taken - before).toBeLessThanOrEqual(100);
  set.pipeline.stop();
});

test.each([
  ["lines", 1_000_000, 0],
  ["results", 0, 1_000_000],
])("long %s use it up sooner", async (_what, line, result) => {
  const lines = new Lines(1_000_000, "x".repeat(line));
  const runner = new FakeRunner();
  const value = "y".repeat(result);
  runner.atOnce = () => ok(value);
  const set = rig(lines, runner);
  set.fetches = false;
  for (let before = -1; before < lines.taken; await settle()) before = lines.taken;
  // Two bytes a character.
  expect(lines.taken).toBeGreaterThan(30);
  expect(lines.taken).toBeLessThanOrEqual(34);
  set.pipeline.stop();
});

test("the first job that hangs holds as many lines, in order, and none when outcomes are due as they come", async () => {
  for (const ordered of [true, false]) {
    const lines = new Lines(50_000);
    const runner = new FakeRunner();
    const set = rig(lines, runner, ordered);
    await settle();
    const first = runner.waiting.shift();
    runner.atOnce = ok;
    for (const { answer } of runner.waiting.splice(0)) answer(ok("later"));
    for (let before = -1; before < lines.taken; await settle()) before = lines.taken;
    expect(lines.taken === 50_000, `ordered: ${ordered}`).toBe(!ordered);
    first?.answer(ok("first"));
    while (set.ended() === "") await settle();
    expect(set.told).toHaveLength(50_000);
  }
});

test("as many are submitted as the fleet can run, at least sixteen, as it grows", async () => {
  const runner = new FakeRunner();
  const set = rig(new Lines(1_000), runner);
  await settle();
  expect(runner.waiting).toHaveLength(16);
  runner.room = 50;
  set.pipeline.pull();
  for (let i = 0; i < 20; i++) await settle();
  expect(runner.waiting).toHaveLength(50);
  for (const { job, answer } of runner.waiting.splice(0, 20)) answer(ok(job));
  for (let i = 0; i < 20; i++) await settle();
  expect(runner.waiting).toHaveLength(50);
  set.pipeline.stop();
});

test("nothing is taken before it runs, whoever comes", async () => {
  const lines = new Lines(10);
  const owner: PipelineOwner = { onOutcomes: () => undefined, onJobFailed: () => undefined };
  const pipeline = new JobPipeline(lines, new FakeRunner(), owner, new ByteBudget(MIB), true);
  pipeline.pull();
  await settle();
  expect(lines.taken).toBe(0);
  pipeline.stop();
  await pipeline.run();
  expect(lines.taken).toBe(0);
});

test("each outcome is due once: in the order of the lines, or as they come", async () => {
  const jobs = fc.array(fc.nat(), { minLength: 1, maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(jobs, fc.boolean(), async (picks, ordered) => {
      const runner = new FakeRunner();
      const set = rig(new Lines(picks.length), runner, ordered);
      const came: string[] = [];
      for (const pick of picks) {
        for (let i = 0; i < 3; i++) await settle();
        const [answered] = runner.waiting.splice(pick % runner.waiting.length, 1);
        came.push(`${answered?.job.slice(1) ?? ""}=done`);
        answered?.answer(ok("done"));
      }
      for (let i = 0; i < 3; i++) await settle();
      expect(set.told).toEqual(ordered ? picks.map((_pick, index) => `${index}=done`) : came);
      expect(set.ended()).toBe("done");
    }),
    { numRuns: 50 },
  );
});

test("a line that is no job is an outcome in its place, and not submitted", async () => {
  const lines = new Lines(3);
  lines.odd.set(1, () => new InputLine(1, "-", 2, "", "no job"));
  const runner = new FakeRunner();
  runner.atOnce = ok;
  const set = rig(lines, runner);
  await settle();
  expect([set.told, set.ended()]).toEqual([["0=x0", "1=no job", "2=x2"], "done"]);
});

test("what the source throws ends the input, once the jobs under way have settled", async () => {
  const lines = new Lines(10);
  lines.odd.set(2, () => {
    throw new Error("another input");
  });
  const runner = new FakeRunner();
  const set = rig(lines, runner);
  await settle();
  expect([runner.waiting.length, lines.stopped, set.ended()]).toEqual([2, true, ""]);
  for (const { job, answer } of runner.waiting.splice(0)) answer(ok(job));
  await settle();
  expect([set.told, set.ended()]).toEqual([["0=x0", "1=x1"], "Error: another input"]);
});

test("what cannot be read is the same", async () => {
  const lines = new Lines(0);
  lines.more = () => Promise.reject(new Error("no such file"));
  const set = rig(lines, new FakeRunner());
  await settle();
  expect(set.ended()).toBe("Error: no such file");
});

test("what the owner throws is, too", async () => {
  const runner = new FakeRunner();
  runner.atOnce = ok;
  let end = "";
  const owner: PipelineOwner = {
    onOutcomes: () => {
      throw new Error("cannot write");
    },
    onJobFailed: () => undefined,
  };
  const budget = new ByteBudget(MIB);
  void new JobPipeline(new Lines(5), runner, owner, budget, true)
    .run()
    .catch((error: unknown) => (end = String(error)));
  await settle();
  expect(end).toBe("Error: cannot write");
});

test("a failed job is told of before its turn has come", async () => {
  const runner = new FakeRunner();
  const set = rig(new Lines(3), runner);
  await settle();
  runner.waiting[2]?.answer(failed(new Error("bad")));
  await settle();
  expect(set.told).toEqual(["failed"]);
  for (const { job, answer } of runner.waiting.slice(0, 2)) answer(ok(job));
  await settle();
  expect([set.told, set.ended()]).toEqual([["failed", "0=x0", "1=x1", "2=Error: bad"], "done"]);
});

test.each([
  ["settled so", (runner: FakeRunner) => (runner.atOnce = () => failed(new RunnerStoppedError("stopped")))],
  [
    "refused",
    (runner: FakeRunner) => {
      runner.submit = () => {
        throw new RunnerStoppedError("stopped");
      };
    },
  ],
])("a runner that takes no more ends the input and is no failed job: %s", async (_how, stop) => {
  const lines = new Lines(1_000);
  const runner = new FakeRunner();
  stop(runner);
  const set = rig(lines, runner);
  await settle();
  expect(set.told).toEqual(["0=RunnerStoppedError: stopped"]);
  expect([lines.taken, set.ended()]).toEqual([1, "RunnerStoppedError: stopped"]);
});

test("stopped: no more lines, an end once all under way have settled, and no waiting for an input that is silent", async () => {
  const lines = new Lines(100);
  const runner = new FakeRunner();
  const set = rig(lines, runner);
  await settle();
  lines.silent = true;
  runner.atOnce = ok;
  const [first, ...others] = runner.waiting.splice(0);
  for (const { job, answer } of others) answer(ok(job));
  await settle();
  set.pipeline.stop();
  set.pipeline.stop();
  await settle();
  expect([lines.stopped, set.ended()]).toEqual([true, ""]);
  first?.answer(ok("x0"));
  await settle();
  expect([set.told.length, set.ended()]).toEqual([lines.taken, "done"]);
});

test("stopped with nothing under way: the end, though the input is silent", async () => {
  const lines = new Lines(0);
  lines.silent = true;
  const set = rig(lines, new FakeRunner());
  await settle();
  expect(set.ended()).toBe("");
  set.pipeline.stop();
  await settle();
  expect(set.ended()).toBe("done");
});

test("no job is made of a line before it is known how, and lines that are none are told", async () => {
  const lines = new Lines(3);
  lines.odd.set(0, () => new InputLine(0, "-", 1, "", "no line"));
  const runner = new FakeRunner();
  runner.ready = false;
  const set = rig(lines, runner);
  await settle();
  expect([set.told, runner.waiting.length]).toEqual([["0=no line"], 0]);
  runner.ready = true;
  set.pipeline.pull();
  expect(runner.waiting.length).toBe(2);
  for (const { answer } of runner.waiting) answer(ok("y"));
  await settle();
  expect([set.told, set.ended()]).toEqual([["0=no line", "1=y", "2=y"], "done"]);
});
