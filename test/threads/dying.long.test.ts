import { expect, test } from "vitest";
import {
  systemClock,
  JobRunner,
  type Listener,
  type Socket,
  TimeoutError,
  WorkerLostError,
  WorkerStartError,
} from "powerhose";
import { threads } from "powerhose/threads";
import { commands, failureOf, inline, setUp, sharedCounter, type Stage, until } from "./stage.ts";

/** What the runner was told of the threads that went. */
function obituaries({ events }: Stage): readonly string[] {
  return events.flatMap((event) => (event.type === "worker-gone" ? [event.message] : []));
}

test("a handler that exits the process ends its thread, and a job that does so twice is given up", async () => {
  await using stage = await setUp();
  const error = await failureOf(stage.runner.execute("exit:0"));
  expect(error).toBeInstanceOf(WorkerLostError);
  expect(error).toMatchObject({ attempts: [{ outcome: "lost" }, { outcome: "lost" }] });
  await until(() => obituaries(stage).length === 2);
  expect(obituaries(stage)).toEqual(["thread 1 exited with code 0", "thread 1 exited with code 0"]);
  expect(await stage.runner.execute("echo:alive")).toBe("alive");
});

test("a job whose thread went is run again elsewhere", async () => {
  await using stage = await setUp({ size: 2, workerData: { counter: sharedCounter() } });
  expect(await stage.runner.execute("exitOnce")).toBe("second");
});

test("an answer sent before the exit counts", async () => {
  await using stage = await setUp();
  expect(await stage.runner.execute("answerAndExit", { attempts: 1 })).toBe("answered");
  await until(() => obituaries(stage).length === 1);
  expect(await stage.runner.execute("echo:next")).toBe("next");
});

test.each([
  ["an uncaught exception", "throwLater:boom", "thread 1 crashed: TypeError: boom"],
  ["an unhandled rejection", "rejectLater:boom", "thread 1 crashed: RangeError: boom"],
  ["an exit code", "exit:3", "thread 1 exited with code 3"],
])("%s ends the thread and is told", async (_what, job, message) => {
  await using stage = await setUp();
  const error = await failureOf(stage.runner.execute(job, { attempts: 1 }));
  expect(error).toBeInstanceOf(WorkerLostError);
  await until(() => obituaries(stage).length === 1);
  expect(obituaries(stage)).toEqual([message]);
  expect(await stage.runner.execute("echo:next")).toBe("next");
});

test("a thread that runs out of memory does not take the process along", async () => {
  await using stage = await setUp({ resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 } });
  const error = await failureOf(stage.runner.execute("exhaust", { attempts: 1 }));
  expect(error).toBeInstanceOf(WorkerLostError);
  await until(() => obituaries(stage).length === 1);
  expect(obituaries(stage)[0]).toMatch(/^thread 1 crashed: .*memory/);
  expect(await stage.runner.execute("echo:next")).toBe("next");
});

test("a thread that spins past its job's timeout is killed and replaced", async () => {
  const counter = sharedCounter();
  await using stage = await setUp({
    workerData: { counter },
    restartMin: 60_000,
    restartMax: 60_000,
    runner: { cancelGrace: 20 },
  });
  const error = await failureOf(stage.runner.execute("spin", { timeout: 50, attempts: 1 }));
  expect(error).toBeInstanceOf(TimeoutError);
  expect(Atomics.load(counter, 0)).toBe(1);
  // A pause after it would be a matter of minutes.
  expect(await stage.runner.execute("echo:next")).toBe("next");
  expect(stage.events).toContainEqual(expect.objectContaining({ type: "worker-gone", reason: "unresponsive" }));
});

test("a thread that crashes over and over is given up, and the runner is told", async () => {
  const counter = sharedCounter();
  const module = inline(`
    import { workerData } from "node:worker_threads";
    Atomics.add(workerData, 0, 1);
    setInterval(() => Atomics.load(workerData, 1) === 1 && process.exit(7), 1);
    export default () => new Promise(() => {});
  `);
  await using stage = await setUp({ module, size: 2, maxCrashes: 3, workerData: counter });
  Atomics.store(counter, 1, 1);
  const told = (): readonly Error[] =>
    stage.events.flatMap((event) => (event.type === "listener-error" ? [event.error] : []));
  await until(() => told().length === 2);
  for (const error of told()) {
    expect(error).toBeInstanceOf(WorkerStartError);
    expect(error.message).toMatch(/^thread [12] exited with code 7.*; given up after 3 crashes in a row/);
  }
  expect(told().map(({ message }) => message.endsWith("; no thread is left"))).toEqual([false, true]);
  expect(Atomics.load(counter, 0)).toBe(6);
  expect(stage.runner.stats().workers).toEqual([]);
});

test("what a handler posts is nobody's note, whatever it looks like", async () => {
  const module = inline(`
    import { parentPort } from "node:worker_threads";
    export default (job) => {
      parentPort.postMessage({ "powerhose:nonce": "", message: { step: "failed", message: "no", cause: "no" } });
      parentPort.postMessage({ powerhose: "failed", message: "no", cause: "no" });
      return job.data;
    };
  `);
  await using stage = await setUp({ module });
  for (const job of ["a", "b", "c"]) expect(await stage.runner.execute(job)).toBe(job);
  expect(obituaries(stage)).toEqual([]);
});

