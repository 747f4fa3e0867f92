/** Streams of items on virtual time: what their readers are given, what their handlers are told, and which attempts there are. */
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import {
  AbortError,
  ExecutionError,
  RunnerStoppedError,
  TimeoutError,
  WorkerLostError,
} from "../../../src/core/errors.ts";
import type { PayloadStream } from "../../../src/core/job/payload-stream.ts";
import type { Payload } from "../../../src/core/peer.ts";
import { FEATURE } from "../../../src/core/protocol/constants.ts";
import type { Handler } from "../../../src/core/worker/execution.ts";
import { type Stage, stage, type Watched, watch } from "../../support/stage.ts";

/** A generator that notes what happens to it. */
class Counter {
  given = 0;
  began = 0;
  closed = 0;
  signals: AbortSignal[] = [];

  /** Items of so many bytes, as many as the job's data says. */
  readonly handler: Handler = (job, { signal }) => {
    this.began++;
    this.signals.push(signal);
    const [count = 0, bytes = 1] = String(job.data).split(" ").map(Number);
    return this.#items(count, bytes);
  };

  async *#items(count: number, bytes: number): AsyncGenerator<Payload, Payload> {
    try {
      for (let n = 0; n < count; n++) {
        this.given++;
        yield `${n}`.padEnd(bytes, ".");
      }
      return "the end";
    } finally {
      this.closed++;
    }
  }
}

async function open(
  set: Stage,
  ...given: Parameters<Stage["runner"]["open"]>
): Promise<Watched<Payload | PayloadStream>> {
  const opened = watch(set.runner.open(...given));
  await set.clock.settle();
  return opened;
}

function streamOf({ value, error }: Watched<Payload | PayloadStream>): PayloadStream {
  if (typeof value !== "object" || !("next" in value)) throw new Error("no stream", { cause: error ?? value });
  return value;
}

async function next(set: Stage, stream: PayloadStream): Promise<Watched<IteratorResult<Payload, Payload | undefined>>> {
  const step = watch(stream.next());
  await set.clock.settle();
  return step;
}

/** Reads up to `max` items. */
async function read(set: Stage, stream: PayloadStream, max = Number.POSITIVE_INFINITY): Promise<unknown[]> {
  const got: unknown[] = [];
  while (got.length < max) {
    const { state, value, error } = await next(set, stream);
    if (state === "pending") return [...got, "pending"];
    if (state === "failed") return [...got, error];
    if (value?.done === true) return [...got, { done: value.value }];
    got.push(value?.value);
  }
  return got;
}

describe("a stream", () => {
  it("is its items in order, then what the handler returned, then over", async () => {
    await using set = await stage();
    const counter = new Counter();
    await set.worker(counter.handler);
    const stream = streamOf(await open(set, "3"));
    expect(await read(set, stream)).toEqual(["0", "1", "2", { done: "the end" }]);
    expect(await read(set, stream)).toEqual([{ done: undefined }]);
    expect([counter.closed, set.runner.stats().succeeded]).toEqual([1, 1]);
  });

  it("may be empty, of bytes, of any iterable, or of a promise of one", async () => {
    await using set = await stage();
    const counter = new Counter();
    await set.worker(counter.handler, { identity: "empty", labels: ["empty"] });
    expect(await read(set, streamOf(await open(set, "0", { require: ["empty"] })))).toEqual([{ done: "the end" }]);
    const bytes = Uint8Array.of(1, 2);
    await set.worker(async () => Readable.from(["a", bytes]), { labels: ["later"] });
    expect(await read(set, streamOf(await open(set, "", { require: ["later"] })))).toEqual(["a", bytes, { done: "" }]);
    expect((await open(set, "", { require: ["later"], timeout: 5 })).state).toBe("ok");
  });

  it("has one reader, who may ask ahead", async () => {
    await using set = await stage();
    await set.worker(new Counter().handler);
    const stream = streamOf(await open(set, "2"));
    const steps = await set.settle(Promise.all([stream.next(), stream.next(), stream.next(), stream.next()]));
    expect(steps.map(({ value }) => value)).toEqual(["0", "1", "the end", undefined]);
    expect(stream[Symbol.asyncIterator]()).toBe(stream);
  });

  it("is no more than the result, for a handler that gives none", async () => {
    await using set = await stage();
    await set.worker(({ data }) => data);
    expect((await open(set, "plain")).value).toBe("plain");
    await set.worker(() => Promise.reject(new Error("no")), { labels: ["bad"] });
    expect((await open(set, "", { require: ["bad"] })).error).toBeInstanceOf(ExecutionError);
  });

  it("is refused by `execute`, `map` and `verify`, and the handler's generator is closed", async () => {
    await using set = await stage();
    const closed: string[] = [];
    const iterable = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new Error("not to be pulled")),
        return: () => Promise.resolve({ done: true as const, value: void closed.push("closed") }),
      }),
    };
    await set.worker(() => iterable);
    expect(String((await set.execute("")).error)).toContain("or `open` of a runner");
    expect(closed).toEqual(["closed"]);
    await set.worker(() => iterable, { identity: "second" });
    expect(String((await open(set, "", { verify: 2 })).error)).toContain("without `verify`");
  });

  it("comes from a worker that cannot stream as an error of the handler", async () => {
    await using set = await stage();
    const peer = await set.peer({ features: FEATURE.relay });
    const opened = await open(set, "x");
    expect(peer.last("JOB").credit).toBeUndefined();
    peer.answer("plain");
    await set.clock.settle();
    expect(opened.value).toBe("plain");
  });
});

