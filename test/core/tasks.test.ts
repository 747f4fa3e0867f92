/** Jobs for named tasks: which workers get them, what is said of them, and what runs before the first and after the last. */
import { describe, expect, it } from "vitest";
import { NoWorkerError, TimeoutError, WorkerStartError } from "../../src/core/errors.ts";
import { Job } from "../../src/core/job/job.ts";
import { FEATURE, SUPPORTED_FEATURES } from "../../src/core/protocol/constants.ts";
import { relay } from "../../src/core/relay.ts";
import type { Handler } from "../../src/core/worker/execution.ts";
import { type HandlerTasks, withTasks } from "../../src/core/worker/handler-lifecycle.ts";
import { Worker } from "../../src/core/worker/worker.ts";
import { Puppet, stage, watch } from "../support/stage.ts";

const bytes = Uint8Array.of(0xf6);
const jobFor = (task: string): Job => new Job(bytes).forTask(task);

/** A handler of these tasks that answers with the name of the task. */
function serving(names: readonly string[], more: Omit<HandlerTasks, "names"> = {}): Handler {
  return withTasks<Handler>((job) => job.task ?? "none", { names, ...more });
}

describe("a job for a task", () => {
  it("goes to a worker that has the task, whatever else is free", async () => {
    await using set = await stage();
    await set.worker(serving(["grep"]), { identity: "other" });
    await set.worker((job) => `a handler of jobs: ${String(job.task)}`, { identity: "plain" });
    const early = await set.execute(jobFor("resize"));
    expect(early.state).toBe("pending");
    await set.worker(serving(["resize", "ping"]), { identity: "images", labels: ["gpu"] });
    await set.clock.settle();
    expect(early.value).toBe("resize");
    expect((await set.execute(jobFor("ping"), { require: ["gpu"] })).value).toBe("ping");
    expect((await set.execute(jobFor("ping"), { require: ["cpu"], failFast: true })).error).toBeInstanceOf(
      NoWorkerError,
    );
    expect(set.runner.stats().workers.find(({ identity }) => identity === "images")?.labels).toEqual([
      "gpu",
      "task:resize",
      "task:ping",
    ]);
  });

  it("says which task is missing", async () => {
    await using set = await stage();
    const none = await set.execute(jobFor("resize"), { failFast: true, require: ["gpu"] });
    expect(String(none.error)).toContain("no registered worker has the task resize and the label gpu");
    const call = await set.execute(jobFor("resize"), { acquireTimeout: 10 });
    await set.clock.advance(10);
    expect(call.error).toBeInstanceOf(TimeoutError);
    expect(String(call.error)).toContain("the task resize");
    expect(set.of("job-settled").map(({ task, labels }) => [task, labels])).toEqual([
      ["resize", ["gpu"]],
      ["resize", []],
    ]);
  });

  it("is told with its name, only to a worker that speaks of tasks", async () => {
    await using set = await stage();
    const deaf = await set.peer({ identity: "deaf", labels: ["task:resize", "gpu"], features: 0 });
    const call = await set.execute(jobFor("resize"));
    expect(deaf.jobs).toEqual([]);
    expect(set.runner.stats().workers[0]?.labels).toEqual(["gpu"]);
    const peer = await set.peer({ identity: "able", labels: ["task:resize"], features: FEATURE.tasks });
    expect(peer.last("JOB").job).toMatchObject({ task: "resize", data: bytes });
    peer.answer("done");
    await set.clock.settle();
    expect(call.value).toBe("done");
  });

  it("goes through relays, which announce the tasks of their fleets", async () => {
    await using outer = await stage();
    await using inner = await stage({}, outer);
    await inner.worker(serving(["resize"]), { identity: "inner" });
    const { clock, random, runner: dial } = outer;
    const host = new Worker({ dial, handler: relay(inner.runner), identity: "host", labels: ["rack"], clock, random });
    await outer.settle(host.start());
    expect((await outer.execute(jobFor("resize"), { require: ["rack"] })).value).toBe("resize");
    await inner.worker(serving(["grep"]), { identity: "later" });
    expect((await outer.execute(jobFor("grep"))).value).toBe("grep");
    expect((await outer.execute(jobFor("other"), { failFast: true })).error).toBeInstanceOf(NoWorkerError);
    await outer.settle(host.stop());
    await outer.settle(outer.runner.stop());
  });

  it("keeps its name in the jobs of another copy of the package, and in neither text form", () => {
    const foreign: unknown = Object.assign(Object.create(null), {
      data: bytes,
      headers: [["a", "1"]],
      task: "resize",
      [Symbol.for("powerhose.Job")]: true,
    });
    const job = Job.adopt(foreign);
    expect([job?.task, job?.headers.get("a")]).toEqual(["resize", "1"]);
    expect(Job.loadFromBytes(jobFor("resize").serializeBytes(), "bytes").task).toBeUndefined();
  });
});

