import { expect, test } from "vitest";
import { JobRunner, RunnerStoppedError, WorkerStartError } from "powerhose";
import { THREADS_DEFAULTS, threads, type ThreadsListener, type ThreadsOptions } from "powerhose/threads";
import { commands, failureOf, inline, setUp, sharedCounter, until } from "./stage.ts";

function made(listen: ThreadsListener): JobRunner {
  return new JobRunner({ listen });
}

const missing = new URL("./fixtures/missing.js", import.meta.url);
const failures: readonly (readonly [string, URL | string, ThreadsOptions, RegExp])[] = [
  ["does not exist", missing, {}, /^thread \d could not start: file:\S+\/missing\.js does not exist; in a bundled/],
  [
    "lacks a module it imports",
    inline(`import "node:nowhere"`),
    { size: 2 },
    /could not be loaded: Error.*node:nowhere/,
  ],
  ["is not JavaScript", inline("export default ("), {}, /could not be loaded: SyntaxError: /],
  ["throws as it loads", inline(`throw new TypeError("one\\ntwo")`), {}, /could not be loaded: TypeError: one$/],
  ["lacks the export", commands, { export: "nothing" }, /has no export `nothing`; it exports: default, named, not/],
  ["exports nothing", inline("0"), {}, /has no export `default`; it exports nothing$/],
  ["exports no function", commands, { export: "notAFunction" }, /`notAFunction` of \S+ is not a function but number$/],
  ["exits as it loads", inline("process.exit(0)"), {}, /^thread \d exited with code 0 before it was ready$/],
  [
    "crashes as it loads",
    inline(`setImmediate(() => { throw new RangeError("boom") }); await new Promise(() => {})`),
    {},
    /crashed: RangeError: boom$/,
  ],
  [
    "never ends loading",
    inline("setInterval(() => {}, 1000); await new Promise(() => {})"),
    { startTimeout: 150 },
    /^thread \d was not ready within 150 ms$/,
  ],
  [
    "waits for nothing as it loads",
    inline("await new Promise(() => {})"),
    {},
    /^thread \d could not start: \S+ never finishes loading: its top-level await does not settle$/,
  ],
  ["spins as it loads", inline("for (;;);"), { startTimeout: 150 }, /^thread \d was not ready within 150 ms$/],
  [
    "cannot be given its workerData",
    commands,
    { workerData: () => 1 },
    /^thread \d cannot be started: DataCloneError: /,
  ],
];

test.each(failures)("a module that %s: the start fails and says so", async (_what, module, options, message) => {
  const listener = threads(module, { size: 1, ...options });
  const runner = made(listener);
  const error = await failureOf(runner.start());
  expect(error).toBeInstanceOf(WorkerStartError);
  expect(error.message).toMatch(message);
  expect(error.message).not.toContain("\n");
  expect(runner.state).toBe("created");
});

test("what was thrown is the cause", async () => {
  const error = await failureOf(made(threads(inline(`throw new TypeError("why")`), { size: 1 })).start());
  expect(error.cause).toBeInstanceOf(TypeError);
  expect(error.cause).toMatchObject({ message: "why" });
});

test("what was thrown and cannot be cloned is the cause as text", async () => {
  const error = await failureOf(made(threads(inline("throw () => 1"), { size: 1 })).start());
  expect(error.cause).toBe("() => 1");
});

test("a start that failed can be tried again", async () => {
  const counter = sharedCounter();
  const module = inline(`
    import { workerData } from "node:worker_threads";
    if (Atomics.add(workerData, 0, 1) === 0) throw new Error("not yet");
    export default (job) => job.data;
  `);
  await using runner = made(threads(module, { size: 1, workerData: counter, restartMin: 60_000, restartMax: 60_000 }));
  expect((await failureOf(runner.start())).message).toContain("not yet");
  await runner.start();
  expect(await runner.execute("now")).toBe("now");
});

