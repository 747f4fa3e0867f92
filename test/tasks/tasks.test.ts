/** Typed tasks from a caller to a worker and back: values, errors, schemas, context. */
import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it } from "vitest";
import { EncodingError, ExecutionError, NoWorkerError } from "../../src/core/errors.ts";
import { cbor, client, type Schema, task, tasks, type ValueCodec } from "../../src/tasks/index.ts";
import type { Outcome } from "../../src/core/dispatch/map.ts";
import { withTasks } from "../../src/core/worker/handler-lifecycle.ts";
import { type Stage, stage } from "../support/stage.ts";
import { errorOf } from "../support/job-texts.ts";

class CardDeclined extends Error {
  readonly reason: string;
  constructor(reason: string) {
    super(`declined: ${reason}`);
    this.reason = reason;
  }
}

/** A schema of numbers that turns texts into them. */
const amount: Schema<string | number, number> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => {
      const number = Number(value);
      return Number.isFinite(number)
        ? { value: number }
        : { issues: [{ message: "not a number", path: ["amount", { key: 0 }] }] };
    },
  },
};

const later: Schema<string> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: async (value) => (value === "ok" ? { value: "ok" } : { issues: [{ message: "not ok" }] }),
  },
};

const math = tasks({
  add: (input: { a: number; b: number }) => input.a + input.b,
  async echo(input: unknown) {
    await Promise.resolve();
    return input;
  },
  ping: () => "pong" as const,
  who: (_input: undefined, { headers, identity, attempt }) => ({ identity, attempt, headers: new Map(headers) }),
  charge: (reason: string) => {
    throw new CardDeclined(reason);
  },
  double: task({ input: amount }, (value) => 2 * value),
  check: task({ input: later }, (value) => value),
  again: (_input: undefined, { attempt }) => {
    if (attempt < 2) throw Object.assign(new Error("not yet"), { retryable: true });
    return attempt;
  },
  leak: () => ({ deep: [() => undefined] }),
  *stream() {
    yield 1;
  },
});

describe("a client", () => {
  it("calls the tasks of a worker with ordinary values", async () => {
    await using set = await stage();
    await set.worker(math, { identity: "w" });
    const api = client<typeof math>(set.runner);
    const value = {
      at: new Date(1_000),
      names: new Set(["a"]),
      ages: new Map([["b", 5n]]),
      pixels: Uint8Array.of(1, 2),
      rows: Float64Array.of(0.5),
      none: undefined,
      zero: -0,
    };
    expect(await set.settle(api.echo(value))).toEqual(value);
    expect(await set.settle(api.add({ a: 1, b: 2 }))).toBe(3);
    const pong: "pong" = await set.settle(api.ping());
    expect(pong).toBe("pong");
    expect(await set.settle(api.echo())).toBeUndefined();
    const { add } = api;
    expect(await set.settle(add({ a: 2, b: 3 }))).toBe(5);
    expect(api.add).toBe(add);
  });

  it("can be awaited, printed and compared, and is no task then", async () => {
    await using set = await stage();
    const api = client<typeof math>(set.runner);
    expect(await api).toBe(api);
    expect([JSON.stringify(api), Object.keys(api), String(Reflect.get(api, Symbol.toStringTag))]).toEqual([
      "{}",
      [],
      "undefined",
    ]);
    expect(api).toEqual(api);
    expect(Reflect.get(api, "not a name")).toBeUndefined();
    expect(["toString", "valueOf", "toLocaleString"].map((name) => Reflect.get(api, name))).toEqual(
      Array(3).fill(undefined),
    );
    expect(set.runner.stats().submitted).toBe(0);
  });

  it("sends what a call and its client say besides, the call's own last", async () => {
    await using set = await stage();
    const store = new AsyncLocalStorage<string>();
    await set.worker(math, { identity: "w", labels: ["gpu"] });
    const headers = (): [string, string][] => [
      ["request", store.getStore() ?? "none"],
      ["tenant", "a"],
    ];
    const api = client<typeof math>(set.runner, { headers, require: ["gpu"] });
    const told = await store.run("r1", () => set.settle(api.who(undefined, { headers: { tenant: "b" } })));
    expect(told).toEqual({
      identity: "w",
      attempt: 1,
      headers: new Map([
        ["request", "r1"],
        ["tenant", "b"],
      ]),
    });
    const failed = await set.settle(
      api.ping(undefined, { require: ["tpu"], failFast: true }).catch((error: unknown) => error),
    );
    expect(failed).toBeInstanceOf(NoWorkerError);
  });

  it("refuses what cannot be carried, with the path to it, and sends nothing", async () => {
    await using set = await stage();
    await set.worker(math);
    const api = client<typeof math>(set.runner);
    const error = await set.settle(api.echo({ owner: [new CardDeclined("x")] }).catch((caught: unknown) => caught));
    expect(error).toBeInstanceOf(EncodingError);
    expect(String(error)).toContain("input.owner[0]");
    expect(set.runner.stats().submitted).toBe(0);
  });

  it("is for what runs jobs, with options that fit", () => {
    expect(String(errorOf(() => client(null as never)))).toContain("client: expected a JobRunner");
    expect(errorOf(() => client({ execute: async () => "" }, { errors: [Map as never] }))).toBeInstanceOf(TypeError);
  });

  it("says so when a worker answers with a text", async () => {
    await using set = await stage();
    const api = client<typeof math>({ execute: async () => "text" });
    expect(await set.settle(api.ping().catch((error: unknown) => error))).toBeInstanceOf(EncodingError);
  });
});

