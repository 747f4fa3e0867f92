import { expect, test } from "vitest";
import { ExecutionError, JobRunner } from "powerhose";
import { threads } from "powerhose/threads";
import { commands, failureOf, inline, setUp, sharedCounter, until } from "./stage.ts";

test("a job is run in another thread, and what the handler throws fails the job and not the thread", async () => {
  await using stage = await setUp();
  expect(await stage.runner.execute("echo:hello")).toBe("hello");
  expect(Number(await stage.runner.execute("thread"))).toBeGreaterThan(0);
  const error = await failureOf(stage.runner.execute("fail:no such thing"));
  expect(error).toBeInstanceOf(ExecutionError);
  expect(error).toMatchObject({ remoteName: "TypeError", remoteMessage: "no such thing" });
  expect(await stage.runner.execute("echo:still here")).toBe("still here");
  expect(stage.events.filter((event) => event.type === "worker-gone")).toEqual([]);
});

test("four threads work side by side", async () => {
  const counter = sharedCounter();
  await using stage = await setUp({ size: 4, workerData: { counter } });
  // Each of the four waits for the other three, and a thread takes one at a time.
  const answers = await Promise.all([1, 2, 3, 4].map(() => stage.runner.execute("meet:4")));
  expect(new Set(answers.map((answer) => String(answer).split(" from ")[1])).size).toBe(4);
  const joined = stage.events.filter((event) => event.type === "worker-joined");
  expect(joined.map((event) => event.identity).sort()).toEqual(["thread-1", "thread-2", "thread-3", "thread-4"]);
  expect(joined.map((event) => event.peer).sort((a, b) => a.address.localeCompare(b.address))[2]).toEqual({
    transport: "thread",
    address: "thread 3",
    principal: "local",
  });
});

test("a thread of capacity 8 waits for eight things at once", async () => {
  const counter = sharedCounter();
  await using stage = await setUp({ capacity: 8, workerData: { counter } });
  const answers = await Promise.all(Array.from({ length: 8 }, () => stage.runner.execute("meet:8")));
  expect(new Set(answers.map((answer) => String(answer).split(" from ")[1])).size).toBe(1);
});

test("the handler may be a named export of a module given by its path, and the threads may have a name", async () => {
  await using stage = await setUp({
    module: commands.pathname,
    export: "named",
    name: "mill",
    labels: ["fast"],
  });
  expect(await stage.runner.execute("corn")).toBe("mill-1 got corn");
  expect(stage.runner.stats().workers).toMatchObject([
    { identity: "mill-1", labels: ["fast"], peer: { address: "mill 1" } },
  ]);
});

test("what the handler throws keeps its place, its fields and its causes", async () => {
  const module = inline(`
    import vm from "node:vm";
    export default async ({ data }) => {
      if (data === "vm") vm.runInNewContext("throw Object.assign(new RangeError('foreign'), { code: 'E_FOREIGN' })");
      const cause = new AggregateError([new Error("one"), "two"], "underneath");
      throw Object.assign(new TypeError("broken", { cause }), { code: "E_BROKEN", status: 503, loop: globalThis });
    };
  `);
  await using stage = await setUp({ module });
  const error = await failureOf(stage.runner.execute("x"));
  expect(error).toBeInstanceOf(ExecutionError);
  expect(error).toMatchObject({ remoteName: "TypeError", remoteMessage: "broken", remoteCode: "E_BROKEN" });
  expect(error).toMatchObject({ remoteStack: expect.stringMatching(/^TypeError: broken\n +at /) as string });
  expect(error.cause).toBeInstanceOf(TypeError);
  expect(error.cause).toMatchObject({ message: "broken", code: "E_BROKEN", status: 503 });
  expect(error.cause).toMatchObject({ stack: expect.stringMatching(/^TypeError: broken\n +at /) as string });
  expect(error.cause).toMatchObject({
    cause: { name: "AggregateError", message: "underneath", errors: [{ message: "one" }, "two"] },
  });
  expect(await failureOf(stage.runner.execute("vm"))).toMatchObject({
    remoteName: "RangeError",
    remoteMessage: "foreign",
    remoteCode: "E_FOREIGN",
  });
});

