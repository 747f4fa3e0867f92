/** What is sent to a thread and not taken, and what a thread sends: in bytes, as the sockets count them. */
import { expect, test } from "vitest";
import { JobRunner, type RunnerEvent, type RunnerOptions, type Socket } from "powerhose";
import { threads, type ThreadsOptions } from "powerhose/threads";
import { recordSockets } from "../support/record-sockets.ts";
import { commands, sharedCounter, until } from "./stage.ts";

const MB = 1_000_000;

/** A runner over threads, with the sockets it has to them. */
async function watched(
  options: ThreadsOptions,
  runnerOptions: RunnerOptions,
): Promise<{ runner: JobRunner; sockets: readonly Socket[]; events: RunnerEvent[] } & AsyncDisposable> {
  const { listener, sockets } = recordSockets(threads(commands, { size: 1, ...options }));
  const runner = new JobRunner({ listen: listener, ...runnerOptions });
  const events: RunnerEvent[] = [];
  runner.on((event) => events.push(event));
  await runner.start();
  return { runner, sockets, events, [Symbol.asyncDispose]: () => runner.stop() };
}

function release(counter: Int32Array): void {
  Atomics.store(counter, 1, 1);
  Atomics.notify(counter, 1);
}

test.each([
  ["that has 80 slots", { capacity: 80 }, { prefetch: 0 }],
  ["that 80 jobs may be prefetched to", { capacity: 1 }, { prefetch: 80 }],
] as const)("a thread %s and takes nothing holds little of 160 MB, and stays", async (_what, options, rules) => {
  const counter = sharedCounter();
  // Far less than it takes: bytes alone never end a thread's session.
  await using set = await watched(
    { ...options, workerData: { counter } },
    { ...rules, maxPayload: 3 * MB, stallTimeout: 10, maxQueueBytes: Number.POSITIVE_INFINITY },
  );
  const { runner, sockets, events } = set;
  const [socket] = sockets;
  if (socket === undefined) throw new Error("no thread");
  const blocked = runner.execute("block");
  await until(() => Atomics.load(counter, 0) === 1);
  const calls = Array.from({ length: 80 }, () => runner.execute(`large:10 ${"x".repeat(2 * MB)}`));
  let [most, looks] = [0, 0];
  await until(() => {
    most = Math.max(most, socket.bufferedBytes);
    return ++looks > 100;
  });
  expect(most, "the high-water mark, and the job that went over it").toBeLessThan(2 * (2 * MB + 100_000));
  expect(most).toBeGreaterThan(2 * MB - 100_000);
  release(counter);
  expect(await blocked).toBe("released");
  expect(new Set(await Promise.all(calls))).toEqual(new Set(["x".repeat(10)]));
  expect(events.filter(({ type }) => type === "worker-gone" || type === "job-retried")).toEqual([]);
  expect(socket.bufferedBytes).toBe(0);
});

test("large results of many jobs come whole, whatever the thread holds back meanwhile", async () => {
  await using set = await watched({ capacity: 20 }, { maxPayload: 3 * MB });
  const values = await Promise.all(Array.from({ length: 60 }, () => set.runner.execute(`large:${2 * MB}`)));
  expect(values.every((value) => value.length === 2 * MB)).toBe(true);
  expect(set.events.filter(({ type }) => type === "worker-gone" || type === "job-retried")).toEqual([]);
});