describe("a worker of tasks", () => {
  it("registers once its init is done", async () => {
    await using set = await stage();
    let ready: () => void = () => undefined;
    const handler = serving(["a"], { init: () => new Promise<void>((resolve) => (ready = resolve)) });
    const { clock, random, runner } = set;
    const worker = new Worker({ dial: runner, handler, clock, random });
    const started = watch(worker.start());
    await clock.advance(60_000);
    expect([started.state, worker.state, runner.workers.size]).toEqual(["pending", "connecting", 0]);
    ready();
    await clock.settle();
    expect([started.state, runner.workers.size]).toEqual(["ok", 1]);
    await set.settle(worker.stop());
  });

  it("does not start when its init fails, and does not close what did not begin", async () => {
    await using set = await stage();
    const told: string[] = [];
    const cause = new Error("no model");
    const handler = serving(["a"], { init: () => Promise.reject(cause), close: () => told.push("closed") });
    const { clock, random, runner } = set;
    const worker = new Worker({ dial: runner, identity: "w", handler, clock, random });
    const started = watch(worker.start());
    await clock.settle();
    expect(started.error).toBeInstanceOf(WorkerStartError);
    expect(started.error).toMatchObject({ message: "worker w: the init of its tasks failed: no model", cause });
    await worker.closed;
    expect([told, worker.state]).toEqual([[], "stopped"]);
  });

  it.each(["drain", "stop"] as const)("closes after its last job when it is told to %s", async (how) => {
    await using set = await stage();
    const puppet = new Puppet();
    const told: string[] = [];
    const handler = withTasks<Handler>(puppet.handler, { names: ["a"], close: () => told.push("closed") });
    const worker = await set.worker(handler);
    await set.execute(jobFor("a"), { attempts: 1 });
    const closed = watch(worker[how]());
    await set.clock.settle();
    expect(told).toEqual([]);
    puppet.runs[0]?.end("");
    await set.clock.settle();
    expect([told, closed.state]).toEqual([["closed"], "ok"]);
  });

  it("waits for a handler that ignores its abort, and for its close, no longer than drainTimeout each", async () => {
    await using set = await stage();
    const told: string[] = [];
    const close = (): Promise<void> => {
      told.push("closing");
      return new Promise(() => undefined);
    };
    const handler = withTasks<Handler>(() => new Promise(() => undefined), { names: ["a"], close });
    const worker = await set.worker(handler, { drainTimeout: 1_000 });
    await set.execute(jobFor("a"), { attempts: 1 });
    const closed = watch(worker.stop());
    await set.clock.advance(999);
    expect(told).toEqual([]);
    await set.clock.advance(1);
    expect([told, closed.state]).toEqual([["closing"], "pending"]);
    await set.clock.advance(1_000);
    expect(closed.state).toBe("ok");
  });

  it("stops although its close throws, and says so", async () => {
    await using set = await stage();
    const warnings: string[] = [];
    const handler = serving(["a"], {
      close: () => {
        throw new Error("still open");
      },
    });
    const worker = await set.worker(handler, {
      identity: "w",
      onWarning: ({ message }) => void warnings.push(message),
    });
    await set.settle(worker.drain());
    expect(warnings).toEqual(["worker w: the close of its tasks failed: still open"]);
  });

  it("closes at once when it is stopped during its init, and has not registered", async () => {
    await using set = await stage();
    const told: string[] = [];
    let ready: () => void = () => undefined;
    const init = (): Promise<void> => new Promise((resolve) => (ready = resolve));
    const { clock, random, runner } = set;
    const worker = new Worker({
      dial: runner,
      handler: serving(["a"], { init, close: () => told.push("closed") }),
      clock,
      random,
    });
    worker.start().catch(() => undefined);
    await clock.settle();
    const stopped = watch(worker.stop());
    await clock.settle();
    expect([told, stopped.state]).toEqual([[], "pending"]);
    ready();
    await clock.settle();
    expect([told, stopped.state, set.of("worker-joined")]).toEqual([["closed"], "ok", []]);
  });

  it("speaks of tasks, and ends a session on a task that was not agreed on", async () => {
    await using set = await stage();
    const peer = await set.peer({ features: SUPPORTED_FEATURES });
    expect(peer.last("WELCOME").features & FEATURE.tasks).toBe(FEATURE.tasks);
  });
});