describe("the map of a task", () => {
  interface Seen {
    readonly ok: boolean;
    readonly index: number;
    readonly input: unknown;
    readonly value?: unknown;
    readonly error?: unknown;
  }

  async function read(set: Stage, outcomes: AsyncIterable<Seen>): Promise<Seen[]> {
    const all: Seen[] = [];
    const reading = (async (): Promise<void> => {
      for await (const outcome of outcomes) all.push(outcome);
    })();
    await set.settle(reading);
    return all;
  }

  it("gives an outcome with the value for each input, in order", async () => {
    await using set = await stage();
    await set.worker(math, { capacity: 4 });
    const api = client<typeof math>(set.runner);
    const inputs = [1, 2, 3].map((a) => ({ a, b: 10 }));
    expect(await read(set, api.add.map(inputs, { concurrency: 2 }))).toMatchObject([
      { ok: true, index: 0, input: inputs[0], value: 11, attempts: [{ outcome: "ok" }] },
      { ok: true, index: 1, input: inputs[1], value: 12 },
      { ok: true, index: 2, input: inputs[2], value: 13 },
    ]);
    expect(api.add.map).toBe(api.add.map);
  });

  it("takes calls that fail, and inputs that cannot be carried, for outcomes, and goes on", async () => {
    await using set = await stage();
    const shop = tasks(
      { charge: (reason: unknown) => (reason === "ok" ? "charged" : raise(new CardDeclined(String(reason)))) },
      { errors: [CardDeclined] },
    );
    await set.worker(shop);
    const api = client<typeof shop>(set.runner, { errors: [CardDeclined] });
    const [first, second, third, fourth] = await read(set, api.charge.map(["no", { f: () => 1 }, "ok", Symbol("s")]));
    expect(first).toMatchObject({ ok: false, error: { cause: { reason: "no" } } });
    expect(first?.error instanceof ExecutionError && first.error.cause).toBeInstanceOf(CardDeclined);
    expect(second).toMatchObject({ ok: false, index: 1, attempts: [] });
    expect(String(second?.error)).toContain("input.f");
    expect(third).toMatchObject({ ok: true, value: "charged" });
    expect(fourth?.error).toBeInstanceOf(EncodingError);
  });

  it("takes the options and the headers of its client and of the call, in the context of its caller", async () => {
    await using set = await stage();
    const store = new AsyncLocalStorage<string>();
    await set.worker(math, { identity: "w", labels: ["gpu"] });
    const headers = (): Record<string, string> => ({ request: store.getStore() ?? "none" });
    const api = client<typeof math>(set.runner, { headers, require: ["gpu"] });
    const outcomes = store.run("r1", () => api.who.map([undefined], { headers: { tenant: "b" } }));
    const [only] = await read(set, outcomes);
    expect(only?.value).toMatchObject({ headers: new Map(Object.entries({ request: "r1", tenant: "b" })) });
    const [missing] = await read(set, api.ping.map([undefined], { require: ["tpu"], failFast: true }));
    expect(missing?.error).toBeInstanceOf(NoWorkerError);
    await expect(set.settle(api.ping.map([], { concurrency: 0 }).next())).rejects.toThrow(RangeError);
  });

  it("pulls its inputs only as results are read, and aborts what runs when the loop is left", async () => {
    await using set = await stage();
    await set.worker(math, { capacity: 2 });
    let pulled = 0;
    let isClosed = false;
    const endless = function* (): Generator<number> {
      try {
        for (;;) yield pulled++;
      } finally {
        isClosed = true;
      }
    };
    const outcomes = client<typeof math>(set.runner).echo.map(endless(), { window: 4 });
    expect(await set.settle(outcomes.next())).toMatchObject({ value: { ok: true, value: 0 } });
    expect(pulled).toBe(5);
    await set.settle(outcomes.return());
    expect([isClosed, set.runner.stats().running]).toEqual([true, 0]);
  });

  it("is a failed outcome for an answer that is no value", async () => {
    await using set = await stage();
    await set.worker(withTasks(() => "text", { names: ["ping", "add"] }));
    const [only] = await read(set, client<typeof math>(set.runner).ping.map([undefined]));
    expect(only).toMatchObject({ ok: false, error: { name: "EncodingError" }, attempts: [{ outcome: "ok" }] });
  });

  it("needs a runner that has one", () => {
    const api = client<typeof math>({ execute: async () => "" });
    expect(String(errorOf(() => api.ping.map([])))).toContain("`ping.map` needs a runner");
  });
});

