/** A handler in the process of its caller finds the caller's `AsyncLocalStorage`, however many call in one turn. */
import { AsyncLocalStorage } from "node:async_hooks";
import { expect, test } from "vitest";
import { JobRunner } from "../../src/core/runner/runner.ts";
import { Worker } from "../../src/core/worker/worker.ts";
import { MemoryTransport } from "../../src/transports/memory.ts";

const store = new AsyncLocalStorage<string>();
const CALLERS = ["a", "b", "c"];

function handler(): string {
  return store.getStore() ?? "nothing";
}

test.each(["dials the runner", "meets it in memory"])("three callers of one turn and a worker that %s", async (how) => {
  const memory = new MemoryTransport();
  const inMemory = how === "meets it in memory";
  await using runner = new JobRunner(inMemory ? { listen: memory } : {});
  await runner.start();
  await using worker = new Worker({ dial: inMemory ? memory : runner, handler, capacity: 2 });
  await worker.start();
  const calls = CALLERS.map((caller) => store.run(caller, () => runner.execute("x")));
  expect(await Promise.all(calls)).toEqual(CALLERS);
  // The rest waits at the runner and at the worker.
  const many = Array.from({ length: 100 }, (_, n) => store.run(`caller ${n}`, () => runner.execute("x")));
  expect(await Promise.all(many)).toEqual(many.map((_, n) => `caller ${n}`));
});

test("what an asynchronous handler goes on with is its caller's, too, and `map` is one caller", async () => {
  await using runner = new JobRunner();
  await runner.start();
  const slow = async (): Promise<string> => {
    await null;
    return handler();
  };
  await using worker = new Worker({ dial: runner, handler: slow });
  await worker.start();
  const calls = CALLERS.map((caller) => store.run(caller, () => runner.execute("x")));
  expect(await Promise.all(calls)).toEqual(CALLERS);
  const outcomes: unknown[] = [];
  const jobs = store.run("map", () =>
    runner.map(
      Array.from({ length: 50 }, () => "x"),
      { concurrency: 2 },
    ),
  );
  for await (const outcome of jobs) outcomes.push(outcome.ok ? outcome.value : outcome.error);
  expect(new Set(outcomes)).toEqual(new Set(["map"]));
});

test("a call that waits for the first worker has its caller's store, not that of whoever starts the worker", async () => {
  await using runner = new JobRunner();
  await runner.start();
  const call = store.run("caller", () => runner.execute("x"));
  await using worker = new Worker({ dial: runner, handler });
  await store.run("starter", () => worker.start());
  expect(await call).toBe("caller");
});
