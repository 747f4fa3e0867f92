/** Streams that go into jobs, on virtual time: what handlers read, how far callers' iterables are pulled, and which attempts there are. */
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { Deferred } from "../../../src/core/async/deferred.ts";
import { AbortError, EncodingError, ExecutionError, TimeoutError, WorkerLostError } from "../../../src/core/errors.ts";
import type { ExecuteOptions } from "../../../src/core/job/execute-options.ts";
import type { Payload } from "../../../src/core/peer.ts";
import { FEATURE } from "../../../src/core/protocol/constants.ts";
import type { Handler, JobContext } from "../../../src/core/worker/execution.ts";
import { type Stage, stage, watch } from "../../support/stage.ts";

/** Items of so many bytes, and what happens to their generator. */
class Source {
  pulled = 0;
  opened = 0;
  closed = 0;
  readonly #count: number;
  readonly #bytes: number;

  constructor(count: number, bytes = 1) {
    this.#count = count;
    this.#bytes = bytes;
  }

  readonly open = (): AsyncGenerator<Payload, void> => {
    this.opened++;
    return this.#items();
  };

  async *#items(): AsyncGenerator<Payload, void> {
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

/** Items that are given one by one. */
class Tap {
  readonly #waiting: ((step: IteratorResult<string, undefined>) => void)[] = [];
  closed = 0;

  give(...items: string[]): void {
    for (const value of items) this.#waiting.shift()?.({ done: false, value });
  }