describe("what a task throws", () => {
  it("is the cause of the error, of its class where that is registered at both ends", async () => {
    await using set = await stage();
    const shop = tasks(
      { charge: (reason: string): never => raise(new CardDeclined(reason)) },
      { errors: [CardDeclined] },
    );
    await set.worker(shop);
    const api = client<typeof shop>(set.runner, { errors: [CardDeclined] });
    const error: unknown = await set.settle(api.charge("empty").catch((caught: unknown) => caught));
    expect(error).toBeInstanceOf(ExecutionError);
    const { cause } = error as ExecutionError;
    expect(cause).toBeInstanceOf(CardDeclined);
    expect(cause).toMatchObject({ reason: "empty", message: "declined: empty" });
  });

  it("has its fields as values, for the call and for the outcome of a map", async () => {
    await using set = await stage();
    const thrown = Object.assign(new CardDeclined("x"), { at: new Date(1), seen: new Set([1n]), f: () => 1 });
    const shop = tasks({ charge: (): never => raise(thrown) }, { errors: [CardDeclined] });
    await set.worker(shop);
    const api = client<typeof shop>(set.runner, { errors: [CardDeclined] });
    const told = { reason: "x", at: new Date(1), seen: new Set([1n]), dropped: ["f"] };
    const error: unknown = await set.settle(api.charge().catch((caught: unknown) => caught));
    expect(error).toMatchObject({ cause: told });
    expect(error instanceof ExecutionError && error.cause).toBeInstanceOf(CardDeclined);
    expect((await set.settle(api.charge.map([undefined]).next())).value).toMatchObject({ error: { cause: told } });
  });

  it("keeps its words when the caller has another codec", async () => {
    await using set = await stage();
    await set.worker(tasks({ fail: (): never => raise(Object.assign(new Error("no"), { at: new Date(1) })) }));
    const codec: ValueCodec = {
      name: "odd",
      encode: () => cbor().encode(undefined, ""),
      decode: () => raise(new Error("bad")),
    };
    const api = client<{ fail(): never }>(set.runner, { codec });
    const error: unknown = await set.settle(api.fail().catch((caught: unknown) => caught));
    expect(error).toMatchObject({ remoteMessage: "no", cause: { message: "no" } });
    expect(error).not.toHaveProperty("cause.at");
  });

  it("is tried again when it says so", async () => {
    await using set = await stage();
    await set.worker(math);
    const call = client<typeof math>(set.runner).again();
    await set.clock.advance(5_000);
    expect(await call).toBe(2);
  });

  it.each([
    ["a function deep in a result", "leak", "result.deep[0]"],
    ["a generator that is not async", "stream", "result"],
  ] as const)("is an error that names the path for %s", async (_what, name, path) => {
    await using set = await stage();
    await set.worker(math);
    const { [name]: call } = client<typeof math>(set.runner);
    const error: unknown = await set.settle(call().catch((caught: unknown) => caught));
    expect(error).toBeInstanceOf(ExecutionError);
    expect(String(error)).toContain(path);
  });

  it("is INVALID_INPUT with the issues for what a schema does not take, and the function does not run", async () => {
    await using set = await stage();
    await set.worker(math);
    const api = client<typeof math>(set.runner);
    expect(await set.settle(api.double("21"))).toBe(42);
    expect(await set.settle(api.check("ok"))).toBe("ok");
    const error: unknown = await set.settle(api.double("many").catch((caught: unknown) => caught));
    expect(error).toMatchObject({
      remoteCode: "INVALID_INPUT",
      remoteMessage: "the input of `double` does not fit: amount.0: not a number",
      cause: { issues: [{ message: "not a number", path: ["amount", "0"] }] },
      attempts: [{ outcome: "error" }],
    });
    expect(await set.settle(api.check("no").catch((caught: unknown) => caught))).toMatchObject({
      remoteCode: "INVALID_INPUT",
    });
  });

  it("is UNKNOWN_TASK for a job that names none", async () => {
    await using set = await stage();
    await set.worker(math);
    const { error } = await set.execute("text");
    expect(error).toMatchObject({ remoteCode: "UNKNOWN_TASK" });
    expect(String(error)).toContain("this worker has the tasks add, echo, ping");
  });
});