describe("a window", () => {
  it("bounds what is unread, and what was read is given back in halves", async () => {
    await using set = await stage();
    const counter = new Counter();
    await set.worker(counter.handler);
    // An item of 36 bytes costs 100.
    const stream = streamOf(await open(set, "1000 36", { streamWindow: 1_000 }));
    expect(counter.given).toBe(10);
    await read(set, stream, 4);
    expect(counter.given).toBe(10);
    await read(set, stream, 1);
    expect(counter.given).toBe(15);
    await read(set, stream, 500);
    expect(counter.given).toBe(515);
    await stream.return();
    await set.clock.settle();
    expect([counter.closed, counter.given]).toEqual([1, 515]);
  });

  it("lets one item through that is larger, and of a window of 1 one at a time", async () => {
    await using set = await stage();
    const counter = new Counter();
    await set.worker(counter.handler);
    const stream = streamOf(await open(set, "5 5000", { streamWindow: 1 }));
    for (let n = 1; n <= 5; n++) {
      expect(counter.given).toBe(n);
      expect((await next(set, stream)).value?.value).toHaveLength(5_000);
    }
    expect(await read(set, stream)).toEqual([{ done: "the end" }]);
  });

  it("shrinks to one item where the budget of all streams is used up, and grows when it is not", async () => {
    await using set = await stage({ maxStreamBytes: 1_000, streamWindow: 1_000 });
    const [first, second] = [new Counter(), new Counter()];
    await set.worker(first.handler, { labels: ["a"] });
    await set.worker(second.handler, { labels: ["b"] });
    const a = streamOf(await open(set, "100 36", { require: ["a"] }));
    const b = streamOf(await open(set, "100 36", { require: ["b"] }));
    expect([first.given, second.given]).toEqual([10, 1]);
    await read(set, b, 3);
    expect(second.given).toBe(4);
    await set.settle(a.return());
    await set.clock.settle();
    await read(set, b, 1);
    expect(second.given).toBe(15);
    expect((await read(set, b)).length).toBe(97);
    // Nothing is left reserved.
    const c = streamOf(await open(set, "100 36", { require: ["a"] }));
    expect(first.given).toBe(20);
    await c.return();
  });

  it("does not hold up the end of the call: what is unread is the reader's", async () => {
    await using set = await stage();
    await set.worker(new Counter().handler);
    const stream = streamOf(await open(set, "5"));
    expect(set.runner.stats()).toMatchObject({ running: 0, succeeded: 1 });
    await set.settle(set.runner.drain());
    expect(await read(set, stream)).toEqual(["0", "1", "2", "3", "4", { done: "the end" }]);
  });
});

