/** Typed tasks that give streams, and progress: what callers read, and what the compiler knows of it. */
import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, expectTypeOf, it } from "vitest";
import { EncodingError, ExecutionError } from "../../src/core/errors.ts";
import type { Handler } from "../../src/core/worker/execution.ts";
import { withTasks } from "../../src/core/worker/handler-lifecycle.ts";
import { cbor, client, type Stream, task, tasks } from "../../src/tasks/index.ts";
import { stage, watch } from "../support/stage.ts";

class Broken extends Error {
  readonly page: number;
  constructor(page: number) {
    super("broken");
    this.page = page;
  }
}

interface Page {
  readonly number: number;
  readonly at: Date;
  readonly pixels: Uint8Array;
}

let closed = 0;
const requests = new AsyncLocalStorage<string>();

const book = tasks(
  {
    async *pages({ count, breakAt = -1 }: { count: number; breakAt?: number }, { progress, signal }) {
      try {
        for (let number = 0; number < count; number++) {
          if (number === breakAt) throw new Broken(number);
          progress({ number });
          yield { number, at: new Date(number), pixels: Uint8Array.of(number) };
          signal.throwIfAborted();
        }
        return new Set(["done"]);
      } finally {
        closed++;
      }
    },
    async later(words: readonly string[]) {
      await null;
      return new ReadableStream<string>({
        start: (controller) => {
          for (const word of words) controller.enqueue(word);
          controller.close();
        },
      });
    },
    title: () => "a book",
    progress: (_input: undefined, { progress }) => {
      progress(() => "not a value");
    },
    steps: (steps: number, { progress }) => {
      for (let n = 1; n <= steps; n++) progress({ step: BigInt(n) });
      return steps;
    },
    async *leaky() {
      yield { fine: true };
      yield { run: () => undefined };
    },
    async *broken() {
      try {
        yield 1;
        yield () => 1;
      } finally {
        closed++;
      }
    },
    async *fails(): AsyncGenerator<number> {
      await Promise.reject(new Error("no"));
      yield 1;
    },
    async *where() {
      yield requests.getStore();
      await null;
      yield requests.getStore();
    },
  },
  { errors: [Broken], around: (run, { headers }) => requests.run(headers.get("request-id") ?? "", run) },
);