describe("tasks", () => {
  it("run inside `around`, with their headers", async () => {
    await using set = await stage();
    const store = new AsyncLocalStorage<string | undefined>();
    const traced = tasks(
      { where: () => store.getStore() },
      { around: (run, { headers }) => store.run(headers.get("trace"), run) },
    );
    await set.worker(traced);
    expect(await set.settle(client<typeof traced>(set.runner, { headers: { trace: "t1" } }).where())).toBe("t1");
  });

  it.each<[string, unknown, string]>([
    ["no functions", {}, "1 to 200 functions"],
    ["a name that is none", { "a b": () => 1 }, "cannot name a task"],
    ["a name that JavaScript asks for", { then: () => 1 }, "`then` cannot name a task"],
    ["what is no function", { a: 1 }, "expected `a` to be a function"],
    ["no record", null, "a record of functions"],
  ])("are refused for %s", (_what, record, message) => {
    expect(String(errorOf(() => tasks(record as never)))).toContain(message);
  });

  it("and their options are checked", () => {
    expect(errorOf(() => tasks({ a: () => 1 }, { inti: () => 1 } as never))).toBeInstanceOf(TypeError);
    expect(errorOf(() => task({} as never, () => 1))).toBeInstanceOf(TypeError);
    expect(errorOf(() => task({ input: amount }, 1 as never))).toBeInstanceOf(TypeError);
  });

  it("may be another language's: an interface is enough for a client", async () => {
    interface Vision {
      detect(input: { image: Uint8Array }): Promise<{ label: string }[]>;
    }
    await using set = await stage();
    await set.worker(tasks({ detect: ({ image }: { image: Uint8Array }) => [{ label: `${image.length} bytes` }] }));
    const found: { label: string }[] = await set.settle(
      client<Vision>(set.runner).detect({ image: new Uint8Array(3) }),
    );
    expect(found).toEqual([{ label: "3 bytes" }]);
  });

  it("are called with the types they have", () => {
    const api = client<typeof math>({ execute: async () => "" });
    // What the compiler refuses; nothing of it runs.
    void ((): unknown => [
      // @ts-expect-error a missing field
      api.add({ a: 1 }),
      // @ts-expect-error a missing input
      api.add(),
      // @ts-expect-error an unknown task
      api.subtract({ a: 1, b: 2 }),
      // @ts-expect-error what the schema does not take
      api.double(true),
      // @ts-expect-error not what it gives
      api.ping() satisfies Promise<number>,
      api.double("1") satisfies Promise<number>,
      api.add.map([{ a: 1, b: 2 }]) satisfies AsyncGenerator<Outcome<{ a: number; b: number }, number>>,
      api.double.map(["1", 2]) satisfies AsyncGenerator<Outcome<string | number, number>>,
      // @ts-expect-error an input that is none
      api.add.map([{ a: 1 }]),
      // @ts-expect-error a list, not one input
      api.add.map({ a: 1, b: 2 }),
    ]);
    expect(typeof api.add).toBe("function");
  });
});

function raise(error: Error): never {
  throw error;
}
