/** What a runner promises of streams that go into jobs, and of streams that are resumed, on every transport and behind relays. */
import { type ExecuteOptions, type Payload, type PayloadStream, systemRandom } from "../../index.ts";
import { expectEqual, expectTrue, show } from "./expectation.ts";
import type { FleetHarness } from "./harness.ts";
import { answered, type RunnerCase, type RunnerFixture } from "./runner-fixture.ts";

/** An item of so many bytes costs 16,448 of its window. */
const ITEM_BYTES = 16_384;
/** How many of them a worker asks for ahead. */
const AHEAD = 4;

/** The caller's end of one stream. */
class Source {
  pulled = 0;
  opened = 0;
  closed = 0;
  readonly #count: number;
  readonly #bytes: number;

  constructor(count: number, bytes: number) {
    this.#count = count;
    this.#bytes = bytes;
  }

  readonly open = (): AsyncGenerator<string, void> => {
    this.opened++;
    return this.#items();
  };

  async *#items(): AsyncGenerator<string, void> {
    try {
      for (let n = 0; n < this.#count; n++) {
        this.pulled++;
        yield `${n}`.padEnd(this.#bytes, ".");
      }
    } finally {
      this.closed++;
    }
  }
}

function run({ runner }: RunnerFixture, job: string, options: ExecuteOptions): Promise<unknown> {
  return runner.execute(job, options);
}

/** Waits until the handler has read so many items and waits. */
async function untilRead({ harness, runner }: RunnerFixture, key: string, count: number): Promise<void> {
  let said: unknown;
  for (let asked = 0; asked < 1_000 && said !== `${count}`; asked++)
    said = await harness.settle(runner.execute(`given:${key}`));
  expectEqual(said, `${count}`, "the items that the handler has read");
}

/** The next item: another attempt begins after a pause. */
async function nextAfterPause(harness: FleetHarness, stream: PayloadStream): Promise<IteratorResult<Payload, unknown>> {
  const steps: IteratorResult<Payload, unknown>[] = [];
  const next = stream.next().then((step) => void steps.push(step));
  for (let waited = 0; steps.length === 0 && waited < 40; waited++) await harness.pass(1 + waited * 5);
  await next;
  const [step] = steps;
  if (step === undefined) throw new Error("expected an item");
  return step;
}

/** @internal */
export const inputStreams: readonly RunnerCase[] = [
  {
    name: "streams items into a job in order, each once, then the end",
    workers: 1,
    capacity: 1,
    check: async (fixture) => {
      const source = new Source(300, 1_000);
      const read = run(fixture, "read:all", { input: source.open() });
      expectEqual(await answered(fixture, read, "the answer"), "read 300 items of 300000 bytes", "what was read");
      expectEqual([source.opened, source.closed], [1, 1], "openings and endings of the source");
      const none = run(fixture, "read:none", { input: [] });
      expectEqual(await answered(fixture, none, "the answer"), "read 0 items of 0 bytes", "what was read of nothing");
    },
  },
  {
    name: "pulls a source as far as the window of the worker goes, and closes it when the job is aborted",
    workers: 1,
    capacity: 2,
    check: async (fixture) => {
      const key = systemRandom.id();
      const source = new Source(10_000, ITEM_BYTES);
      const aborter = new AbortController();
      const reading = run(fixture, `read:${key} 20`, { input: source.open(), signal: aborter.signal });
      reading.catch(() => undefined);
      await untilRead(fixture, key, 20);
      expectTrue(source.pulled >= 20, `20 items or more pulled; they are ${source.pulled}`);
      expectTrue(source.pulled <= 20 + AHEAD, `at most ${20 + AHEAD} items pulled; they are ${source.pulled}`);
      aborter.abort();
      await fixture.harness.until(() => source.closed === 1 && fixture.runner.stats().running === 0);
    },
  },
  {
    name: "leaves a source alone that is not read, and closes one that is not read to its end",
    workers: 1,
    capacity: 1,
    check: async (fixture) => {
      const unread = new Source(10, 10);
      expectEqual(await answered(fixture, run(fixture, "upper:a", { input: unread.open() }), "the answer"), "A", "it");
      expectEqual([unread.pulled, unread.closed], [0, 0], "items pulled, and endings");
      const broken = new Source(10_000, 1_000);
      const error = await answered(
        fixture,
        run(fixture, "echo:x", { input: broken.open() }).catch((reason: unknown) => reason),
        "the error",
      );
      expectTrue(error instanceof Error, `an error, as execute takes no stream; it is ${show(error)}`);
      await fixture.harness.until(() => broken.opened === 1 && broken.closed === (broken.pulled > 0 ? 1 : 0));
    },
  },
  {
    name: "fails a call with the very error of its source, and the slot comes back",
    workers: 1,
    capacity: 1,
    check: async (fixture) => {
      const wrong = new Error("the file is gone");
      const failing = async function* (): AsyncGenerator<string> {
        yield "0";
        throw wrong;
      };
      const error = await answered(
        fixture,
        run(fixture, "read:x", { input: failing() }).catch((reason: unknown) => reason),
        "the error",
      );
      expectTrue(error === wrong, `the very error of the source; it is ${show(error)}`);
      expectEqual(await answered(fixture, run(fixture, "upper:b", {}), "the next answer"), "B", "the next answer");
    },
  },
  {
    name: "reads a function's source anew when a worker is lost, and an iterable's never",
    workers: 2,
    capacity: 1,
    check: async (fixture) => {
      const { harness, runner } = fixture;
      const again = new Source(1_000, ITEM_BYTES);
      const once = new Source(1_000, ITEM_BYTES);
      const keys = [systemRandom.id(), systemRandom.id()] as const;
      // Both workers have one, and each has read five items: whichever is lost.
      const calls = [
        run(fixture, `read:${keys[0]} 5`, { input: again.open, attempts: 2 }),
        run(fixture, `read:${keys[1]} 5`, { input: once.open(), attempts: 2 }),
      ];
      const settled: unknown[] = [];
      for (const call of calls) call.catch((error: unknown) => settled.push(error));
      await harness.until(() => again.pulled >= 5 && once.pulled >= 5);
      await harness.lose();
      await harness.pass(250);
      await harness.until(() => settled.length === 1 || again.opened === 2);
      expectTrue(once.opened === 1, `one opening of the iterable; they are ${once.opened}`);
      expectTrue(settled.length === 0 || once.closed === 1, "an iterable that is closed with its call");
      await harness.settle(runner.stop());
      await harness.until(() => settled.length === 2 && again.closed === again.opened && once.closed === 1);
    },
  },
  {
    name: "resumes a stream after what was read, over attempts that break off",
    workers: 1,
    capacity: 1,
    check: async (fixture) => {
      const { harness, runner } = fixture;
      const source = new Source(40, 10);
      // One item at a time: no attempt is far ahead of its reader.
      const options = { input: source.open, resume: true, streamWindow: 1 };
      const stream = await answered(fixture, runner.open("echo:breaks", options), "the stream");
      if (typeof stream === "string" || !("next" in stream)) throw new Error(`expected a stream, got ${show(stream)}`);
      const numbers: number[] = [];
      for (;;) {
        const { done, value } = await nextAfterPause(harness, stream);
        if (done === true) break;
        numbers.push(Number.parseInt(String(value), 10));
      }
      expectEqual(
        numbers,
        Array.from({ length: 40 }, (_, i) => i),
        "the items",
      );
      expectEqual(source.opened, 3, "openings of the source");
    },
  },
];
