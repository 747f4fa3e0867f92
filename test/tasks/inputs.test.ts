/** Typed tasks that read streams of rows: what they are given, what is refused, and what becomes of the caller's source. */
import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it } from "vitest";
import { EncodingError, ExecutionError } from "../../src/core/errors.ts";
import { client, task, type TaskContext, tasks, transfer } from "../../src/tasks/index.ts";
import { stage, watch } from "../support/stage.ts";

interface Row {
  readonly id: bigint;
  readonly at: Date;
  readonly bytes: Uint8Array;
}

const text = {
  "~standard": { version: 1 as const, vendor: "test", validate: (value: unknown) => ({ value: String(value) }) },
};

const table = tasks({
  async *after({ date }: { date: Date }, { input }: TaskContext<Row>) {
    let seen = 0;
    for await (const row of input) {
      seen++;
      if (row.at > date) yield row;
    }
    return { seen };
  },
  first: async (_input: undefined, { input }: TaskContext<unknown>) => (await input.next()).value,
  twice: async (_input: undefined, context: TaskContext<number>) => {
    const both: unknown[] = [await context.input.next(), await context.input.next()];
    await context.input.return();
    return [...both, await context.input.next(), context.input === context.input];
  },
  checked: task({ input: text }, async (label: string, { input }: TaskContext<number>) => {
    let sum = 0;
    for await (const n of input) sum += n;
    return `${label} ${sum}`;
  }),
  ahead: (_input: undefined, { input, signal }: TaskContext<number>) => {
    void input.next();
    return new Promise<string>((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error));
    });
  },
  resumed: async function* (_input: undefined, { input, delivered, attempt }: TaskContext<number>) {
    let n = 0;
    for await (const row of input) {
      if (n++ < delivered) continue;
      yield row * 2;
      if (attempt === 1) throw Object.assign(new Error("broken off"), { retryable: true });
    }
  },
});

function rowOf(n: number): Row {
  return { id: BigInt(n), at: new Date(n), bytes: Uint8Array.of(n) };
}

async function served() {
  const set = await stage();
  await set.worker(table);
  return { set, api: client<typeof table>(set.runner) };
}