describe("a task that gives a stream", () => {
  it("is read by for await, without another await, and its values are what they were", async () => {
    await using set = await stage();
    await set.worker(book);
    const api = client<typeof book>(set.runner);
    const read = async (): Promise<Page[]> => {
      const pages: Page[] = [];
      for await (const page of api.pages({ count: 3 })) pages.push(page);
      return pages;
    };
    expect(await set.settle(read())).toEqual(
      [0, 1, 2].map((number) => ({ number, at: new Date(number), pixels: Uint8Array.of(number) })),
    );
  });

  it("gives its stream to `await`, with what it returned at the end", async () => {
    await using set = await stage();
    await set.worker(book);
    const api = client<typeof book>(set.runner);
    const stream = await set.settle(api.pages({ count: 1 }));
    expect((await set.settle(stream.next())).value).toMatchObject({ number: 0 });
    expect(await set.settle(stream.next())).toEqual({ done: true, value: new Set(["done"]) });
    expect(await set.settle(stream.next())).toEqual({ done: true, value: undefined });
    const words: string[] = [];
    const reading = (async (): Promise<void> => {
      for await (const word of api.later(["a", "b"])) words.push(word);
    })();
    await set.settle(reading);
    expect(words).toEqual(["a", "b"]);
  });

  it("ends its generator when its reader breaks", async () => {
    await using set = await stage();
    await set.worker(book);
    const api = client<typeof book>(set.runner);
    const before = closed;
    const reading = (async (): Promise<number> => {
      for await (const { number } of api.pages({ count: 100_000 })) if (number === 2) return number;
      return -1;
    })();
    expect(await set.settle(reading)).toBe(2);
    await set.clock.settle();
    expect(closed).toBe(before + 1);
  });

  it("fails its reader with the error that the task threw, an instance of its class", async () => {
    await using set = await stage();
    await set.worker(book);
    const api = client<typeof book>(set.runner, { errors: [Broken] });
    const read: number[] = [];
    const reading = (async (): Promise<void> => {
      for await (const { number } of api.pages({ count: 5, breakAt: 2 })) read.push(number);
    })();
    const error: unknown = await set.settle(reading.catch((caught: unknown) => caught));
    expect(read).toEqual([0, 1]);
    expect(error).toBeInstanceOf(ExecutionError);
    expect(error instanceof ExecutionError && error.cause).toBeInstanceOf(Broken);
    expect(error).toMatchObject({ cause: { page: 2 } });
  });

  it("names what cannot be carried, after what could", async () => {
    await using set = await stage();
    await set.worker(book);
    const stream = await set.settle(client<typeof book>(set.runner).leaky());
    expect((await set.settle(stream.next())).value).toEqual({ fine: true });
    await expect(set.settle(stream.next())).rejects.toThrow("result.run: a function");
  });

  it("has ended its generator when an item cannot be carried", async () => {
    await using set = await stage();
    await set.worker(book);
    const before = closed;
    const stream = await set.settle(client<typeof book>(set.runner).broken());
    await set.settle(stream.next());
    await expect(set.settle(stream.next())).rejects.toThrow("a function");
    expect(closed).toBe(before + 1);
  });

  it("is left by an iterator of its call, at once if it has begun, else as soon as it has", async () => {
    await using set = await stage();
    await set.worker(book, { capacity: 4 });
    const api = client<typeof book>(set.runner);
    const before = closed;
    const unread = api.pages({ count: 100_000 })[Symbol.asyncIterator]();
    expect(await set.settle(unread.return?.() ?? Promise.reject(new Error("no return")))).toMatchObject({ done: true });
    await set.clock.settle();
    expect(closed).toBe(before + 1);
    const waiting = api.pages({ count: 100_000 })[Symbol.asyncIterator]();
    await set.settle(waiting.next());
    await set.settle(waiting.return?.() ?? Promise.reject(new Error("no return")));
    await set.clock.settle();
    expect([closed, set.runner.stats().running]).toEqual([before + 2, 0]);
    // What fails after its reader has left is nobody's.
    const failing = api.fails()[Symbol.asyncIterator]();
    const pending = watch(failing.next());
    await failing.return?.();
    await set.clock.settle();
    expect(pending.value).toEqual({ done: true, value: undefined });
  });

  it("gives nothing after an item that cannot be read, however many are asked for at once", async () => {
    await using set = await stage();
    const values = [cbor().encode(1, ""), Uint8Array.of(0xff), cbor().encode(3, "")];
    const raw: Handler = async function* () {
      yield* values;
    };
    await set.worker(withTasks(raw, { names: ["raw"] }));
    const stream = await set.settle(client<{ raw(): AsyncIterable<number> }>(set.runner).raw());
    const steps = [1, 2, 3, 4].map(() => watch(stream.next()));
    await set.clock.settle();
    expect(steps.map(({ state, value }) => (state === "ok" ? (value?.value ?? "over") : state))).toEqual([
      1,
      "failed",
      "over",
      "over",
    ]);
  });

  it("of no stream says so", async () => {
    await using set = await stage();
    await set.worker(book);
    const api = client<typeof book>(set.runner);
    const read = async (): Promise<void> => {
      // @ts-expect-error -- a value is not read as a stream
      for await (const letter of api.title()) expect(letter).toBeUndefined();
    };
    await expect(set.settle(read())).rejects.toThrow(EncodingError);
    expect(await set.settle(api.title())).toBe("a book");
  });

  it("runs in what `around` gives it, wherever it is pulled", async () => {
    await using set = await stage();
    await set.worker(book);
    const api = client<typeof book>(set.runner, { headers: { "request-id": "r-7" } });
    const seen: unknown[] = [];
    const reading = (async (): Promise<void> => {
      for await (const id of api.where()) seen.push(id);
    })();
    await set.settle(reading);
    expect(seen).toEqual(["r-7", "r-7"]);
  });

  it("is taken from a leased worker, and not with `verify`", async () => {
    await using set = await stage();
    await set.worker(book);
    const lease = await set.settle(set.runner.workers.acquire());
    const stream = await set.settle(client<typeof book>(lease).pages({ count: 1 }));
    expect((await set.settle(stream.next())).value).toMatchObject({ number: 0 });
    await stream.return();
    await lease[Symbol.asyncDispose]();
    await set.clock.settle();
    const verified = watch(client<typeof book>(set.runner, { verify: 2 }).pages({ count: 1 }) as Promise<unknown>);
    await set.clock.advance(10_000);
    expect(verified.state).toBe("failed");
  });
});

