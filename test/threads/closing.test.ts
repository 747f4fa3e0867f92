/** The end of a thread that serves tasks: its `close` runs, however its runner lets it go, and no longer than it may. */
import { expect, test } from "vitest";
import { JobRunner } from "powerhose";
import { client } from "powerhose/tasks";
import { threads, type ThreadsOptions } from "powerhose/threads";
import { until } from "./stage.ts";

interface Module {
  ping(): Promise<string>;
  hang(): Promise<string>;
  stubborn(): Promise<string>;
  spin(): Promise<string>;
}

/** How many have begun a task that goes on, have closed, and have begun to close. */
const [BEGUN, CLOSED, CLOSING] = [0, 1, 2] as const;

interface Pool extends AsyncDisposable {
  readonly runner: JobRunner;
  readonly api: ReturnType<typeof client<Module>>;
  readonly cells: Int32Array;
}

async function start(options: ThreadsOptions = {}, closeMs = 60): Promise<Pool> {
  const cells = new Int32Array(new SharedArrayBuffer(12));
  const module = new URL("./fixtures/closing.js", import.meta.url);
  const listen = threads(module, { size: 1, restartMin: 1, workerData: { cells, closeMs }, ...options });
  const runner = new JobRunner({ listen, cancelGrace: 20 });
  await runner.start();
  return { runner, api: client<Module>(runner), cells, [Symbol.asyncDispose]: () => runner.stop() };
}

test("a runner that stops lets each thread run its close, which takes its time", async () => {
  const { runner, api, cells } = await start({ size: 2 });
  await until(() => runner.stats().workers.length === 2);
  await api.ping();
  await runner.stop();
  expect(Atomics.load(cells, CLOSED)).toBe(2);
});

test("as does one that leaves its scope, or drains", async () => {
  let cells: Int32Array;
  {
    await using pool = await start();
    ({ cells } = pool);
    await pool.api.ping();
  }
  expect(Atomics.load(cells, CLOSED)).toBe(1);
  const drained = await start();
  await drained.api.ping();
  await drained.runner.drain();
  expect(Atomics.load(drained.cells, CLOSED)).toBe(1);
});

test("a task that runs is aborted before close", async () => {
  const { runner, api, cells } = await start();
  const hanging = api.hang().catch((error: unknown) => error);
  await until(() => Atomics.load(cells, BEGUN) === 1);
  await runner.stop();
  expect(await hanging).toMatchObject({ code: "RUNNER_STOPPED" });
  expect([Atomics.load(cells, BEGUN), Atomics.load(cells, CLOSED)]).toEqual([2, 1]);
});

test("close runs, too, while a task ignores its abort, but waits half of stopTimeout for it", async () => {
  const { runner, api, cells } = await start({ stopTimeout: 1_200 }, 1);
  const hanging = api.stubborn().catch((error: unknown) => error);
  await until(() => Atomics.load(cells, BEGUN) === 1);
  await runner.stop();
  expect(await hanging).toMatchObject({ code: "RUNNER_STOPPED" });
  expect(Atomics.load(cells, CLOSED)).toBe(1);
});

test("a close that never ends is cut off by stopTimeout, and no thread is said to be stuck", async () => {
  const { runner, api, cells } = await start({ stopTimeout: 200 }, 1_000_000);
  const told: string[] = [];
  runner.on((event) => void (event.type === "listener-error" && told.push(event.error.message)));
  await api.ping();
  await runner.stop();
  expect([Atomics.load(cells, CLOSING), Atomics.load(cells, CLOSED)]).toEqual([1, 0]);
  expect(told).toEqual([]);
});

test("a thread that spins is ended by stopTimeout without a close", async () => {
  const { runner, api, cells } = await start({ stopTimeout: 200 });
  const spinning = api.spin().catch((error: unknown) => error);
  await until(() => Atomics.load(cells, BEGUN) === 1);
  await runner.stop();
  expect(await spinning).toMatchObject({ code: "RUNNER_STOPPED" });
  expect(Atomics.load(cells, CLOSED)).toBe(0);
});

test("a thread that hangs past its job's timeout is killed at once, whatever stopTimeout is, and not closed", async () => {
  await using pool = await start({ stopTimeout: 1_000_000 });
  const { api, runner, cells } = pool;
  await expect(api.spin(undefined, { timeout: 50, attempts: 1 })).rejects.toMatchObject({ code: "TIMEOUT" });
  expect(await api.ping()).toBe("pong");
  expect(Atomics.load(cells, CLOSED)).toBe(0);
  await runner.stop();
  expect(Atomics.load(cells, CLOSED)).toBe(1);
});

test("a thread that retires runs a close that takes its time, and its successor serves meanwhile", async () => {
  await using pool = await start({ maxJobs: 1 });
  const { api, cells } = pool;
  await api.ping();
  expect(await api.ping()).toBe("pong");
  await until(() => Atomics.load(cells, CLOSED) >= 1);
});