test("one thread that gets ready is enough, and the others are tried again", async () => {
  const counter = sharedCounter();
  const module = inline(`
    import { workerData } from "node:worker_threads";
    if (Atomics.add(workerData, 0, 1) < 2) throw new Error("no room");
    export default (job) => job.data;
  `);
  await using stage = await setUp({ module, size: 3, workerData: counter });
  await until(() => stage.runner.stats().workers.length === 3);
  expect(Atomics.load(counter, 0)).toBe(5);
});

test("a thread that fails once another is ready does not end the start", async () => {
  const counter = sharedCounter();
  const module = inline(`
    import { setTimeout as sleep } from "node:timers/promises";
    import { workerData } from "node:worker_threads";
    const turn = Atomics.add(workerData, 0, 1);
    if (turn === 0) throw new Error("the first");
    while (turn === 1 && Atomics.load(workerData, 1) === 0) await sleep(1);
    if (turn === 1) throw new Error("the second, once a job was run");
    export default () => String(Atomics.add(workerData, 1, 1));
  `);
  await using stage = await setUp({ module, size: 2, workerData: counter });
  expect(await stage.runner.execute("x")).toBe("0");
  await until(() => stage.runner.stats().workers.length === 2);
  expect(await stage.runner.execute("x")).toBe("1");
});

test("a second start is the first one", async () => {
  const counter = sharedCounter();
  const module = inline(`
    import { workerData } from "node:worker_threads";
    Atomics.add(workerData, 0, 1);
    export default (job) => job.data;
  `);
  const listener = threads(module, { size: 1, workerData: counter });
  const accept = (): void => undefined;
  const context = { maxFrameBytes: 1_000, report: (): void => undefined };
  const starts = [listener.start(accept, context), listener.start(accept, context)];
  await until(() => Atomics.load(counter, 0) === 1);
  await expect(listener.start(() => undefined, context)).rejects.toThrow("already started");
  await listener.stop();
  for (const start of starts) await expect(start).rejects.toThrow(RunnerStoppedError);
  expect(Atomics.load(counter, 0)).toBe(1);
});

test("a stop during the start ends it", async () => {
  const runner = made(threads(commands, { size: 2 }));
  const starting = failureOf(runner.start());
  await runner.stop();
  expect(await starting).toBeInstanceOf(RunnerStoppedError);
  expect(runner.state).toBe("stopped");
});

test("a runner starts again after it was stopped, with fresh threads", async () => {
  const runner = made(threads(commands, { size: 1 }));
  await runner.start();
  const first = await runner.execute("thread");
  await runner.stop();
  await runner.start();
  expect(await runner.execute("thread")).not.toBe(first);
  await runner.stop();
  await runner.stop();
});

test("a listener says what it is", () => {
  const listener = threads("some/square.js", { size: 3 });
  expect(listener.size).toBe(3);
  expect(listener.address).toMatch(/^3 threads of file:\/\/\/\S+\/some\/square\.js$/);
  expect(threads(commands).size).toBeGreaterThan(0);
  expect(Object.isFrozen(THREADS_DEFAULTS)).toBe(true);
});

const wrong: readonly (readonly [ThreadsOptions, string])[] = [
  [{ size: 0 }, "expected `size` to be an integer from 1 to 10000, got `0`"],
  [{ name: "a b" }, "expected `name` to be 1 to 100 characters"],
  [{ labels: ["a b"] }, "expected `labels` to be at most 32 labels"],
  [
    { labels: ["relays:9"] },
    "expected `labels` to be at most 32 labels, each 1 to 128 characters of A-Z a-z 0-9 . _ : -, none of them relays:",
  ],
  [{ restartMax: Number.POSITIVE_INFINITY }, "expected `restartMax` to be a number of ms"],
  [{ sise: 1 } as ThreadsOptions, "unknown option `sise`"],
];

test.each(wrong)("%o is refused", (options, message) => {
  expect(() => threads(commands, options)).toThrow(`threads: ${message}`);
});

test("a module that is none is refused", () => {
  expect(() => threads("")).toThrow("expected the module to be a URL or a path");
});