describe("a reader that leaves", () => {
  it.each([
    ["by break", async (stream: PayloadStream): Promise<void> => void (await stream.return())],
    ["by await using", (stream: PayloadStream): Promise<void> => Promise.resolve(stream[Symbol.asyncDispose]())],
  ])("%s aborts the handler, and its finally runs", async (_name, leave) => {
    await using set = await stage();
    const counter = new Counter();
    await set.worker(counter.handler);
    const stream = streamOf(await open(set, "1000 10000"));
    await read(set, stream, 2);
    await set.settle(leave(stream));
    await set.clock.settle();
    expect([counter.closed, counter.signals[0]?.aborted]).toEqual([1, true]);
    expect(await read(set, stream)).toEqual([{ done: undefined }]);
    expect(set.runner.stats()).toMatchObject({ running: 0, failed: 1 });
    expect(set.of("job-settled")[0]?.ok).toBe(false);
    expect(set.runner.stats().workers[0]?.inFlight).toBe(0);
  });

  it("is told of nothing more, and a pending read ends", async () => {
    await using set = await stage();
    await set.worker(async function* () {
      yield "one";
      await new Promise(() => undefined);
    });
    const stream = streamOf(await open(set, ""));
    await read(set, stream, 1);
    const pending = await next(set, stream);
    await set.settle(stream.return());
    expect(pending.value).toEqual({ done: true, value: undefined });
  });

  it("after the end has nothing to abort", async () => {
    await using set = await stage();
    await set.worker(new Counter().handler);
    const stream = streamOf(await open(set, "2"));
    expect(await stream.return("mine")).toEqual({ done: true, value: "mine" });
    expect(set.runner.stats()).toMatchObject({ succeeded: 1, failed: 0 });
  });

  it("waits for the handler's pending step before its finally runs, and the slot is free only then", async () => {
    await using set = await stage();
    let finish = (): void => undefined;
    const log: string[] = [];
    await set.worker(async function* (_job, { signal }) {
      signal.addEventListener("abort", () => log.push("signal"));
      try {
        yield "one";
        await new Promise<void>((resolve) => (finish = resolve));
        log.push("went on");
        yield "two";
      } finally {
        log.push("finally");
      }
    });
    const stream = streamOf(await open(set, ""));
    await set.settle(stream.return());
    expect(log).toEqual(["signal"]);
    expect(set.runner.stats().workers[0]?.inFlight).toBe(1);
    finish();
    await set.clock.settle();
    expect(log).toEqual(["signal", "went on", "finally"]);
    expect(set.runner.stats().workers[0]?.inFlight).toBe(0);
  });
});