  end(): void {
    for (const resolve of this.#waiting.splice(0)) resolve({ done: true, value: undefined });
  }

  get asked(): number {
    return this.#waiting.length;
  }

  [Symbol.asyncIterator](): AsyncIterator<string, undefined> {
    return {
      next: () => new Promise((resolve) => this.#waiting.push(resolve)),
      return: async () => {
        this.closed++;
        return { done: true, value: undefined };
      },
    };
  }
}

const joined: Handler = async (_job, { input }) => {
  const items: Payload[] = [];
  for await (const item of input ?? []) items.push(item);
  return items.join();
};

async function run(set: Stage, options: ExecuteOptions, data = "") {
  const call = watch(set.runner.execute(data, options));
  await set.clock.settle();
  return call;
}

/** Reads so many items, then waits for the signal. */
function readsUpTo(count: number, seen: JobContext[] = []): Handler {
  return async (_job, context) => {
    seen.push(context);
    for (let n = 0; n < count; n++) await context.input?.next();
    return new Promise((_resolve, reject) => {
      context.signal.addEventListener("abort", () => reject(context.signal.reason as Error));
    });
  };
}

describe("a stream that goes in", () => {
  it("is read in order, whole, from any iterable or a function that gives one", async () => {
    await using set = await stage();
    await set.worker(joined);
    const source = new Source(3);
    for (const input of [["0", "1", "2"], new Set(["0", "1", "2"]), source.open(), source.open, () => ["0", "1", "2"]])
      expect(await run(set, { input })).toMatchObject({ value: "0,1,2" });
    expect([source.closed, set.runner.stats().succeeded]).toEqual([2, 5]);
    expect((await run(set, { input: [] })).value).toBe("");
    expect((await run(set, { input: [Uint8Array.of(1), "x"] })).value).toBe("1,x");
  });

  it("is undefined for a job that has none", async () => {
    await using set = await stage();
    await set.worker((_job, { input }) => typeof input);
    expect((await run(set, {})).value).toBe("undefined");
  });

  it("is not pulled by a handler that reads nothing, and then it may be tried again", async () => {
    await using set = await stage();
    let starts = 0;
    await set.worker((_job, { input }) => {
      if (++starts === 1) throw Object.assign(new Error("not now"), { retryable: true });
      return typeof input;
    });
    const source = new Source(3);
    const call = await run(set, { input: source.open() });
    await set.clock.advance(10_000);
    expect([call.value, source.pulled, source.closed]).toEqual(["object", 0, 0]);
  });

  it("is pulled as far as the window of the worker goes", async () => {
    await using set = await stage();
    const seen: JobContext[] = [];
    await set.worker(readsUpTo(1, seen), { inputWindow: 1_000 });
    const source = new Source(1_000, 100 - 64);
    const aborter = new AbortController();
    const call = await run(set, { input: source.open(), signal: aborter.signal });
    expect(source.pulled).toBe(10);
    for (let n = 0; n < 3; n++) await seen[0]?.input?.next();
    await set.clock.settle();
    expect(source.pulled).toBe(10);
    await seen[0]?.input?.next();
    await set.clock.settle();
    expect(source.pulled, "half the window was read").toBe(15);
    aborter.abort();
    await set.clock.settle();
    expect([call.state, source.closed]).toEqual(["failed", 1]);
  });

  it("lets one item through, however large, when the window is small", async () => {
    await using set = await stage();
    const lengths: Handler = async (_job, { input }) => {
      const seen: number[] = [];
      for await (const item of input ?? []) seen.push(item.length);
      return seen.join();
    };
    await set.worker(lengths, { inputWindow: 1 });
    const call = await run(set, { input: new Source(3, 300_000).open() });
    expect(call.value).toBe("300000,300000,300000");
  });

  it("is closed when the handler answers before its end", async () => {
    await using set = await stage();
    await set.worker(async (_job, { input }) => String((await input?.next())?.value));
    const source = new Source(1_000);
    const call = await run(set, { input: source.open() });
    expect([call.value, source.closed]).toEqual(["0", 1]);
    const tap = new Tap();
    const waiting = await run(set, { input: tap });
    tap.give("a");
    await set.clock.settle();
    expect([waiting.value, tap.closed]).toEqual(["a", 1]);
  });

  it("goes out of a streaming handler as it comes in", async () => {
    await using set = await stage();
    await set.worker(async function* (_job, { input }) {
      for await (const item of input ?? []) yield `<${String(item)}>`;
    } as Handler);
    const tap = new Tap();
    const opened = watch(set.runner.open("", { input: tap }));
    await set.clock.settle();
    tap.give("a");
    await set.clock.settle();
    const { value: stream } = opened;
    if (typeof stream !== "object" || !("next" in stream)) throw new Error("no stream");
    expect((await set.settle(stream.next())).value).toBe("<a>");
    const end = watch(stream.next());
    await set.clock.settle();
    tap.end();
    await set.clock.settle();
    expect(end.value).toEqual({ done: true, value: "" });
  });

  it("ends for its handler at once when the job is aborted, and its iterable is closed", async () => {
    await using set = await stage();
    const failures: unknown[] = [];
    await set.worker(async (_job, { input }) => {
      await input?.next();
      await input?.next().catch((error: unknown) => failures.push(error));
      failures.push(await input?.next().catch(() => "again"));
      return "";
    });
    const tap = new Tap();
    const aborter = new AbortController();
    const call = await run(set, { input: tap, signal: aborter.signal });
    tap.give("a");
    await set.clock.settle();
    aborter.abort(new Error("enough"));
    await set.clock.settle();
    expect([call.error, tap.closed]).toEqual([new Error("enough"), 1]);
    expect(failures).toEqual([expect.any(AbortError), "again"]);
    expect(set.runner.stats().workers).toMatchObject([{ inFlight: 0 }]);
  });
});

describe("what fails", () => {
  it("is the call, with the very error of the iterable or the function", async () => {
    await using set = await stage();
    const signals: AbortSignal[] = [];
    await set.worker(async (job, context) => {
      signals.push(context.signal);
      return joined(job, context);
    });
    const wrong = new Error("the file is gone");
    const failing = async function* (): AsyncGenerator<string> {
      yield "a";
      throw wrong;
    };
    expect((await run(set, { input: failing() })).error).toBe(wrong);
    expect(
      (
        await run(set, {
          input: () => {
            throw wrong;
          },
        })
      ).error,
    ).toBe(wrong);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect(set.runner.stats()).toMatchObject({ retries: 0, failed: 2, running: 0 });
  });

  it("is the call, when an item is no payload or larger than the worker takes; the iterable is closed", async () => {
    await using set = await stage();
    await set.worker(joined, { maxPayload: 100 });
    const closed: string[] = [];
    const items = async function* (item: unknown): AsyncGenerator<Payload> {
      try {
        yield item as Payload;
        yield "more";
      } finally {
        closed.push("closed");
      }
    };
    expect((await run(set, { input: items(7) })).error).toBeInstanceOf(TypeError);
    expect((await run(set, { input: items("\ud800") })).error).toBeInstanceOf(EncodingError);
    expect((await run(set, { input: items("x".repeat(101)) })).error).toMatchObject({
      code: "ENCODING",
      message: expect.stringContaining("101 bytes, over the maxPayload of worker"),
    });
    expect(closed).toHaveLength(3);
    expect((await run(set, { input: ["x".repeat(100)] })).value).toHaveLength(100);
  });

  it("is the option, when it is no iterable, with `verify`, or of `map`", async () => {
    await using set = await stage();
    await set.worker(joined);
    for (const input of ["text", Uint8Array.of(1), true, {}])
      expect((await run(set, { input: input as never })).error).toBeInstanceOf(TypeError);
    expect((await run(set, { input: (() => "text") as never })).error).toMatchObject({
      message: expect.stringContaining("must return an iterable"),
    });
    expect((await run(set, { input: [], verify: 2 })).error).toMatchObject({
      message: expect.stringContaining("verify"),
    });
    const outcomes = set.runner.map([""], { input: [] } as never);
    await expect(set.settle(outcomes.next())).rejects.toThrow("unknown option `input`");
  });

  it("is the call to a worker that does not speak of it, before anything is sent", async () => {
    await using set = await stage();
    const peer = await set.peer({ features: FEATURE.tasks });
    const source = new Source(1);
    const call = await run(set, { input: source.open() });
    expect(call.error).toMatchObject({ code: "ENCODING", message: expect.stringContaining("takes no stream") });
    expect([peer.received.filter(({ type }) => type === "JOB").length, source.pulled]).toEqual([0, 0]);
  });
});

describe("another attempt", () => {
  const losing: Handler = async (job, context) => {
    if (context.attempt > 1) return joined(job, context);
    await context.input?.next();
    throw Object.assign(new Error("not now"), { retryable: true });
  };

  it("is made with a function, which is called for each", async () => {
    await using set = await stage();
    await set.worker(losing);
    const source = new Source(3);
    const call = await run(set, { input: source.open });
    await set.clock.advance(10_000);
    expect([call.value, source.opened, source.closed]).toEqual(["0,1,2", 2, 2]);
  });

  it("is not made with an iterable that was begun", async () => {
    await using set = await stage();
    await set.worker(losing);
    const source = new Source(3);
    const call = await run(set, { input: source.open() });
    await set.clock.advance(10_000);
    expect(call.error).toBeInstanceOf(ExecutionError);
    expect([source.opened, source.closed, set.runner.stats().retries]).toEqual([1, 1, 0]);
  });

  it("follows the same rule when the worker is lost", async () => {
    await using set = await stage();
    const peer = await set.peer({ features: FEATURE.inputs });
    const source = new Source(3);
    const call = await run(set, { input: source.open() });
    peer.send({ type: "CREDIT", attemptId: peer.last("JOB").attemptId, bytes: 1 });
    await set.clock.settle();
    expect(source.pulled).toBe(1);
    peer.close();
    await set.clock.advance(1_000);
    expect([call.error instanceof WorkerLostError, source.closed]).toEqual([true, 1]);
  });
});

describe("the time limit of an attempt", () => {
  it("stands still while the worker waits for the caller, and begins again with each item", async () => {
    await using set = await stage();
    await set.worker(joined);
    const tap = new Tap();
    const call = await run(set, { input: tap, timeout: 1_000 });
    await set.clock.advance(60_000);
    expect([call.state, tap.asked]).toEqual(["pending", 1]);
    tap.give("a");
    await set.clock.advance(60_000);
    tap.end();
    await set.clock.settle();
    expect(call.value).toBe("a");
  });

  it("runs while the worker does not read, and after the end", async () => {
    await using set = await stage();
    await set.worker(readsUpTo(3));
    const source = new Source(2);
    const call = await run(set, { input: source.open(), timeout: 1_000, attempts: 1 });
    await set.clock.advance(1_000);
    expect(call.error).toBeInstanceOf(TimeoutError);
    await set.worker(readsUpTo(0), { labels: ["idle"] });
    const idle = await run(set, { input: ["a"], timeout: 1_000, attempts: 1, require: ["idle"] });
    await set.clock.advance(1_000);
    expect(idle.error).toBeInstanceOf(TimeoutError);
  });

  it("does not hold up the deadline", async () => {
    await using set = await stage();
    await set.worker(joined);
    const tap = new Tap();
    const call = await run(set, { input: tap, timeout: 1_000, deadline: 5_000 });
    await set.clock.advance(5_000);
    expect(call.error).toMatchObject({ kind: "deadline" });
    expect(tap.closed).toBe(1);
  });
});

describe("a peer that breaks the rules", () => {
  it("is left by the runner, for credit of a job that has no input", async () => {
    await using set = await stage();
    const peer = await set.peer({ features: FEATURE.inputs });
    const call = await run(set, { attempts: 1 });
    peer.send({ type: "CREDIT", attemptId: peer.last("JOB").attemptId, bytes: 1 });
    await set.clock.settle();
    expect(peer.last("ERROR")).toMatchObject({ code: "PROTOCOL" });
    expect(call.state).toBe("failed");
  });

  it("may not hand back a job whose input it has begun", async () => {
    await using set = await stage();
    const peer = await set.peer({ features: FEATURE.inputs });
    await run(set, { input: ["a"], attempts: 1 });
    const { attemptId } = peer.last("JOB");
    peer.send({ type: "CREDIT", attemptId, bytes: 1 }, { type: "REJECT", attemptId, reason: "overloaded" });
    await set.clock.settle();
    expect(peer.last("ERROR")).toMatchObject({ code: "PROTOCOL" });
  });
});

describe("a source", () => {
  it("that ends its own call as it is opened is closed, and pulled no more", async () => {
    await using set = await stage();
    await set.worker(joined);
    for (const where of ["function", "iterator"]) {
      const source = new Source(1_000_000);
      const aborter = new AbortController();
      const endless = source.open();
      const input =
        where === "function"
          ? () => {
              aborter.abort();
              return endless;
            }
          : {
              [Symbol.asyncIterator]: () => {
                aborter.abort();
                return endless;
              },
            };
      const call = await run(set, { input, signal: aborter.signal });
      await set.clock.advance(1_000);
      expect([call.state, source.pulled], where).toEqual(["failed", 0]);
      expect(await endless.next(), "it was closed").toEqual({ done: true, value: undefined });
    }
  });

  it("that was never begun is closed with its call, and with a call that is refused", async () => {
    await using set = await stage({ maxQueue: 1 });
    await set.worker(() => "unread");
    const left = [new Source(5), new Source(5), new Source(5)].map((source) => source.open());
    const [unread, aborted, verified] = left;
    await run(set, { input: unread });
    const controller = new AbortController();
    controller.abort();
    await run(set, { input: aborted, signal: controller.signal });
    await run(set, { input: verified, verify: 2 });
    for (const source of left) expect((await source.next()).done).toBe(true);
  });

  it("of Node or of the web is closed although it waits for its next item", async () => {
    await using set = await stage();
    await set.worker(async (_job, { input }) => String((await input?.next())?.value));
    const node = new Readable({ objectMode: true, read: () => undefined });
    node.push("a");
    let cancelled = 0;
    const web = new ReadableStream<string>({
      start: (controller) => controller.enqueue("a"),
      cancel: () => void cancelled++,
    });
    expect((await run(set, { input: node })).value).toBe("a");
    expect((await run(set, { input: web })).value).toBe("a");
    await new Promise((resolve) => setImmediate(resolve));
    expect([node.destroyed, cancelled, web.locked]).toEqual([true, 1, false]);
  });
});

describe("a reader", () => {
  it("that goes on after its handler does not take what it has for all", async () => {
    await using set = await stage();
    const seen: unknown[] = [];
    const end = new Deferred<string>();
    await set.worker((_job, { input }) => {
      const rest = async (): Promise<void> => {
        for await (const item of input ?? []) seen.push(item);
      };
      rest().catch((error: unknown) => seen.push(error));
      return end.promise;
    });
    const tap = new Tap();
    const call = await run(set, { input: tap });
    tap.give("a");
    await set.clock.settle();
    end.resolve("done");
    await set.clock.settle();
    expect([call.value, seen]).toEqual(["done", ["a", expect.any(AbortError)]]);
  });

  it("that is to be tried again before its source was opened may be, with an iterable, too", async () => {
    await using set = await stage();
    await set.worker((_job, { input, attempt }) => {
      void input?.next();
      if (attempt === 1) throw Object.assign(new Error("not now"), { retryable: true });
      return "again";
    });
    const call = await run(set, { input: new Source(3).open() });
    await set.clock.advance(10_000);
    expect(call.value).toBe("again");
  });
});
