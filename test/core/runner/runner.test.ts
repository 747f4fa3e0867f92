import { describe, expect, it, vi } from "vitest";
import {
  EncodingError,
  ExecutionError,
  NoWorkerError,
  QueueFullError,
  RunnerStoppedError,
  TimeoutError,
  WorkerLostError,
} from "../../../src/core/errors.ts";
import { FEATURE } from "../../../src/core/protocol/constants.ts";
import { Job } from "../../../src/core/job/job.ts";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { MemoryTransport } from "../../../src/transports/memory.ts";
import { Puppet, Stage, stage, watch } from "../../support/stage.ts";

const square = (job: Job): string => String(Number(job.data) ** 2);

describe("the documented example of the original", () => {
  it("serializes, loads, and fails after five seconds without a worker", async () => {
    const job = new Job("4*2");
    expect(job.serialize()).toBe("NONE:::4*2");
    expect(Job.loadFromString("NONE:::4*2").data).toBe("4*2");
    await using set = await stage();
    const call = await set.execute("4*2");
    await set.clock.advance(4_999);
    expect(call.state).toBe("pending");
    await set.clock.advance(1);
    expect(call.error).toBeInstanceOf(TimeoutError);
    expect(call.error).toMatchObject({ code: "TIMEOUT", kind: "acquire", ms: 5_000, attempts: [] });
    expect(String(call.error)).toMatch(/^TimeoutError: Could not get a worker/);
  });
});

describe("execute", () => {
  it("runs jobs, strings, bytes and empty data, and answers in kind", async () => {
    await using set = await stage();
    await set.worker((job) => job.data);
    for (const data of ["12", "", "é😀\0\ufeff", new Uint8Array([0, 255, 10]), new Uint8Array()]) {
      expect((await set.execute(data)).value).toEqual(data);
    }
    expect((await set.execute("x")).value).toBe("x");
    expect(await set.settle(set.runner.execute(new Job("via a job")))).toBe("via a job");
  });

  it("hands headers and the context over", async () => {
    await using set = await stage();
    await set.worker(
      (job, { attempt, jobId, identity, signal, shuttingDown }) =>
        JSON.stringify([[...job.headers], attempt, jobId, identity, signal.aborted, shuttingDown.aborted]),
      { identity: "me" },
    );
    const job = new Job("x").addHeader("b", "1").addHeader("__proto__", ":::");
    const answer = JSON.parse(String(await set.settle(set.runner.execute(job)))) as unknown[];
    expect(answer[0]).toEqual([
      ["b", "1"],
      ["__proto__", ":::"],
    ]);
    expect(answer[1]).toBe(1);
    expect(answer[2]).toMatch(/^[0-9a-f]{32}:1$/);
    expect(answer.slice(3)).toEqual(["me", false, false]);
  });

  it("takes a job that another copy of the package has made", async () => {
    await using set = await stage();
    await set.worker((job) => `${String(job.data)} ${job.headers.get("a") ?? ""}`);
    const foreign = { data: "x", headers: new Map([["a", "b"]]), [Symbol.for("powerhose.Job")]: true };
    expect((await set.execute(foreign as never)).value).toBe("x b");
    expect(
      (await set.execute({ ...foreign, data: 7 } as never).catch((error: unknown) => ({ value: error }))).value,
    ).toBeUndefined();
  });

  it.each([
    [undefined, TypeError],
    [null, TypeError],
    [12, TypeError],
    [{}, TypeError],
    ["\ud800", TypeError],
  ])("refuses %j as a job", async (input, error) => {
    await using set = await stage();
    await expect(set.runner.execute(input as never)).rejects.toBeInstanceOf(error);
    expect(set.runner.stats().submitted).toBe(0);
  });

  it.each<[object, typeof TypeError]>([
    [{ timeout: 0 }, RangeError],
    [{ timeout: -1 }, RangeError],
    [{ timeout: Number.NaN }, RangeError],
    [{ timeout: 2 ** 31 }, RangeError],
    [{ timeout: "1s" }, TypeError],
    [{ attempts: 0 }, RangeError],
    [{ attempts: 1.5 }, RangeError],
    [{ attemps: 1 }, TypeError],
    [{ signal: {} }, TypeError],
    [JSON.parse('{"__proto__": 1}') as object, TypeError],
  ])("refuses the options %j", async (options, error) => {
    await using set = await stage();
    await set.worker(square);
    await expect(set.runner.execute("1", options)).rejects.toBeInstanceOf(error);
  });

  it("refuses data over maxPayload, exactly", async () => {
    await using set = await stage({ maxPayload: 1_000 });
    await set.worker((job) => job.data);
    expect((await set.execute("x".repeat(1_000))).state).toBe("ok");
    expect((await set.execute("é".repeat(500))).state).toBe("ok");
    expect((await set.execute("é".repeat(501))).error).toMatchObject({ code: "ENCODING" });
    expect((await set.execute(new Uint8Array(1_001))).error).toMatchObject({ code: "ENCODING" });
  });

  it("rejects when the runner is not started", async () => {
    const set = new Stage();
    await expect(set.runner.execute("1")).rejects.toThrow(/not started.*start\(\)/);
    await set[Symbol.asyncDispose]();
    await expect(set.runner.execute("1")).rejects.toBeInstanceOf(RunnerStoppedError);
  });

  it("starts jobs in the order they were submitted, one at a time for each slot", async () => {
    await using set = await stage();
    const puppet = new Puppet();
    await set.worker(puppet.handler, { capacity: 2 });
    for (let i = 0; i < 5; i++) void set.runner.execute(String(i)).catch(() => undefined);
    await set.clock.settle();
    expect(puppet.runs.map((run) => run.data)).toEqual(["0", "1"]);
    puppet.runs[1]?.end("");
    await set.clock.settle();
    puppet.runs[0]?.end("");
    await set.clock.settle();
    expect(puppet.runs.map((run) => run.data)).toEqual(["0", "1", "2", "3"]);
  });

  it("settles ten thousand jobs on four workers at once", async () => {
    await using set = await stage();
    for (let i = 0; i < 4; i++) await set.worker(square);
    const all = Promise.all(Array.from({ length: 10_000 }, (_, i) => set.runner.execute(String(i))));
    const values = await set.settle(all);
    expect(values.map(Number)).toEqual(Array.from({ length: 10_000 }, (_, i) => i ** 2));
  });

  it("sends the messages of one turn as one frame, or every 64", async () => {
    await using set = await stage();
    const peer = await set.peer({ capacity: 200 });
    const before = peer.frames;
    for (let i = 0; i < 130; i++) void set.runner.execute(String(i)).catch(() => undefined);
    await set.clock.settle();
    expect(peer.jobs).toHaveLength(130);
    expect(peer.frames - before).toBe(3);
    void set.runner.execute("x".repeat(70_000)).catch(() => undefined);
    void set.runner.execute("y").catch(() => undefined);
    await set.clock.settle();
    expect(peer.frames - before).toBe(5);
  });

  it("bounds the queue and names map", async () => {
    await using set = await stage({ maxQueue: 2 });
    const peer = await set.peer();
    const calls = [await set.execute("a"), await set.execute("b"), await set.execute("c"), await set.execute("d")];
    expect(calls.map((call) => call.state)).toEqual(["pending", "pending", "pending", "failed"]);
    expect(calls[3]?.error).toBeInstanceOf(QueueFullError);
    expect(String(calls[3]?.error)).toContain("map");
    peer.answer("");
    await set.clock.settle();
    expect((await set.execute("e")).state).toBe("pending");
  });
});