describe("rows", () => {
  it("arrive as the values they are, and may go out again as they come", async () => {
    const { set, api } = await served();
    await using _set = set;
    const got: unknown[] = [];
    const read = async (): Promise<unknown> => {
      const stream = await api.after({ date: new Date(1) }, { input: [rowOf(1), rowOf(2), rowOf(3)] });
      for (;;) {
        const { done, value } = await stream.next();
        if (done === true) return value;
        got.push(value);
      }
    };
    expect(await set.settle(read())).toEqual({ seen: 3 });
    expect(got).toEqual([rowOf(2), rowOf(3)]);
  });

  it("are read by one reader, who may stop, and by a task whose input has a schema", async () => {
    const { set, api } = await served();
    await using _set = set;
    const twice = await set.settle(api.twice(undefined, { input: () => [1, 2, 3] }));
    expect(twice).toEqual([
      { value: 1, done: false },
      { value: 2, done: false },
      { value: undefined, done: true },
      true,
    ]);
    expect(await set.settle(api.checked(7, { input: new Set([1, 2]) }))).toBe("7 3");
  });

  it("that cannot be carried fail the call with their path, and close the source", async () => {
    const { set, api } = await served();
    await using _set = set;
    const closed: string[] = [];
    const rows = async function* (value: unknown): AsyncGenerator {
      try {
        yield value;
        yield "more";
      } finally {
        closed.push("closed");
      }
    };
    const calls = [{ deep: [() => 1] }, new SharedArrayBuffer(8)].map((value) =>
      watch(api.first(undefined, { input: rows(value) })),
    );
    await set.clock.settle();
    expect(calls.map(({ error }) => error)).toEqual([
      expect.objectContaining({ message: expect.stringContaining("item.deep[0]") }),
      expect.any(EncodingError),
    ]);
    const given = watch(api.first(undefined, { input: rows(transfer({ a: new ArrayBuffer(8) })) }));
    await set.clock.settle();
    expect([given.error instanceof TypeError, closed.length]).toEqual([true, 3]);
  });

  it("that are missing fail the task that reads them, as an input that does not fit", async () => {
    const { set } = await served();
    await using _set = set;
    const untyped = client<{ first: () => Promise<unknown> }>(set.runner);
    const call = watch(untyped.first());
    await set.clock.settle();
    expect(call.error).toBeInstanceOf(ExecutionError);
    expect(call.error).toMatchObject({ remoteCode: "INVALID_INPUT", message: expect.stringContaining("`input`") });
  });

  it("that are no rows are a wrong option", async () => {
    const { set, api } = await served();
    await using _set = set;
    const call = watch(api.first(undefined, { input: "text" as never }));
    await set.clock.settle();
    expect(call.error).toMatchObject({ name: "TypeError", message: expect.stringContaining("expected `input`") });
  });

  it("are pulled in the async context of their caller", async () => {
    const { set, api } = await served();
    await using _set = set;
    const requests = new AsyncLocalStorage<string>();
    const rows = async function* (): AsyncGenerator<string | undefined> {
      await null;
      yield requests.getStore();
    };
    expect(await set.settle(requests.run("mine", () => api.first(undefined, { input: rows })))).toBe("mine");
  });

  it("are given anew to another attempt of a stream that is resumed", async () => {
    const { set, api } = await served();
    await using _set = set;
    const got: number[] = [];
    const read = async (): Promise<void> => {
      const options = { input: () => [1, 2, 3], resume: true, streamWindow: 1 };
      for await (const n of api.resumed(undefined, options)) got.push(n);
    };
    const reading = watch(read());
    await set.clock.advance(1_000);
    expect([reading.state, got]).toEqual(["ok", [2, 4, 6]]);
  });

  it("close a source that waits for its next row when the task has its result", async () => {
    const { set, api } = await served();
    await using _set = set;
    let closed = 0;
    let gave = false;
    const source: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => (gave ? new Promise(() => undefined) : ((gave = true), Promise.resolve({ done: false, value: 5 }))),
        return: async () => {
          closed++;
          return { done: true, value: undefined };
        },
      }),
    };
    expect(await set.settle(api.first(undefined, { input: source }))).toBe(5);
    await set.clock.settle();
    expect(closed).toBe(1);
  });

  it("read ahead and not waited for end no process when the call is aborted", async () => {
    const { set, api } = await served();
    await using _set = set;
    const rejections: unknown[] = [];
    const note = (reason: unknown): void => void rejections.push(reason);
    process.on("unhandledRejection", note);
    try {
      const aborter = new AbortController();
      const rows: AsyncIterable<number> = {
        [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }),
      };
      const call = watch(api.ahead(undefined, { input: rows, signal: aborter.signal }));
      await set.clock.settle();
      aborter.abort();
      await set.clock.settle();
      await new Promise((resolve) => setImmediate(resolve));
      expect([call.state, rejections]).toEqual(["failed", []]);
    } finally {
      process.off("unhandledRejection", note);
    }
  });

  it("fail the call at once, whatever their source does at its end", async () => {
    const { set, api } = await served();
    await using _set = set;
    const rows = async function* (): AsyncGenerator {
      try {
        yield () => 1;
      } finally {
        await new Promise(() => undefined);
      }
    };
    const call = watch(api.first(undefined, { input: rows() }));
    await set.clock.settle();
    expect(call.error).toBeInstanceOf(EncodingError);
    const odd: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({ next: async () => 5 as never }),
    };
    const wrong = watch(api.first(undefined, { input: odd }));
    await set.clock.settle();
    expect(wrong.error).toMatchObject({ name: "TypeError", message: expect.stringContaining("no object") });
  });
});
