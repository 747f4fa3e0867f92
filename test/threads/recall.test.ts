/** Prefetched jobs of a thread that is held up: they are taken back in memory that it shares, without its doing anything. */
import { expect, test } from "vitest";
import { setUp, sharedCounter, until } from "./stage.ts";

/** Lets the handlers of `block` return. */
function release(counter: Int32Array): void {
  Atomics.store(counter, 1, 1);
  Atomics.notify(counter, 1);
}

test("short jobs behind one that blocks its thread are run by the other thread", async () => {
  const counter = sharedCounter();
  await using stage = await setUp({ size: 2, workerData: { counter }, runner: { prefetch: 8 } });
  const { runner } = stage;
  const blocked = runner.execute("block:");
  await until(() => Atomics.load(counter, 0) === 1);
  const short = Array.from({ length: 40 }, (_, index) => runner.execute(`echo:${index}`));
  // The thread is released once they are done, so each that stayed behind it would be waited for without end.
  expect(await Promise.all(short)).toEqual(Array.from({ length: 40 }, (_, index) => String(index)));
  release(counter);
  expect(await blocked).toBe("released");
});

test("a job that was given up while its thread was blocked never begins", async () => {
  const counter = sharedCounter();
  await using stage = await setUp({ workerData: { counter }, runner: { prefetch: 8 } });
  const { runner } = stage;
  const blocked = runner.execute("block:");
  await until(() => Atomics.load(counter, 0) === 1);
  const given = new AbortController();
  // Each begins by counting itself: the first would be the second that counts.
  const aborted = Array.from({ length: 8 }, () => runner.execute("spin:", { signal: given.signal }));
  const kept = runner.execute("echo:kept");
  given.abort(new Error("not wanted"));
  await expect(Promise.all(aborted)).rejects.toThrow("not wanted");
  release(counter);
  expect([await blocked, await kept]).toEqual(["released", "kept"]);
  expect(Atomics.load(counter, 0)).toBe(1);
});

test("jobs that had not begun when their thread died have lost nothing", async () => {
  const counter = sharedCounter();
  await using stage = await setUp({ workerData: { counter }, runner: { prefetch: 8 } });
  const { runner } = stage;
  const dying = runner.execute("exit:0", { attempts: 1 }).catch((error: unknown) => error);
  const behind = Array.from({ length: 8 }, (_, index) => runner.execute(`echo:${index}`, { attempts: 2 }));
  expect(await Promise.all(behind)).toEqual(Array.from({ length: 8 }, (_, index) => String(index)));
  expect(await dying).toMatchObject({ code: "WORKER_LOST" });
  const attempts = (): readonly number[] =>
    stage.events.flatMap((event) => (event.type === "job-settled" && event.ok ? [event.attempts] : []));
  await until(() => attempts().length === 8);
  expect(attempts(), "each began once").toEqual(Array.from({ length: 8 }, () => 1));
});