describe("time limits", () => {
  it("lets the acquire timeout run only while no worker is registered", async () => {
    await using set = await stage();
    const early = await set.execute("early");
    await set.clock.advance(4_000);
    const peer = await set.peer();
    expect(peer.jobs).toEqual(["early"]);
    const behind = await set.execute("behind", { timeout: 60_000 });
    await set.clock.advance(8_000);
    expect([early.state, behind.state]).toEqual(["pending", "pending"]);
    peer.close();
    await set.clock.advance(4_999);
    expect(behind.state).toBe("pending");
    await set.clock.advance(1);
    expect(behind.error).toMatchObject({ kind: "acquire" });
  });

  it("limits the wait for a slot with queueTimeout", async () => {
    await using set = await stage();
    await set.peer();
    await set.execute("first");
    const call = await set.execute("second", { queueTimeout: 300 });
    await set.clock.advance(300);
    expect(call.error).toMatchObject({ code: "TIMEOUT", kind: "queue", ms: 300 });
  });

  it("cancels an attempt that takes too long and tries again elsewhere", async () => {
    await using set = await stage();
    const slow = await set.peer({ identity: "slow" });
    const call = await set.execute("x", { timeout: 1_000 });
    const quick = await set.peer({ identity: "quick" });
    expect(slow.last("JOB")).toMatchObject({ attempt: 1, ttl: 1_000 });
    await set.clock.advance(1_000);
    expect(slow.last("CANCEL")).toMatchObject({ attemptId: 1, reason: "timeout" });
    slow.send({ type: "CANCELLED", attemptId: 1 });
    await set.clock.advance(100);
    expect(quick.last("JOB")).toMatchObject({ attempt: 2 });
    quick.answer("done");
    await set.clock.settle();
    expect(call.value).toBe("done");
    expect(set.runner.workers.size).toBe(2);
  });

  it("does not take the late answer of an abandoned attempt for that of the next one", async () => {
    await using set = await stage();
    const slow = await set.peer({ identity: "slow" });
    const call = await set.execute("x", { timeout: 1_000 });
    const quick = await set.peer({ identity: "quick" });
    await set.clock.advance(1_100);
    expect(quick.jobs).toEqual(["x"]);
    slow.answer("late");
    await set.clock.settle();
    expect(call.state).toBe("pending");
    quick.answer("right");
    await set.clock.settle();
    expect(call.value).toBe("right");
  });

  it("does not retry a timeout when told not to, and says who and how long", async () => {
    await using set = await stage();
    const peer = await set.peer({ identity: "slow" });
    const call = await set.execute("x", { timeout: 700, retryOnTimeout: false });
    await set.clock.advance(700);
    expect(call.error).toMatchObject({
      kind: "attempt",
      ms: 700,
      attempts: [{ identity: "slow", outcome: "timeout", ms: 700 }],
    });
    peer.send({ type: "CANCELLED", attemptId: 1 });
    await set.clock.advance(2_000);
    expect(peer.closed).toBeUndefined();
  });

  it("keeps the slot of a timed-out attempt until it is confirmed, and ends the session when it is not", async () => {
    await using set = await stage();
    const peer = await set.peer();
    await set.execute("stuck", { timeout: 500, attempts: 1 });
    const next = await set.execute("next", { timeout: 60_000 });
    await set.clock.advance(500);
    expect(peer.jobs).toEqual(["stuck"]);
    await set.clock.advance(999);
    expect(peer.closed).toBeUndefined();
    await set.clock.advance(1);
    expect(peer.last("ERROR").code).toBe("UNRESPONSIVE");
    expect(peer.closed).toBeDefined();
    expect(set.of("worker-gone")).toMatchObject([{ reason: "unresponsive", inFlight: 1 }]);
    expect(next.state).toBe("pending");
    const other = await set.peer({ identity: "other" });
    expect(other.jobs).toEqual(["next"]);
  });

  describe("of a worker with several slots", () => {
    const long = { timeout: 60_000 };

    it("keeps the slot of a handler that ignores its abort, and lets its neighbours go on", async () => {
      await using set = await stage();
      const puppet = new Puppet();
      await set.worker(puppet.handler, { capacity: 4 });
      const calls = await Promise.all(["b", "c", "d"].map((data) => set.execute(data, long)));
      await set.execute("stuck", { timeout: 500, attempts: 1 });
      const next = await set.execute("next", long);
      await set.clock.advance(10_000);
      expect(set.gone).toEqual([]);
      expect(puppet.runs).toHaveLength(4);
      for (const run of puppet.runs) run.end("done");
      await set.clock.settle();
      expect(calls.map(({ value }) => value)).toEqual(["done", "done", "done"]);
      expect(puppet.runs[4]?.data).toBe("next");
      puppet.runs[4]?.end("done");
      await set.clock.settle();
      expect(next.value).toBe("done");
    });

    it("ends the session once every slot is held", async () => {
      await using set = await stage();
      const puppet = new Puppet();
      await set.worker(puppet.handler, { capacity: 2 });
      await set.execute("a", { timeout: 500, attempts: 1 });
      await set.execute("b", { timeout: 5_000, attempts: 1 });
      await set.clock.advance(5_999);
      expect(set.gone).toEqual([]);
      await set.clock.advance(1);
      expect(set.of("worker-gone")).toMatchObject([{ reason: "unresponsive" }]);
    });

    it("ends the session of a worker that answers no PING, and tries its neighbours again at no cost", async () => {
      await using set = await stage();
      const peer = await set.peer({ capacity: 2, blocking: true });
      await set.execute("stuck", { timeout: 500, attempts: 1 });
      const call = await set.execute("bystander", { ...long, maxLost: 1 });
      await set.clock.advance(1_500);
      expect(set.of("worker-gone")).toMatchObject([{ reason: "unresponsive", inFlight: 2 }]);
      expect(peer.all("PING")).toHaveLength(1);
      const other = await set.peer({ identity: "other" });
      await set.clock.advance(2_000);
      expect(other.jobs).toEqual(["bystander"]);
      other.send({ type: "JOBRES", attemptId: 1, value: "done" });
      await set.clock.settle();
      expect(call.value).toBe("done");
    });

    it.each([
      ["ends the session of a worker that has grown since its CANCEL, and was asked nothing", false],
      ["keeps the session of a worker that has grown since its CANCEL, and answered a later PING", true],
    ])("%s", async (_what, isAsked) => {
      await using set = await stage();
      const peer = await set.peer({ features: FEATURE.capacity, capacity: 1, blocking: true });
      await set.execute("stuck", { timeout: 500, attempts: 1 });
      await set.clock.advance(500);
      expect(peer.all("PING"), "its only slot is the one that is stuck").toEqual([]);
      peer.send({ type: "CAPACITY", capacity: 3, labels: [] });
      await set.execute("bystander", long);
      if (isAsked) {
        await set.execute("other", { timeout: 400, attempts: 1 });
        await set.clock.advance(400);
        peer.send({ type: "PONG", nonce: peer.last("PING").nonce });
      }
      await set.clock.advance(isAsked ? 600 : 1_000);
      expect(set.gone).toEqual(isAsked ? [] : ["scripted unresponsive"]);
    });

    it("settles a neighbour once that is given up while the losses of their worker are told", async () => {
      await using set = await stage();
      const peer = await set.peer({ capacity: 2 });
      const given = new AbortController();
      const other = await set.execute("b", { ...long, signal: given.signal });
      // The outcome of the first, which is told first, pulls the input.
      function* inputs(): Generator<string> {
        yield "a";
        given.abort(new Error("not wanted"));
      }
      const results = set.runner.map(inputs(), { concurrency: 1, attempts: 1 });
      const first = results.next();
      await set.clock.settle();
      peer.close();
      await set.clock.settle();
      expect(await first).toMatchObject({ value: { ok: false } });
      expect(other.error).toMatchObject({ message: "not wanted" });
      await results.return();
      expect(set.runner.stats()).toMatchObject({ queued: 0, running: 0, backoff: 0, failed: 2 });
    });

    it("lets a worker go that leaves, and gives the slot it holds back in the frame that answers the rest", async () => {
      await using set = await stage();
      const peer = await set.peer({ capacity: 3 });
      await set.execute("held", { timeout: 500, attempts: 1 });
      await set.execute("last", long);
      await set.clock.advance(500);
      peer.send({ type: "PONG", nonce: peer.last("PING").nonce });
      await set.clock.advance(1_000);
      peer.send({ type: "REMOVE" });
      await set.clock.settle();
      peer.send({ type: "JOBRES", attemptId: 2, value: "done" }, { type: "CANCELLED", attemptId: 1 });
      await set.clock.settle();
      expect(set.gone).toEqual(["scripted removed"]);
      expect(peer.all("REMOVED")).toHaveLength(1);
    });

    it("does not wait for held slots when the worker leaves", async () => {
      await using set = await stage();
      const puppet = new Puppet();
      const worker = await set.worker(puppet.handler, { capacity: 3 });
      await set.execute("stuck", { timeout: 500, attempts: 1 });
      const other = await set.execute("other", long);
      await set.clock.advance(3_000);
      void worker.drain();
      await set.clock.settle();
      expect(set.gone).toEqual([]);
      puppet.runs[1]?.end("done");
      await set.clock.settle();
      expect(other.value).toBe("done");
      expect(set.of("worker-gone")).toMatchObject([{ reason: "unresponsive", inFlight: 1 }]);
    });

    it("counts a slot that is given back late", async () => {
      await using set = await stage();
      const puppet = new Puppet();
      await set.worker(puppet.handler, { capacity: 2 });
      for (const data of ["a", "b", "c"]) {
        await set.execute(data, { timeout: 500, attempts: 1 });
        await set.clock.advance(3_000);
        expect(set.runner.stats().workers[0]?.inFlight).toBe(1);
        puppet.runs.at(-1)?.end("late");
        await set.clock.settle();
      }
      expect(set.gone).toEqual([]);
      expect(set.runner.stats().workers[0]?.inFlight).toBe(0);
    });
  });

  it.each(["JOBRES", "JOBERR", "CANCELLED"] as const)(
    "frees the slot of a cancelled attempt on %s, and drops the value",
    async (type) => {
      await using set = await stage();
      const peer = await set.peer();
      const stuck = await set.execute("stuck", { timeout: 500, attempts: 1 });
      const next = await set.execute("next");
      await set.clock.advance(500);
      const error = { name: "Error", message: "late", code: "", stack: "" };
      if (type === "JOBRES") peer.send({ type, attemptId: 1, value: "late" });
      else if (type === "JOBERR") peer.send({ type, attemptId: 1, error, retryable: true, retryAfter: 0 });
      else peer.send({ type, attemptId: 1 });
      await set.clock.settle();
      expect(stuck.error).toMatchObject({ kind: "attempt" });
      expect(peer.jobs).toEqual(["stuck", "next"]);
      peer.answer("ok");
      await set.clock.advance(5_000);
      expect(next.value).toBe("ok");
      expect(peer.closed).toBeUndefined();
    },
  );

  it.each([
    [
      "queued",
      async (set: Stage) => void (await set.peer({ identity: "busy" }), await set.execute("other", { timeout: 9_000 })),
    ],
    ["without a worker", async () => undefined],
  ])("ends a call at its deadline while %s", async (_name, prepare) => {
    await using set = await stage();
    await prepare(set);
    const call = await set.execute("x", { deadline: 800 });
    await set.clock.advance(799);
    expect(call.state).toBe("pending");
    await set.clock.advance(1);
    expect(call.error).toMatchObject({ kind: "deadline", ms: 800 });
  });

  it("ends a call at its deadline while it runs, and tells the worker the time that was left", async () => {
    await using set = await stage();
    const call = await set.execute("x", { deadline: 800, timeout: 700 });
    await set.clock.advance(300);
    const peer = await set.peer();
    expect(peer.last("JOB").ttl).toBe(500);
    await set.clock.advance(500);
    expect(call.error).toMatchObject({ kind: "deadline", attempts: [{ outcome: "cancelled" }] });
    expect(peer.last("CANCEL").reason).toBe("deadline");
  });

  it("ends a call at its deadline while it waits for its next attempt", async () => {
    // The longest backoff there is: just under 50 ms.
    await using set = await stage({ random: { u32: () => 0xffff_ffff, id: () => "i" } });
    const peer = await set.peer();
    const call = await set.execute("x", { deadline: 40 });
    const error = { name: "Busy", message: "later", code: "", stack: "" };
    peer.send({ type: "JOBERR", attemptId: 1, error, retryable: true, retryAfter: 0 });
    await set.clock.settle();
    expect(set.runner.stats().backoff).toBe(1);
    await set.clock.advance(39);
    expect(call.state).toBe("pending");
    await set.clock.advance(1);
    expect(call.error).toMatchObject({ kind: "deadline" });
    expect(peer.jobs).toHaveLength(1);
  });

  it("ends a call at once when its handler wants it to be tried again after its deadline", async () => {
    await using set = await stage();
    const peer = await set.peer();
    const call = await set.execute("x", { deadline: 800 });
    const error = { name: "Busy", message: "later", code: "", stack: "" };
    peer.send({ type: "JOBERR", attemptId: 1, error, retryable: true, retryAfter: 2_147_483_647 });
    await set.clock.settle();
    expect(call.error).toMatchObject({ code: "EXECUTION", remoteName: "Busy", attempts: [{ outcome: "error" }] });
    expect(set.runner.stats()).toMatchObject({ backoff: 0, queuedBytes: 0 });
  });

  it("waits for a retry no longer than maxRetryAfter, whatever a worker says", async () => {
    await using set = await stage({ heartbeat: 1_000_000 });
    const peer = await set.peer();
    await set.execute("x", { maxRetryAfter: 5_000 });
    await set.execute("y");
    const error = { name: "Busy", message: "later", code: "", stack: "" };
    for (const attemptId of [1, 2]) {
      peer.send({ type: "JOBERR", attemptId, error, retryable: true, retryAfter: 4_294_967_295 });
      await set.clock.settle();
    }
    expect(set.of("job-retried").map(({ after }) => after)).toEqual([5_000, 60_000]);
    await set.clock.advance(5_000);
    expect(peer.jobs).toEqual(["x", "y", "x"]);
    peer.answer("");
    await set.clock.advance(55_000);
    expect(peer.jobs).toEqual(["x", "y", "x", "y"]);
  });

  it("does not start a job whose deadline has passed while this process stood still", async () => {
    await using set = await stage();
    const peer = await set.peer();
    await set.execute("first");
    const late = await set.execute("late", { deadline: 100 });
    set.clock.jump(150);
    peer.answer("");
    await set.clock.settle();
    expect(late.error).toMatchObject({ kind: "deadline" });
    expect(peer.jobs).toEqual(["first"]);
  });

  it("fails fast when asked to and nobody is registered", async () => {
    await using set = await stage();
    expect((await set.execute("x", { failFast: true })).error).toBeInstanceOf(NoWorkerError);
    await set.peer();
    expect((await set.execute("x", { failFast: true })).state).toBe("pending");
  });

  it("never sets a timer for an infinite limit", async () => {
    await using set = await stage();
    const call = await set.execute("x", { timeout: Infinity, acquireTimeout: Infinity });
    await set.clock.advance(2 ** 31);
    expect(call.state).toBe("pending");
  });
});