describe("a call that fails", () => {
  it("rejects its opening before anything came", async () => {
    await using set = await stage();
    await set.worker(async function* (): AsyncGenerator<Payload> {
      await Promise.reject(new Error("at once"));
      yield "never";
    });
    expect(String((await open(set, "")).error)).toContain("at once");
  });

  it("fails its reader after what had arrived", async () => {
    await using set = await stage();
    await set.worker(async function* () {
      yield "one";
      yield "two";
      throw new Error("broken");
    });
    const stream = streamOf(await open(set, ""));
    const [one, two, error] = await read(set, stream);
    expect([one, two]).toEqual(["one", "two"]);
    expect(error).toBeInstanceOf(ExecutionError);
    expect(await read(set, stream)).toEqual([{ done: undefined }]);
  });

  it.each([
    ["a number", 7, "a handler must return a string or a Uint8Array"],
    ["a lone surrogate", "\uD800", "lone surrogate"],
    ["over maxPayload", "x".repeat(2_000), "over the runner's limit"],
  ])("fails by an item that is %s, and the generator is closed", async (_name, item, message) => {
    await using set = await stage({ maxPayload: 1_000 });
    let closed = 0;
    await set.worker(async function* (): AsyncGenerator<Payload> {
      try {
        yield "good";
        yield item as Payload;
      } finally {
        closed++;
      }
    });
    const stream = streamOf(await open(set, "", { attempts: 1 }));
    const [good, error] = await read(set, stream);
    expect(good).toBe("good");
    expect(String(error)).toContain(message);
    expect(closed).toBe(1);
  });

  it("by its signal fails at once, whatever was unread", async () => {
    await using set = await stage();
    const counter = new Counter();
    await set.worker(counter.handler);
    const aborter = new AbortController();
    const stream = streamOf(await open(set, "1000 10000", { signal: aborter.signal }));
    await read(set, stream, 1);
    aborter.abort(new Error("enough"));
    expect(String((await read(set, stream))[0])).toContain("enough");
    await set.clock.settle();
    expect(counter.closed).toBe(1);
  });

  it("by its signal fails also what is left of a stream whose call has settled", async () => {
    await using set = await stage();
    await set.worker(new Counter().handler);
    const aborter = new AbortController();
    const stream = streamOf(await open(set, "5", { signal: aborter.signal }));
    expect(await read(set, stream, 2)).toEqual(["0", "1"]);
    expect(set.runner.stats().succeeded).toBe(1);
    aborter.abort(new Error("enough"));
    const [error, over] = [(await read(set, stream))[0], await read(set, stream)];
    expect([String(error), over]).toEqual(["Error: enough", [{ done: undefined }]]);
  });

  it("by a signal whose listener reads gives the budget back", async () => {
    await using set = await stage();
    await set.worker(new Counter().handler);
    const aborter = new AbortController();
    const read1: unknown[] = [];
    const holder: { stream?: PayloadStream } = {};
    aborter.signal.addEventListener(
      "abort",
      () =>
        void holder.stream?.next().then(
          (step) => read1.push(step.value),
          () => undefined,
        ),
    );
    const stream = (holder.stream = streamOf(await open(set, "1000 10000", { signal: aborter.signal })));
    await read(set, stream, 1);
    aborter.abort(new Error("enough"));
    await set.clock.settle();
    expect([set.runner.stats().streamBytes, read1.length]).toEqual([0, 1]);
  });

  it("by the runner's stop fails its reader, too", async () => {
    await using set = await stage();
    await set.worker(new Counter().handler);
    const stream = streamOf(await open(set, "1000 10000"));
    await set.settle(set.runner.stop());
    expect((await read(set, stream))[0]).toBeInstanceOf(RunnerStoppedError);
  });
});

describe("attempts", () => {
  async function lossy(set: Stage, reads: number): Promise<{ outcome: unknown[]; began: number }> {
    const counter = new Counter();
    const doomed = await set.worker(counter.handler, { identity: "doomed" });
    const stream = streamOf(await open(set, "20 10000"));
    const early = await read(set, stream, reads);
    await set.worker(counter.handler, { identity: "other" });
    await set.settle(doomed.stop());
    await set.clock.advance(10_000);
    return { outcome: [...early, ...(await read(set, stream))], began: counter.began };
  }

  it("follow one another until the reader was given an item: it sees those of the last one", async () => {
    await using set = await stage();
    const { outcome, began } = await lossy(set, 0);
    expect(began).toBe(2);
    expect(outcome.length).toBe(21);
    expect(outcome[20]).toEqual({ done: "the end" });
    expect(outcome.slice(0, 20).map((item) => Number.parseInt(String(item), 10))).toEqual([...Array(20).keys()]);
  });

  it("end with the one that an item was read of: what had arrived, then the loss", async () => {
    await using set = await stage();
    const { outcome, began } = await lossy(set, 1);
    expect(began).toBe(1);
    const error = outcome.at(-1);
    expect(error).toBeInstanceOf(WorkerLostError);
    expect(outcome.length).toBeGreaterThan(2);
    expect(outcome.slice(0, -1).map((item) => Number.parseInt(String(item), 10))).toEqual([
      ...Array(outcome.length - 1).keys(),
    ]);
  });

  it("that fail as retryable follow the same rule", async () => {
    await using set = await stage();
    let began = 0;
    await set.worker(async function* () {
      began++;
      yield `of ${began}`;
      if (began < 3) throw Object.assign(new Error("again"), { retryable: true });
    });
    const opened = await open(set, "");
    await set.clock.advance(10_000);
    expect(await read(set, streamOf(opened))).toEqual(["of 3", { done: "" }]);
  });
});