test("crashes of threads with a job in hand do not add up", async () => {
  await using stage = await setUp({ maxCrashes: 2 });
  for (let round = 0; round < 6; round++) {
    expect(await failureOf(stage.runner.execute("exit:0", { attempts: 1 }))).toBeInstanceOf(WorkerLostError);
  }
  expect(await stage.runner.execute("echo:still tried")).toBe("still tried");
});

test("crashes of threads that have served do not add up", async () => {
  await using stage = await setUp({ maxCrashes: 2 });
  for (let round = 0; round < 4; round++) {
    expect(await stage.runner.execute("echo:served")).toBe("served");
    expect(await failureOf(stage.runner.execute("exit:0", { attempts: 1 }))).toBeInstanceOf(WorkerLostError);
  }
  expect(await stage.runner.execute("echo:still tried")).toBe("still tried");
});

test("threads that are replaced every few jobs lose none", async () => {
  // Their going is no crash: a pause after it would be a matter of minutes.
  const pauses = { restartMin: 60_000, restartMax: 60_000 };
  await using stage = await setUp({ size: 2, maxJobs: 3, capacity: 2, ...pauses });
  const jobs = Array.from({ length: 30 }, (_, index) => `echo:${index}`);
  const results = await Promise.all(jobs.map((job) => stage.runner.execute(job, { maxLost: 1 })));
  expect(results).toEqual(jobs.map((job) => job.slice("echo:".length)));
  const gone = stage.events.flatMap((event) => (event.type === "worker-gone" ? [event.reason] : []));
  expect(gone.length).toBeGreaterThanOrEqual(8);
  expect(new Set(gone)).toEqual(new Set(["removed"]));
});

test("a job that comes along with the welcome may take longer than a start", async () => {
  await using stage = await setUp({ startTimeout: 1_000 });
  // The second job waits for the next thread, which has not told that it is ready when it begins.
  const first = failureOf(stage.runner.execute("exit:0", { attempts: 1 }));
  expect(await stage.runner.execute("busy:1500", { attempts: 1 })).toBe("done");
  expect(await first).toBeInstanceOf(WorkerLostError);
});

test("a thread that has grown old is replaced", async () => {
  await using stage = await setUp({ maxAge: 1_000, maxAgeJitter: 1 });
  const first = await stage.runner.execute("thread");
  await until(() => stage.events.filter((event) => event.type === "worker-joined").length === 2);
  expect(await stage.runner.execute("thread")).not.toBe(first);
});

// As a crash it would be replaced after the pause: a second time when that is short, and not at once when it is long.
test.each([1, 60_000])("a thread that has exited before its closing is told is replaced once, pause %i", async (ms) => {
  const inner = threads(commands, { size: 1, restartMin: ms, restartMax: ms });
  const sockets: Socket[] = [];
  const listen: Listener = {
    start: (accept, context) => inner.start((socket) => accept(sockets[sockets.push(socket) - 1] ?? socket), context),
    stop: () => inner.stop(),
    address: inner.address,
  };
  await using runner = new JobRunner({ listen });
  await runner.start();
  await new Promise<void>((resolve) => {
    // In a timer, so that the exit is seen before the next turn, and standing still until it has come.
    systemClock.set(
      1,
      () => {
        sockets[0]?.close();
        const end = systemClock.now() + 300;
        while (systemClock.now() < end);
        resolve();
      },
      true,
    );
  });
  await until(() => runner.stats().registered === 2);
  // A second one would register meanwhile, and push out the first.
  await runner.execute("busy:300");
  expect(runner.stats().registered).toBe(2);
});

test("a stop does not wait for a handler that spins", async () => {
  const counter = sharedCounter();
  const stage = await setUp({ workerData: { counter } });
  const running = failureOf(stage.runner.execute("spin"));
  await until(() => Atomics.load(counter, 0) === 1);
  await stage.runner.stop();
  expect(await running).toMatchObject({ code: "RUNNER_STOPPED" });
});

test("an idle thread ends by itself, and does what its module does at the end", async () => {
  const counter = sharedCounter();
  const module = inline(`
    import { workerData } from "node:worker_threads";
    process.on("exit", () => Atomics.add(workerData, 0, 1));
    export default (job) => job.data;
  `);
  const stage = await setUp({ module, size: 2, workerData: counter });
  await until(() => stage.runner.stats().workers.length === 2);
  await stage.runner.stop();
  expect(Atomics.load(counter, 0)).toBe(2);
});

test("a thread whose module left something running ends with the runner", async () => {
  const stage = await setUp({ module: inline("setInterval(() => {}, 1000); export default (job) => job.data") });
  expect(await stage.runner.execute("x")).toBe("x");
  await stage.runner.stop();
});

test("a deleted worker is replaced", async () => {
  await using stage = await setUp();
  const first = await stage.runner.execute("thread");
  const worker = await stage.runner.workers.acquire();
  stage.runner.workers.delete(worker.identity);
  expect(await stage.runner.execute("thread")).not.toBe(first);
});