describe("failures", () => {
  it("hands a handler's error over, and does not try again", async () => {
    await using set = await stage();
    let runs = 0;
    await set.worker(() => {
      runs++;
      throw Object.assign(new RangeError("no such thing"), { code: "E_THING" });
    });
    const call = await set.execute("x");
    expect(call.error).toBeInstanceOf(ExecutionError);
    expect(call.error).toMatchObject({
      code: "EXECUTION",
      remoteName: "RangeError",
      remoteMessage: "no such thing",
      remoteCode: "E_THING",
      remoteStack: expect.stringContaining("runner.test.ts") as string,
      attempts: [{ outcome: "error" }],
    });
    expect(runs).toBe(1);
    expect(set.runner.workers.size).toBe(1);
  });

  it.each([
    ["a string", () => Promise.reject("text")],
    ["nothing", () => Promise.reject(undefined)],
    ["an object without a prototype", () => Promise.reject(Object.create(null))],
    [
      "a hostile object",
      () =>
        Promise.reject({
          toString: () => {
            throw new Error("gotcha");
          },
        }),
    ],
    ["a number for a result", () => 5 as never],
    ["an undefined result", () => undefined as never],
    ["a lone surrogate", () => "\ud800"],
    [
      "a hostile thenable",
      () =>
        ({
          then: () => {
            throw new Error("thenable");
          },
        }) as never,
    ],
  ])("turns %s from a handler into an ExecutionError", async (_name, handler) => {
    await using set = await stage();
    const worker = await set.worker(handler);
    expect((await set.execute("x")).error).toBeInstanceOf(ExecutionError);
    expect(worker.state).toBe("registered");
    expect(worker.running).toBe(0);
  });

  it("fails a job whose result is too large, and keeps the worker", async () => {
    await using set = await stage({ maxPayload: 100 });
    await set.worker((job) => "x".repeat(Number(job.data)), { identity: "w" });
    const { error } = await set.execute("101");
    expect(error).toBeInstanceOf(EncodingError);
    expect(error).toMatchObject({
      code: "ENCODING",
      message: "worker w: the result has 101 bytes, over the runner's limit of 100",
      attempts: [{ outcome: "error" }],
    });
    expect((await set.execute("100")).state).toBe("ok");
  });

  it.each([1, 100_000])(
    "fails a job whose worker sends a result that is %i bytes too large, and keeps it",
    async (over) => {
      await using set = await stage({ maxPayload: 100 });
      const peer = await set.peer();
      for (const value of ["x".repeat(100 + over), new Uint8Array(100 + over)]) {
        const call = await set.execute("x");
        peer.send({ type: "JOBRES", attemptId: peer.last("JOB").attemptId, value });
        await set.clock.settle();
        expect(call.error).toBeInstanceOf(EncodingError);
        expect(call.error).toMatchObject({
          message: `the result of worker scripted has ${100 + over} bytes, over maxPayload (100)`,
          jobId: expect.stringMatching(/^[0-9a-f]+:\d+$/) as unknown,
          attempts: [{ identity: "scripted", outcome: "error" }],
        });
      }
      const next = await set.execute("x");
      peer.answer("é".repeat(50));
      await set.clock.settle();
      expect([next.state, set.gone]).toEqual(["ok", []]);
    },
  );

  it("fails a job over the worker's own limit at once, names both limits, and sends nothing", async () => {
    await using set = await stage({ maxPayload: 1_000 });
    const peer = await set.peer({ maxPayload: 100 });
    for (const data of ["x".repeat(101), "é".repeat(51), new Uint8Array(101)]) {
      const { error } = await set.execute(data);
      expect(error).toBeInstanceOf(EncodingError);
      expect(String(error)).toMatch(/over the maxPayload of worker scripted \(100\); the runner's is 1000$/);
      expect(error).toHaveProperty("jobId", expect.stringMatching(/^[0-9a-f]+:\d+$/));
    }
    expect(peer.jobs).toEqual([]);
    const call = await set.execute("é".repeat(50));
    peer.answer("done");
    await set.clock.settle();
    expect([call.value, set.gone]).toEqual(["done", []]);
  });

  it("tells it in the same way of a real worker with a smaller limit, on a lease too", async () => {
    await using set = await stage({ maxPayload: 1_000 });
    const worker = await set.worker(() => "done", { maxPayload: 100 });
    expect((await set.execute("x".repeat(101))).error).toBeInstanceOf(EncodingError);
    const leased = await set.settle(set.runner.workers.acquire());
    const call = watch(leased.execute("x".repeat(101)));
    await set.clock.settle();
    expect(call.error).toBeInstanceOf(EncodingError);
    set.runner.workers.release(leased);
    expect([(await set.execute("x")).value, worker.state]).toEqual(["done", "registered"]);
  });

  it("tries again what the handler marked as retryable, not before its retryAfter", async () => {
    await using set = await stage();
    const attempts: number[] = [];
    await set.worker((_job, { attempt }) => {
      attempts.push(attempt);
      if (attempt < 3) throw Object.assign(new Error("busy"), { retryable: true, retryAfter: 5_000 });
      return "at last";
    });
    const call = await set.execute("x");
    await set.clock.advance(4_999);
    expect(attempts).toEqual([1]);
    await set.clock.advance(5_001);
    expect(attempts).toEqual([1, 2, 3]);
    expect(call.value).toBe("at last");
  });

  it("runs a job again, elsewhere, when its worker is lost", async () => {
    await using set = await stage();
    const first = await set.peer({ identity: "first" });
    const second = await set.peer({ identity: "second" });
    const call = await set.execute("x");
    first.close();
    await set.clock.advance(100);
    expect(second.jobs).toEqual(["x"]);
    second.answer("saved");
    await set.clock.settle();
    expect(call.value).toBe("saved");
  });

  it("gives a job up that was lost with two workers", async () => {
    await using set = await stage();
    const peers = [
      await set.peer({ identity: "a" }),
      await set.peer({ identity: "b" }),
      await set.peer({ identity: "c" }),
    ];
    const call = await set.execute("poison", { attempts: 5 });
    for (const peer of peers) {
      if (peer.jobs.length > 0) peer.close();
      await set.clock.advance(2_000);
      if (peer.jobs.length > 0) peer.close();
      await set.clock.advance(2_000);
    }
    expect(call.error).toBeInstanceOf(WorkerLostError);
    expect(call.error).toMatchObject({ attempts: [{ outcome: "lost" }, { outcome: "lost" }] });
    expect(String(call.error)).toMatch(/worker \w was lost with the job in flight: closed, closed by the other end/);
    expect(set.runner.workers.size).toBe(1);
  });

  it("never starts a job twice with attempts: 1", async () => {
    await using set = await stage({ attempts: 1 });
    const peer = await set.peer({ identity: "a" });
    const other = await set.peer({ identity: "b" });
    const call = await set.execute("x");
    peer.close();
    await set.clock.advance(5_000);
    expect(call.error).toBeInstanceOf(WorkerLostError);
    expect(other.jobs).toEqual([]);
  });

  it("takes a handed-back job elsewhere at once, and does not count it", async () => {
    await using set = await stage({ attempts: 1 });
    const full = await set.peer({ identity: "full" });
    const free = await set.peer({ identity: "free" });
    const call = await set.execute("x");
    full.send({ type: "REJECT", attemptId: 1, reason: "overloaded" });
    await set.clock.settle();
    expect(free.last("JOB").attempt).toBe(1);
    free.answer("ok");
    await set.clock.settle();
    expect(call.value).toBe("ok");
  });

  it("slows down when a job is handed back again and again", async () => {
    await using set = await stage();
    const peer = await set.peer();
    await set.execute("x");
    for (let i = 1; i <= 4; i++) {
      peer.send({ type: "REJECT", attemptId: i, reason: "overloaded" });
      await set.clock.settle();
    }
    expect(peer.jobs).toHaveLength(4);
    expect(set.runner.stats().backoff).toBe(1);
    await set.clock.advance(50);
    expect(peer.jobs).toHaveLength(5);
  });

  it("waits for a worker that is busy with another caller's jobs, no longer than the queueTimeout", async () => {
    await using set = await stage();
    const peer = await set.peer();
    const patient = await set.execute("patient");
    const impatient = await set.execute("impatient", { queueTimeout: 60_000 });
    for (let seconds = 0, answered = 0; seconds < 400; seconds += 2) {
      for (; answered < peer.jobs.length; answered++) {
        peer.send({ type: "REJECT", attemptId: answered + 1, reason: "overloaded" });
      }
      await set.clock.advance(2_000);
      peer.send({ type: "PING", nonce: 0 });
    }
    expect(impatient.error).toMatchObject({ kind: "queue", ms: 60_000 });
    expect(patient.state).toBe("pending");
    expect(set.runner.stats().workers[0]?.served).toBe(0);
  });

  it("gives a job up that is only ever handed back", async () => {
    await using set = await stage();
    const peer = await set.peer();
    const call = await set.execute("x");
    for (let i = 1; call.state === "pending" && i < 1_000; i++) {
      if (peer.jobs.length === i) peer.send({ type: "REJECT", attemptId: i, reason: "draining" });
      await set.clock.advance(2_000);
      peer.send({ type: "PING", nonce: 0 });
    }
    expect(call.error).toBeInstanceOf(WorkerLostError);
    expect(String(call.error)).toContain("handed the job back");
    expect(peer.jobs).toHaveLength(100);
  });

  it("prefers a worker that has not had the job, but uses it again rather than wait", async () => {
    await using set = await stage({ timeout: 100 });
    const peer = await set.peer({ identity: "only", capacity: 4 });
    await set.execute("x");
    await set.clock.advance(100);
    peer.send({ type: "CANCELLED", attemptId: 1 });
    await set.clock.advance(50);
    expect(peer.all("JOB").map((job) => job.attempt)).toEqual([1, 2]);
  });
});

/** Bytes that belong to somebody else by now. */
function detached(bytes = new Uint8Array(4)): Uint8Array {
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

describe("bytes that change hands", () => {
  it("fail the job when it is submitted, and nothing else", async () => {
    await using set = await stage();
    await set.worker((job) => job.data);
    expect((await set.execute(detached())).error).toMatchObject({ code: "ENCODING" });
    expect(set.runner.stats()).toMatchObject({ queued: 0, running: 0 });
    expect((await set.execute("next")).value).toBe("next");
  });

  it("fail the job while it is queued, and nothing else", async () => {
    await using set = await stage({ maxPayload: 10 });
    const peer = await set.peer();
    await set.execute("first");
    const bytes = new Uint8Array(4);
    const growing = new Uint8Array(new ArrayBuffer(4, { maxByteLength: 100 }));
    const calls = [await set.execute(bytes), await set.execute(growing), await set.execute("last")];
    detached(bytes);
    (growing.buffer as ArrayBuffer & { resize(length: number): void }).resize(100);
    peer.answer("");
    await set.clock.settle();
    expect(calls.map((call) => call.state)).toEqual(["failed", "failed", "pending"]);
    for (const call of calls.slice(0, 2)) expect(call.error).toMatchObject({ code: "ENCODING" });
    expect(peer.jobs).toEqual(["first", "last"]);
  });

  it("fail the job as a result, and not the jobs beside it", async () => {
    await using set = await stage();
    await set.worker((job) => (job.data === "bad" ? detached() : job.data), { capacity: 4 });
    const calls = ["a", "bad", "b", "c"].map((data) => watch(set.runner.execute(data)));
    await set.clock.settle();
    expect(calls.map((call) => call.value)).toEqual(["a", undefined, "b", "c"]);
    expect(calls[1]?.error).toMatchObject({ code: "EXECUTION", remoteCode: "RESULT_TYPE" });
    expect(set.runner.stats().running).toBe(0);
  });
});

describe("aborting", () => {
  it("does not queue a call whose signal has aborted", async () => {
    await using set = await stage();
    const peer = await set.peer();
    const reason = new Error("changed my mind");
    await expect(set.runner.execute("x", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(peer.jobs).toEqual([]);
  });

  it.each(["queued", "running", "backoff"])(
    "settles at once while %s, with the reason, and frees everything",
    async (state) => {
      await using set = await stage();
      const controller = new AbortController();
      const peer = await set.peer();
      if (state === "queued") await set.execute("first");
      const call = await set.execute("x", { signal: controller.signal });
      if (state === "backoff") {
        const error = { name: "Busy", message: "", code: "", stack: "" };
        peer.send({ type: "JOBERR", attemptId: 1, error, retryable: true, retryAfter: 9_000 });
        await set.clock.settle();
      }
      const key = state as "queued" | "running" | "backoff";
      expect(set.runner.stats()[key]).toBe(1);
      const reason = new Error("enough");
      controller.abort(reason);
      await set.clock.settle();
      expect(call.error).toBe(reason);
      expect(set.runner.stats()[key]).toBe(0);
      expect(peer.all("CANCEL")).toHaveLength(state === "running" ? 1 : 0);
      await set.clock.advance(20_000);
      expect(peer.jobs.filter((data) => data === "x")).toHaveLength(state === "queued" ? 0 : 1);
    },
  );

  it("listens once to a signal that many calls share, and lets go of it", async () => {
    await using set = await stage();
    await set.worker((job) => job.data, { capacity: 100 });
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    const all = Promise.all(Array.from({ length: 50 }, (_, i) => set.runner.execute(String(i), { signal })));
    await set.settle(all);
    expect(added).toHaveBeenCalledTimes(1);
    expect(removed).toHaveBeenCalledTimes(1);
  });

  it("aborts the handler's signal with a reason, and waits for its return before the slot is used again", async () => {
    await using set = await stage();
    const puppet = new Puppet();
    await set.worker(puppet.handler);
    const controller = new AbortController();
    await set.execute("first", { signal: controller.signal });
    await set.execute("second");
    controller.abort();
    await set.clock.settle();
    expect(puppet.runs[0]?.signal.reason).toMatchObject({ name: "AbortError", reason: "cancelled" });
    expect(puppet.runs).toHaveLength(1);
    puppet.runs[0]?.end("dropped");
    await set.clock.settle();
    expect(puppet.runs).toHaveLength(2);
  });
});

describe("life", () => {
  it("starts once, stops once, and can be started again", async () => {
    const { clock, runner } = new Stage();
    const set = { clock, runner };
    expect(runner.start()).toBe(runner.start());
    await runner.start();
    expect(set.runner.state).toBe("started");
    const stopping = runner.stop();
    expect(runner.stop()).toBe(stopping);
    await stopping;
    await runner.stop();
    expect(runner.state).toBe("stopped");
    await runner.start();
    const worker = new Worker({ dial: runner, handler: square, clock });
    const started = worker.start();
    await clock.settle();
    await started;
    const call = runner.execute("9");
    await clock.settle();
    expect(await call).toBe("81");
    await worker.stop();
    await runner.stop();
    expect(clock.pending).toBe(0);
  });

  it("goes back to created when a listener cannot start, stops the others, and can try again", async () => {
    const log: string[] = [];
    const clock = new Stage().clock;
    let broken = true;
    const listener = (name: string, fails: () => boolean) => ({
      address: name,
      start: async () => {
        log.push(`start ${name}`);
        if (fails()) throw new Error(`${name} is taken`);
      },
      stop: async () => void log.push(`stop ${name}`),
    });
    const runner = new JobRunner({ clock, listen: [listener("a", () => false), listener("b", () => broken)] });
    await expect(runner.start()).rejects.toThrow("b is taken");
    expect(runner.state).toBe("created");
    expect(log).toContain("stop a");
    broken = false;
    await runner.start();
    expect(runner.state).toBe("started");
    await runner.stop();
  });

  it("settles everything when it stops", async () => {
    const set = await stage();
    const peer = await set.peer();
    const calls = [await set.execute("running"), await set.execute("queued")];
    await set[Symbol.asyncDispose]();
    for (const call of calls) expect(call.error).toBeInstanceOf(RunnerStoppedError);
    expect(peer.last("GOAWAY").reason).toBe("stopping");
    expect(peer.closed).toBeDefined();
  });

  it("drains: runs what is queued, takes nothing new, then stops", async () => {
    const set = await stage();
    const peer = await set.peer();
    const calls = [await set.execute("a"), await set.execute("b")];
    const drained = set.runner.drain();
    expect(set.runner.drain()).toBe(drained);
    await expect(set.runner.execute("c")).rejects.toThrow(/draining/);
    peer.answer("1");
    await set.clock.settle();
    peer.answer("2");
    await set.settle(drained);
    expect(calls.map((call) => call.value)).toEqual(["1", "2"]);
    expect(set.runner.state).toBe("stopped");
    await set[Symbol.asyncDispose]();
  });

  it("finishes what has started, also between two attempts, when what is queued is rejected", async () => {
    const set = await stage();
    const peer = await set.peer();
    const started = await set.execute("started");
    const error = { name: "Busy", message: "", code: "", stack: "" };
    peer.send({ type: "JOBERR", attemptId: 1, error, retryable: true, retryAfter: 500 });
    await set.clock.settle();
    expect(set.runner.stats().backoff).toBe(1);
    const drained = set.runner.drain({ queued: "reject" });
    await set.clock.advance(500);
    peer.answer("done");
    await set.settle(drained);
    expect(started.value).toBe("done");
    await set[Symbol.asyncDispose]();
  });

  it("drains without what is queued when told so", async () => {
    const set = await stage();
    const peer = await set.peer();
    const running = await set.execute("a");
    const queued = await set.execute("b");
    const drained = set.runner.drain({ queued: "reject" });
    await set.clock.settle();
    expect(queued.error).toBeInstanceOf(RunnerStoppedError);
    expect(running.state).toBe("pending");
    peer.answer("1");
    await set.settle(drained);
    expect(running.value).toBe("1");
    await set[Symbol.asyncDispose]();
  });

  it("aborts what is left when the drain takes too long, or when it is stopped meanwhile", async () => {
    for (const how of ["timeout", "stop"]) {
      const set = await stage();
      await set.peer();
      const call = await set.execute("a");
      const drained = set.runner.drain({ timeout: 1_000 });
      await set.clock.advance(999);
      expect(call.state).toBe("pending");
      if (how === "stop") void set.runner.stop();
      else await set.clock.advance(1);
      await set.settle(drained);
      expect(call.error).toBeInstanceOf(RunnerStoppedError);
      await set[Symbol.asyncDispose]();
    }
  });

  it("takes nothing new while it drains, from holders neither, and lets nobody wait for a worker when it stops", async () => {
    const set = await stage();
    const peer = await set.peer();
    const held = await set.settle(set.runner.workers.acquire());
    const running = held.execute("a");
    const waiting = watch(set.runner.workers.acquire({ timeout: Infinity }));
    await set.clock.settle();
    const drained = set.runner.drain();
    await expect(held.execute("b")).rejects.toThrow(/draining/);
    peer.answer("1");
    expect(await set.settle(running)).toBe("1");
    await set.settle(drained);
    expect(waiting.error).toBeInstanceOf(RunnerStoppedError);
    await set[Symbol.asyncDispose]();
  });

  it("starts again after a stop that came while it started", async () => {
    const { clock } = new Stage();
    const starts: { open: () => void; fail: (error: Error) => void }[] = [];
    const listener = {
      address: "slow",
      start: () => new Promise<void>((open, fail) => void starts.push({ open, fail })),
      stop: async () => starts.at(-1)?.fail(new Error("stopped")),
    };
    const runner = new JobRunner({ clock, listen: listener });
    const first = watch(runner.start());
    await clock.settle();
    const stopped = watch(runner.stop());
    const second = watch(runner.start());
    await clock.settle();
    expect([first.state, stopped.state, runner.state]).toEqual(["failed", "ok", "starting"]);
    starts[1]?.open();
    await clock.settle();
    expect([second.state, runner.state]).toEqual(["ok", "started"]);
    await runner.stop();
  });

  it("stops only the listeners it has started", async () => {
    const { clock } = new Stage();
    const shared = new MemoryTransport({ clock });
    const owner = new JobRunner({ clock, listen: shared });
    await owner.start();
    const second = new JobRunner({ clock, listen: shared });
    await expect(second.start()).rejects.toThrow(/already listening/);
    await new JobRunner({ clock, listen: shared }).stop();
    const worker = new Worker({ clock, dial: shared, handler: square });
    const started = worker.start();
    await clock.settle();
    await started;
    expect(owner.workers.size).toBe(1);
    await worker.stop();
    await owner.stop();
  });

  it("is not bricked by a listener that cannot stop", async () => {
    let stops = 0;
    const listener = {
      address: "odd",
      start: async () => undefined,
      stop: async () => {
        if (stops++ === 0) throw new Error("still busy");
      },
    };
    const runner = new JobRunner({ clock: new Stage().clock, listen: listener });
    await runner.start();
    await expect(runner.stop()).rejects.toThrow("still busy");
    expect(runner.state).toBe("stopped");
    await runner.start();
    expect(runner.state).toBe("started");
    await runner.stop();
  });

  it("lets nobody wait for a worker once it has stopped", async () => {
    const set = await stage();
    await set[Symbol.asyncDispose]();
    await expect(set.runner.workers.acquire({ timeout: Infinity })).rejects.toBeInstanceOf(RunnerStoppedError);
    await set.settle(set.runner.start());
    await set.peer();
    expect(await set.settle(set.runner.workers.getContext((held) => held.identity))).toBe("scripted");
    await set[Symbol.asyncDispose]();
  });

  it("tells of workers it cannot reach, and goes on trying", async () => {
    const set = new Stage({ dial: { dial: () => Promise.reject(new Error("nobody there")) } });
    await set.settle(set.runner.start());
    await set.clock.advance(60_000);
    expect(set.of("dial-failed").length).toBeGreaterThan(3);
    expect(set.of("dial-failed")[0]?.error).toMatchObject({ message: "nobody there" });
    await set[Symbol.asyncDispose]();
  });

  it("can be stopped while it starts", async () => {
    let open: () => void = () => undefined;
    let running = false;
    const listener = {
      address: "slow",
      start: () => new Promise<void>((resolve) => (open = resolve)).then(() => void (running = true)),
      stop: async () => void (running = false),
    };
    const runner = new JobRunner({ clock: new Stage().clock, listen: listener });
    const starting = runner.start();
    const stopping = runner.stop();
    open();
    await expect(starting).rejects.toBeInstanceOf(RunnerStoppedError);
    await stopping;
    expect(running).toBe(false);
    expect(runner.state).toBe("stopped");
  });
});

describe("holding a worker", () => {
  it("runs a holder's jobs on one worker, one after the other, and gives it back", async () => {
    await using set = await stage();
    const puppet = new Puppet();
    await set.worker(puppet.handler, { capacity: 2, identity: "it" });
    const held = await set.settle(set.runner.workers.acquire());
    expect(held.identity).toBe("it");
    const first = held.execute("1");
    const second = held.execute("2");
    await set.clock.settle();
    expect(puppet.runs.map((run) => run.data)).toEqual(["1"]);
    await set.execute("from the fleet");
    await set.execute("waits");
    expect(puppet.runs.map((run) => run.data)).toEqual(["1", "from the fleet"]);
    puppet.runs[0]?.end("one");
    await set.clock.settle();
    expect(await first).toBe("one");
    await held[Symbol.asyncDispose]();
    await held[Symbol.asyncDispose]();
    await expect(held.execute("3")).rejects.toBeInstanceOf(WorkerLostError);
    puppet.runs.at(-1)?.end("two");
    await set.clock.settle();
    expect(await second).toBe("two");
    expect(puppet.runs.map((run) => run.data)).toEqual(["1", "from the fleet", "2", "waits"]);
  });

  it("does not retry a held job elsewhere, and fails the rest when the worker is lost", async () => {
    await using set = await stage();
    const peer = await set.peer({ identity: "held" });
    const other = await set.peer({ identity: "other" });
    const held = await set.settle(set.runner.workers.acquire());
    const calls = [held.execute("1"), held.execute("2")].map((call) => call.catch((error: unknown) => error));
    await set.clock.settle();
    (peer.jobs.length > 0 ? peer : other).close();
    const errors = await set.settle(Promise.all(calls));
    for (const error of errors) expect(error).toBeInstanceOf(WorkerLostError);
    expect(peer.jobs.length + other.jobs.length).toBe(1);
    expect(held.usable).toBe(false);
    set.runner.workers.release(held);
  });

  it("serves holders and jobs in the order they came", async () => {
    await using set = await stage();
    const peer = await set.peer();
    await set.execute("a");
    const holding = set.runner.workers.getContext((worker) => worker.execute("held"));
    const b = await set.execute("b");
    peer.answer("1");
    await set.clock.settle();
    expect(peer.jobs).toEqual(["a", "held"]);
    peer.answer("2");
    expect(await set.settle(holding)).toBe("2");
    await set.clock.settle();
    expect(peer.jobs).toEqual(["a", "held", "b"]);
    peer.answer("3");
    await set.clock.settle();
    expect(b.value).toBe("3");
  });
});

describe("telling", () => {
  it("tells a job's story as events and numbers", async () => {
    await using set = await stage();
    const peer = await set.peer({ identity: "w", capacity: 3, labels: ["gpu"] });
    await set.execute("x");
    expect(set.runner.stats()).toMatchObject({
      state: "started",
      capacity: 3,
      running: 1,
      workers: [{ identity: "w", state: "busy", inFlight: 1, labels: ["gpu"] }],
    });
    peer.answer("y");
    await set.clock.settle();
    expect(set.events.map((event) => event.type)).toEqual([
      "runner-state",
      "runner-state",
      "worker-joined",
      "job-started",
      "job-settled",
    ]);
    expect(set.runner.stats()).toMatchObject({
      running: 0,
      submitted: 1,
      succeeded: 1,
      failed: 0,
      workers: [{ served: 1 }],
    });
  });
});
