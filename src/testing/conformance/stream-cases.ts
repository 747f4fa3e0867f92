/** What a runner promises of streams and of progress, on every transport and behind relays. */
import type { PayloadStream } from "../../index.ts";
import { systemRandom, WorkerLostError } from "../../index.ts";
import { expectEqual, expectTrue, show } from "./expectation.ts";
import { answered, type RunnerCase, type RunnerFixture } from "./runner-fixture.ts";

/** An item of so many bytes costs 1,000 of its window. */
const ITEM_BYTES = 936;
const WINDOW = 10_000;

/** A name for the stream of one case: workers of one process count together. */
function freshKey(): string {
  return systemRandom.id();
}

async function opened(fixture: RunnerFixture, job: string): Promise<PayloadStream> {
  const stream = await answered(fixture, fixture.runner.open(job, { streamWindow: WINDOW }), "the stream");
  if (typeof stream === "string" || !("next" in stream)) throw new Error(`expected a stream, got ${show(stream)}`);
  return stream;
}

/** Reads up to `max` items: their numbers, and what came instead of the next. */
async function readNumbers(stream: PayloadStream, max = Number.POSITIVE_INFINITY): Promise<[number[], unknown]> {
  const numbers: number[] = [];
  try {
    while (numbers.length < max) {
      const { done, value } = await stream.next();
      if (done === true) return [numbers, value];
      numbers.push(Number.parseInt(String(value), 10));
    }
    return [numbers, undefined];
  } catch (error) {
    return [numbers, error];
  }
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Waits until a worker says so. */
async function untilSaid({ harness, runner }: RunnerFixture, question: string, answer: string): Promise<void> {
  let said: unknown;
  for (let asked = 0; asked < 1_000 && said !== answer; asked++) said = await harness.settle(runner.execute(question));
  expectEqual(said, answer, `what the worker says of ${question}`);
}

/** @internal */
export const streams: readonly RunnerCase[] = [
  {
    name: "streams items in order, each once, then what the handler returned",
    workers: 1,
    capacity: 1,
    check: async (fixture) => {
      const stream = await opened(fixture, `count:${freshKey()} 500 ${ITEM_BYTES}`);
      const [numbers, end] = await answered(fixture, readNumbers(stream), "the items");
      expectEqual(numbers, upTo(500), "the items");
      expectEqual(end, "gave 500", "what the handler returned");
      expectEqual((await stream.next()).done, true, "whether it is over after its end");
      const empty = await opened(fixture, `count:${freshKey()} 0 1`);
      expectEqual(await answered(fixture, readNumbers(empty), "the end"), [[], "gave 0"], "a stream without items");
    },
  },
  {
    name: "holds a stream at its window while nobody reads, and other jobs go by",
    workers: 1,
    capacity: 2,
    check: async (fixture) => {
      const key = freshKey();
      const stream = await opened(fixture, `count:${key} 100 ${ITEM_BYTES}`);
      await untilSaid(fixture, `given:${key}`, "10");
      for (let n = 0; n < 10; n++) await untilSaid(fixture, `given:${key}`, "10");
      const [first] = await answered(fixture, readNumbers(stream, 5), "five items");
      await untilSaid(fixture, `given:${key}`, "15");
      const [rest, end] = await answered(fixture, readNumbers(stream), "the other items");
      expectEqual([...first, ...rest], upTo(100), "the items");
      expectEqual(end, "gave 100", "what the handler returned");
    },
  },
  {
    name: "ends the handler's generator when its reader leaves, and the slot comes back",
    workers: 1,
    capacity: 2,
    check: async (fixture) => {
      const key = freshKey();
      const stream = await opened(fixture, `count:${key} 100000 ${ITEM_BYTES}`);
      await answered(fixture, readNumbers(stream, 20), "twenty items");
      await answered(fixture, stream.return(), "the end of reading");
      expectEqual((await stream.next()).done, true, "whether it is over for its reader");
      await untilSaid(fixture, `closed:${key}`, "1");
      await fixture.harness.until(() => fixture.runner.stats().running === 0);
    },
  },
  {
    name: "fails the reader of a stream that is lost: what had arrived, then why",
    workers: 2,
    capacity: 1,
    check: async (fixture) => {
      const { harness, runner } = fixture;
      // Both workers have one: whichever is lost.
      const both = [
        await opened(fixture, `count:${freshKey()} 100000 ${ITEM_BYTES}`),
        await opened(fixture, `count:${freshKey()} 100000 ${ITEM_BYTES}`),
      ] as const;
      for (const stream of both) await answered(fixture, readNumbers(stream, 1), "an item");
      await harness.lose();
      await harness.until(() => runner.stats().failed > 0);
      const lost = [];
      for (const stream of both) {
        const [numbers, end] = await answered(fixture, readNumbers(stream, 500), "the rest");
        expectEqual(numbers, upTo(numbers.length + 1).slice(1), "the items");
        if (end !== undefined) lost.push(end);
        else await stream.return();
      }
      expectEqual(lost.length, 1, "the number of streams that failed");
      expectTrue(lost[0] instanceof WorkerLostError, `a WorkerLostError; it is ${show(lost[0])}`);
    },
  },
  {
    name: "tries a stream again as long as nothing of it was read",
    workers: 2,
    capacity: 1,
    check: async (fixture) => {
      const { harness, runner } = fixture;
      const both = [
        await opened(fixture, `count:${freshKey()} 50 ${ITEM_BYTES}`),
        await opened(fixture, `count:${freshKey()} 50 ${ITEM_BYTES}`),
      ];
      await harness.lose();
      await harness.pass(250);
      await harness.until(() => runner.stats().running === 2);
      for (const stream of both) {
        const [numbers, end] = await answered(fixture, readNumbers(stream), "the items");
        expectEqual(numbers, upTo(50), "the items");
        expectEqual(end, "gave 50", "what the handler returned");
      }
    },
  },
  {
    name: "tells progress to a caller that listens, before the result",
    workers: 1,
    capacity: 1,
    check: async (fixture) => {
      const heard: unknown[] = [];
      const options = { onProgress: (value: unknown) => void heard.push(value) };
      const job = fixture.runner.execute("report:5", options).then((value) => heard.push(value));
      await answered(fixture, job, "the answer");
      expectEqual(heard.at(-1), "reported true", "what came last");
      expectEqual(heard.at(-2), "5 of 5", "the last report");
      const silent = await answered(fixture, fixture.runner.execute("report:5"), "the answer");
      expectEqual(silent, "reported false", "the answer to a caller that does not listen");
    },
  },
];
