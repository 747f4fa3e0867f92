/** A job has one id: its caller, its handler, its events, its worker's events and its errors all have the same text. */
import { describe, expect, it } from "vitest";
import { AbortError, type PowerhoseError } from "../../../src/core/errors.ts";
import type { WorkerEvent } from "../../../src/core/events.ts";
import { Job } from "../../../src/core/job/job.ts";
import { stage, type Stage, watch } from "../../support/stage.ts";

/** Calls `onJobId` with a list, and what becomes of the call. */
async function submit(set: Stage, data = "x", options: Parameters<Stage["execute"]>[1] = {}) {
  const told: string[] = [];
  const call = await set.execute(data, { ...options, onJobId: (jobId) => told.push(jobId) });
  expect(told).toHaveLength(1);
  return { call, jobId: told[0] };
}

describe("the id of a job", () => {
  it("is the same for its caller, its handler, all events and the events of its worker", async () => {
    await using set = await stage();
    let tries = 0;
    const worker = await set.worker((_job, { jobId }) => {
      if (++tries === 1) throw Object.assign(new Error("again"), { retryable: true });
      return jobId;
    });
    const served: WorkerEvent[] = [];
    worker.on((event) => served.push(event));
    const { call, jobId } = await submit(set);
    await set.clock.advance(100);
    expect(jobId).toMatch(/^[0-9a-f]{32}:1$/);
    expect(call.value).toBe(jobId);
    const events = [...set.events, ...served].filter((event) => "jobId" in event);
    expect(events.map(({ type }) => type).toSorted()).toEqual([
      "job-retried",
      "job-served",
      "job-served",
      "job-settled",
      "job-started",
      "job-started",
    ]);
    for (const event of events) expect(event.jobId).toBe(jobId);
    const other = await submit(set);
    expect(other.jobId).toBe(jobId?.replace(/1$/, "2"));
  });

  it("is in each error of a call, whatever it failed for", async () => {
    await using set = await stage({ acquireTimeout: 100 });
    const failures = [
      await submit(set),
      await submit(set, "x", { failFast: true }),
      await submit(set, "x", { deadline: 50 }),
      await submit(set, "x", { verify: 2 }),
    ];
    await set.clock.advance(100);
    const peer = await set.peer({ capacity: 4 });
    failures.push(await submit(set, "x", { attempts: 1, timeout: 100 }));
    failures.push(await submit(set));
    peer.send({
      type: "JOBERR",
      attemptId: 2,
      error: { name: "Error", message: "no", code: "", stack: "" },
      retryable: false,
      retryAfter: 0,
    });
    await set.clock.advance(100);
    const aborter = new AbortController();
    failures.push(await submit(set, "x", { signal: aborter.signal }));
    const mine = new AbortError("mine", "cancelled");
    aborter.abort(mine);
    failures.push(await submit(set, "x", { attempts: 1 }));
    peer.close();
    await set.clock.settle();
    failures.push(await submit(set, "x", { acquireTimeout: 60_000 }));
    await set.settle(set.runner.stop());
    const seen = failures.map(({ call, jobId }) => {
      const error = call.error as PowerhoseError;
      expect(error.jobId, String(error)).toBe(error === mine ? undefined : jobId);
      return error.code;
    });
    expect(seen).toEqual([
      "TIMEOUT",
      "NO_WORKER",
      "TIMEOUT",
      "NO_WORKER",
      "TIMEOUT",
      "EXECUTION",
      "ABORTED",
      "WORKER_LOST",
      "RUNNER_STOPPED",
    ]);
  });

  it("is in the reason of the handler's signal", async () => {
    await using set = await stage();
    const reasons: unknown[] = [];
    await set.worker(
      (_job, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            reasons.push(signal.reason);
            reject(new Error("aborted"));
          });
        }),
    );
    const { jobId } = await submit(set, "x", { deadline: 50 });
    await set.clock.advance(50);
    expect(reasons).toEqual([expect.objectContaining({ jobId, reason: "deadline" })]);
  });

  it("is told once for a job that several workers have to agree on, and for each job of a map", async () => {
    await using set = await stage();
    await set.worker(({ data }) => data);
    const told: string[] = [];
    const reader = async (): Promise<void> => {
      for await (const outcome of set.runner.map(["a", "b"], { onJobId: (jobId) => told.push(jobId) })) void outcome;
    };
    const done = watch(reader());
    for (let i = 0; i < 5; i++) await set.clock.settle();
    expect(done.state).toBe("ok");
    expect(told).toEqual(set.of("job-settled").map(({ jobId }) => jobId));
    await submit(set, "x", { verify: 2, failFast: true });
  });

  it("is told before the job is queued: what `onJobId` throws rejects the call, and leaves nothing", async () => {
    await using set = await stage();
    const call = await set.execute("x", {
      onJobId: () => {
        throw new Error("no");
      },
    });
    expect(String(call.error)).toBe("Error: no");
    expect(set.runner.stats()).toMatchObject({ submitted: 0, queued: 0 });
  });

  it("is told by user code that may submit other jobs, or stop the runner", async () => {
    await using set = await stage();
    const ids: string[] = [];
    const inner: Promise<unknown>[] = [];
    const outer = await set.execute("outer", {
      onJobId: (jobId) => {
        ids.push(jobId);
        inner.push(set.runner.execute("inner", { onJobId: (id) => ids.push(id), acquireTimeout: 10 }));
      },
      acquireTimeout: 10,
    });
    const watched = inner.map((call) => watch(call));
    await set.clock.advance(10);
    expect([outer.state, watched[0]?.state, new Set(ids).size]).toEqual(["failed", "failed", 2]);
    const last = await set.execute("x", { onJobId: () => void set.runner.stop() });
    expect(last.error).toMatchObject({ code: "RUNNER_STOPPED" });
    expect(set.runner.stats()).toMatchObject({ submitted: 2, failed: 2 });
  });

  it("is refused as an option that is no function", async () => {
    await using set = await stage();
    const call = await set.execute("x", { onJobId: "yes" as never });
    expect(String(call.error)).toContain("expected `onJobId` to be a function");
  });
});

describe("the event of a settled job", () => {
  it("names its last worker, the labels it required and its headers", async () => {
    await using set = await stage();
    await set.worker(({ data }) => data, { identity: "w", labels: ["gpu", "eu"] });
    const job = new Job("x").addHeader("task", "resize");
    await set.settle(set.runner.execute(job, { require: ["gpu"] }));
    const late = await set.execute("y", { require: ["tpu"], acquireTimeout: 10 });
    await set.clock.advance(10);
    expect(late.state).toBe("failed");
    expect(set.of("job-settled")).toMatchObject([
      { ok: true, identity: "w", labels: ["gpu"], headers: new Map([["task", "resize"]]) },
      { ok: false, labels: ["tpu"], headers: new Map(), data: "y" },
    ]);
    expect(set.of("job-settled")[1]?.identity).toBeUndefined();
  });

  it("and that of a retry name the worker that had it", async () => {
    await using set = await stage();
    const a = await set.peer({ identity: "a" });
    const call = await set.execute("x");
    const b = await set.peer({ identity: "b" });
    a.close();
    await set.clock.advance(100);
    b.answer("y");
    await set.clock.settle();
    expect(call.value).toBe("y");
    expect(set.of("job-retried")).toMatchObject([{ identity: "a", outcome: "lost" }]);
    expect(set.of("job-settled")).toMatchObject([{ identity: "b", attempts: 2 }]);
  });
});