test("a crash is the cause of the error of its job, with its stack", async () => {
  await using stage = await setUp();
  const error = await failureOf(stage.runner.execute("throwLater:oh", { attempts: 1 }));
  expect(error).toMatchObject({ code: "WORKER_LOST", cause: { name: "TypeError", message: "oh" } });
  expect(error.cause).toMatchObject({ stack: expect.stringContaining("commands.js") as string });
});

test.each([
  ["default", "default x"],
  ["named", "named x"],
])("a module compiled to CommonJS has its export `%s`", async (name, answer) => {
  await using stage = await setUp({ module: new URL("./fixtures/compiled.cjs", import.meta.url), export: name });
  expect(await stage.runner.execute("x")).toBe(answer);
});

test("threads of several listeners serve one queue, and have different names where those of the listeners are the same", async () => {
  const options = { size: 1, workerData: { counter: sharedCounter() } };
  await using runner = new JobRunner({
    listen: [threads(commands, options), threads(commands, options), threads(commands, { ...options, name: "other" })],
  });
  await runner.start();
  await Promise.all([1, 2, 3].map(() => runner.execute("meet:3")));
  const names = runner.stats().workers.map(({ identity }) => identity);
  expect(names.toSorted((a, b) => a.localeCompare(b))).toEqual(["other-1", "thread-1", "thread-2"]);
});

test("threads whose maxAge is shorter than their start serve all the same", async () => {
  await using stage = await setUp({ maxAge: 1 });
  for (let job = 0; job < 3; job++) expect(await stage.runner.execute(`echo:${job}`)).toBe(String(job));
});

test("a main thread that is busy for many heartbeats keeps its threads and their jobs", async () => {
  const counter = sharedCounter();
  await using stage = await setUp({ capacity: 2, workerData: { counter }, runner: { heartbeat: 150 } });
  const first = stage.runner.execute("meet:2");
  await until(() => Atomics.load(counter, 0) === 1);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
  expect(await stage.runner.execute("meet:2")).toMatch(/^2 from/);
  expect(await first).toMatch(/^1 from/);
  expect(stage.events.filter((event) => event.type === "worker-gone")).toEqual([]);
});

test("bytes go both ways, up to the runner's limit", async () => {
  await using stage = await setUp();
  expect(await stage.runner.execute(new Uint8Array([1, 2, 3]))).toEqual(new Uint8Array([3, 2, 1]));
  const large = new Uint8Array(1_048_576).map((_, index) => index % 251);
  const back = await stage.runner.execute(large.slice());
  expect(Buffer.compare(Buffer.from(back as Uint8Array), Buffer.from(large.toReversed()))).toBe(0);
});

test("a result over the runner's limit fails the job, not the thread", async () => {
  await using stage = await setUp({
    module: inline(`export default (job) => "x".repeat(Number(job.data))`),
    runner: { maxPayload: 1_000 },
  });
  expect(await failureOf(stage.runner.execute("1001"))).toMatchObject({ code: "ENCODING" });
  expect(await stage.runner.execute("1000")).toHaveLength(1_000);
});

test("what node:worker_threads knows is passed on as it is", async () => {
  await using stage = await setUp({
    workerData: { answer: 42 },
    env: { POWERHOSE_TEST: "set" },
    execArgv: ["--no-warnings"],
    argv: ["first", 2],
    resourceLimits: { maxOldGenerationSizeMb: 64 },
  });
  expect(JSON.parse(String(await stage.runner.execute("surroundings")))).toEqual({
    workerData: { answer: 42 },
    env: "set",
    execArgv: ["--no-warnings"],
    argv: ["first", "2"],
    heap: 64,
    listeners: 0,
  });
});

test("an abort reaches the handler", async () => {
  const counter = sharedCounter();
  await using stage = await setUp({ workerData: { counter } });
  const caller = new AbortController();
  const running = stage.runner.execute("hang", { signal: caller.signal });
  await until(() => Atomics.load(counter, 0) === 1);
  caller.abort(new Error("changed my mind"));
  expect((await failureOf(running)).message).toBe("changed my mind");
  await until(() => Atomics.load(counter, 1) === 1);
  expect(await stage.runner.execute("echo:free again")).toBe("free again");
  expect(stage.events.filter((event) => event.type === "worker-gone")).toEqual([]);
});