describe("progress of a task", () => {
  it("is a value", async () => {
    await using set = await stage();
    await set.worker(book);
    const api = client<typeof book>(set.runner);
    const heard: unknown[] = [];
    const call = watch(api.steps(3, { onProgress: (value) => heard.push(value) }));
    await set.clock.settle();
    expect([call.value, heard]).toEqual([3, [{ step: 3n }]]);
    expect(await set.settle(api.steps(3))).toBe(3);
  });

  it("of a worker that speaks no values is not heard", async () => {
    await using set = await stage();
    const raw: Handler = (_job, { progress }) => {
      progress("50 %");
      return cbor().encode(1, "");
    };
    await set.worker(withTasks(raw, { names: ["raw"] }));
    const heard: unknown[] = [];
    const call = watch(
      client<{ raw(): number }>(set.runner).raw(undefined, { onProgress: (value) => heard.push(value) }),
    );
    await set.clock.settle();
    expect([call.value, heard]).toEqual([1, []]);
  });

  it("that cannot be carried throws where it is made, if it is heard", async () => {
    await using set = await stage();
    await set.worker(book);
    const api = client<typeof book>(set.runner);
    await set.settle(api.progress());
    const heard = { onProgress: (): void => undefined };
    await expect(set.settle(api.progress(undefined, heard))).rejects.toThrow("progress: a function");
  });
});

it("is typed as the task is", () => {
  const api = client<typeof book>({ execute: () => Promise.resolve("") });
  expectTypeOf(api.pages).parameter(0).toEqualTypeOf<{ count: number; breakAt?: number }>();
  expectTypeOf<Awaited<ReturnType<typeof api.pages>>>().toExtend<Stream<Page, Set<string>>>();
  expectTypeOf<Awaited<ReturnType<typeof api.later>>>().toExtend<Stream<string, unknown>>();
  expectTypeOf<Awaited<ReturnType<typeof api.title>>>().toEqualTypeOf<string>();
  // @ts-expect-error -- a stream is no value of a map
  expectTypeOf(api.pages.map).toBeFunction();
  expectTypeOf(api.title.map).toBeFunction();
  // @ts-expect-error -- a wrong input
  const wrong = (): unknown => api.pages({ count: "3" });
  // @ts-expect-error -- an unknown task
  const unknown = (): unknown => api.chapters();
  // @ts-expect-error -- a value is not read as a stream
  const value = (): unknown => api.title()[Symbol.asyncIterator];
  const checked = tasks({
    lines: task(
      { input: { "~standard": { version: 1, vendor: "x", validate: (given) => ({ value: Number(given) }) } } },
      async function* (n: number) {
        yield n;
      },
    ),
  });
  const lines = client<typeof checked>({ execute: () => Promise.resolve("") });
  expectTypeOf<Awaited<ReturnType<typeof lines.lines>>>().toExtend<Stream<number, unknown>>();
  // `any` is a value: what is known of it is up to its caller.
  const loose = client<{ parse(text: string): ReturnType<typeof JSON.parse> }>({ execute: () => Promise.resolve("") });
  expectTypeOf<ReturnType<typeof loose.parse>>().toEqualTypeOf<Promise<ReturnType<typeof JSON.parse>>>();
  expectTypeOf(loose.parse.map).toBeFunction();
  // An interface for a worker in another language.
  interface Vision {
    watch(input: { camera: string }): AsyncIterable<{ at: Date }>;
    detect(input: { image: Uint8Array }): Promise<{ label: string }[]>;
  }
  const vision = client<Vision>({ execute: () => Promise.resolve("") });
  expectTypeOf<Awaited<ReturnType<typeof vision.watch>>>().toExtend<AsyncIterable<{ at: Date }>>();
  expectTypeOf<Awaited<ReturnType<typeof vision.detect>>>().toEqualTypeOf<{ label: string }[]>();
  expect([wrong, unknown, value]).toHaveLength(3);
});