describe("the timeout of a streaming call", () => {
  it("is the longest silence of a worker that may send", async () => {
    await using set = await stage();
    await set.worker(async function* () {
      for (;;) {
        await new Promise<void>((resolve) => void set.clock.set(900, resolve));
        yield "tick";
      }
    });
    const opened = watch(set.runner.open("", { timeout: 1_000 }));
    await set.clock.advance(10_000);
    const stream = streamOf(opened);
    expect(await read(set, stream, 11)).toEqual([...Array(11).fill("tick")]);
    await set.settle(stream.return());
    await set.clock.advance(1_000);
  });

  it("ends a worker that falls silent, and names it", async () => {
    await using set = await stage();
    await set.worker(async function* (_job, { signal }) {
      yield "one";
      await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    const stream = streamOf(await open(set, "", { timeout: 1_000, attempts: 1 }));
    await set.clock.advance(1_000);
    const [one, error] = await read(set, stream);
    expect(one).toBe("one");
    expect(error).toBeInstanceOf(TimeoutError);
    expect(String(error)).toContain("sent nothing for over 1000 ms");
  });

  it("stands still while the reader takes its time, and begins anew with its credit", async () => {
    await using set = await stage();
    const counter = new Counter();
    await set.worker(counter.handler);
    const stream = streamOf(await open(set, "3 100", { timeout: 1_000, streamWindow: 1 }));
    for (let n = 0; n < 3; n++) {
      await set.clock.advance(60_000);
      expect(await read(set, stream, 1)).toHaveLength(1);
    }
    expect(await read(set, stream)).toEqual([{ done: "the end" }]);
  });

  it("holds again once there is credit", async () => {
    await using set = await stage();
    await set.worker(async function* (_job, { signal }) {
      yield "one";
      await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    const stream = streamOf(await open(set, "", { timeout: 1_000, streamWindow: 1 }));
    await set.clock.advance(60_000);
    await read(set, stream, 1);
    await set.clock.advance(999);
    const step = await next(set, stream);
    expect(step.state).toBe("pending");
    await set.clock.advance(1);
    expect(step.error).toBeInstanceOf(TimeoutError);
  });

  it("is not the deadline: that ends the whole call, reading included", async () => {
    await using set = await stage();
    const counter = new Counter();
    await set.worker(counter.handler);
    const stream = streamOf(await open(set, "1000 10000", { deadline: 5_000 }));
    await read(set, stream, 1);
    await set.clock.advance(5_000);
    const [error] = await read(set, stream);
    expect(error).toBeInstanceOf(TimeoutError);
    expect(String(error)).toContain("deadline");
    await set.clock.settle();
    expect(counter.closed).toBe(1);
  });
});

describe("a handler's stream", () => {
  it("is not pulled past an abort that came first", async () => {
    await using set = await stage();
    const reasons: unknown[] = [];
    await set.worker(async function* (_job, { signal }) {
      try {
        for (let n = 0; ; n++) yield String(n);
      } finally {
        reasons.push(signal.reason);
      }
    });
    const stream = streamOf(await open(set, "", { streamWindow: 10_000 }));
    await read(set, stream, 3);
    await set.settle(stream.return());
    await set.clock.settle();
    expect(reasons).toEqual([expect.any(AbortError)]);
  });

  it.each([
    ["no return", { next: () => Promise.resolve({ done: true as const, value: "x" }) }],
    [
      "a next that throws",
      {
        next: () => {
          throw new Error("next");
        },
      },
    ],
    ["no step", { next: () => Promise.resolve(undefined) }],
    [
      "a return that throws",
      {
        next: () => Promise.resolve({ done: false, value: 1 }),
        return: () => {
          throw new Error("return");
        },
      },
    ],
  ])("with %s ends its job like any other", async (_name, iterator) => {
    await using set = await stage();
    await set.worker(() => ({ [Symbol.asyncIterator]: () => iterator }) as never);
    const opened = await open(set, "", { attempts: 1 });
    expect(opened.state).not.toBe("pending");
    expect(set.runner.stats().workers[0]?.inFlight).toBe(0);
  });
});
