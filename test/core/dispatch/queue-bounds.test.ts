/** What may wait in a runner, in number and in bytes: what counts, who is refused, and that every count comes back to 0. */
import { describe, expect, it } from "vitest";
import { QueueFullError } from "../../../src/core/errors.ts";
import { Job } from "../../../src/core/job/job.ts";
import type { JobErrorMessage, Message } from "../../../src/core/protocol/message.ts";
import type { Payload } from "../../../src/core/peer.ts";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import { RUNNER_DEFAULTS } from "../../../src/core/runner/runner-options.ts";
import { type Stage, stage, type Watched, watch } from "../../support/stage.ts";

const KIB = 1_024;
/** What the separator of the headers counts, in a job without any. */
const HEAD: number = 2 * new Job("").head.length;

function bytes(length: number): Uint8Array {
  return new Uint8Array(length);
}

function failing(attemptId: number, retryAfter: number): JobErrorMessage {
  const error = { name: "Busy", message: "", code: "", stack: "" };
  return { type: "JOBERR", attemptId, error, retryable: true, retryAfter };
}

function refusal(call: Watched<unknown>): QueueFullError {
  expect(call.state).toBe("failed");
  expect(call.error).toBeInstanceOf(QueueFullError);
  return call.error as QueueFullError;
}

async function executeJob(set: Stage, job: Job | Payload): Promise<Watched<Payload>> {
  const watched = watch(set.runner.execute(job));
  await set.clock.settle();
  return watched;
}

describe("the queue in bytes", () => {
  it("refuses a job that would exceed maxQueueBytes, and says so in numbers", async () => {
    await using set = await stage({ maxQueueBytes: 3 * KIB, acquireTimeout: 60_000 });
    await set.execute(bytes(KIB));
    await set.execute(bytes(KIB));
    expect(set.runner.stats()).toMatchObject({ queued: 2, queuedBytes: 2 * (KIB + HEAD) });
    const error = refusal(await set.execute(bytes(KIB)));
    expect(error).toMatchObject({
      limit: "maxQueueBytes",
      max: 3 * KIB,
      queued: 2,
      queuedBytes: 2 * (KIB + HEAD),
    });
    expect(error.message).toContain("maxQueueBytes");
    expect(error.message).toContain(String(3 * KIB));
    expect(error.message).toContain("map");
    // What is small enough still goes in.
    expect((await set.execute(bytes(KIB - 3 * HEAD))).state).toBe("pending");
    expect(set.runner.stats().queuedBytes).toBe(3 * KIB);
  });

  it("says when it is the number that is exceeded", async () => {
    await using set = await stage({ maxQueue: 1, acquireTimeout: 60_000 });
    await set.execute("a");
    const error = refusal(await set.execute("b"));
    expect(error).toMatchObject({ limit: "maxQueue", max: 1, queued: 1 });
    expect(error.message).toContain("map");
  });

  it("counts two bytes for each unit of a text, and the headers", async () => {
    await using set = await stage({ acquireTimeout: 60_000 });
    await set.execute("ä".repeat(100));
    expect(set.runner.stats().queuedBytes).toBe(200 + HEAD);
    const job = new Job(bytes(10), { name: "x".repeat(100) });
    await executeJob(set, job);
    expect(set.runner.stats().queuedBytes).toBe(200 + HEAD + 10 + 2 * job.head.length);
  });

  it("takes one job that is larger than all of it, when nothing else waits", async () => {
    await using set = await stage({ maxQueueBytes: KIB, acquireTimeout: 60_000 });
    expect((await set.execute(bytes(5 * KIB))).state).toBe("pending");
    expect(refusal(await set.execute("x")).limit).toBe("maxQueueBytes");
  });

  it("does not count jobs that run", async () => {
    await using set = await stage({ maxQueueBytes: KIB });
    const peer = await set.peer({ capacity: 3 });
    for (let i = 0; i < 3; i++) expect((await set.execute(bytes(KIB))).state).toBe("pending");
    expect(set.runner.stats()).toMatchObject({ running: 3, queued: 0, queuedBytes: 0 });
    expect((await set.execute(bytes(KIB))).state).toBe("pending");
    refusal(await set.execute("x"));
    peer.answer("");
    await set.clock.settle();
    expect(set.runner.stats()).toMatchObject({ running: 3, queued: 0, queuedBytes: 0 });
  });

  it("counts jobs that were prefetched to a worker until they begin there", async () => {
    await using set = await stage({ prefetch: 2, maxQueueBytes: 2 * KIB + 2 * HEAD });
    const peer = await set.peer({ prefetchLimit: 2 });
    for (let i = 0; i < 3; i++) await set.execute(bytes(KIB));
    expect(set.runner.stats()).toMatchObject({ prefetched: 2, running: 1, queuedBytes: 2 * (KIB + HEAD) });
    refusal(await set.execute("x"));
    peer.answer("", peer.all("JOB")[0]);
    await set.clock.settle();
    expect(set.runner.stats()).toMatchObject({ prefetched: 1, running: 1, queuedBytes: KIB + HEAD });
  });

  it("counts what the data was when the job was taken in, whatever becomes of the buffer", async () => {
    await using set = await stage({ acquireTimeout: 100 });
    const data = bytes(KIB);
    const call = await set.execute(data);
    structuredClone(data.buffer, { transfer: [data.buffer] });
    expect(data.byteLength).toBe(0);
    expect(set.runner.stats().queuedBytes).toBe(KIB + HEAD);
    await set.clock.advance(100);
    expect(call.state).toBe("failed");
    expect(set.runner.stats().queuedBytes).toBe(0);
  });

  it("holds 20,000 jobs of 1 MiB to 256 MiB by default", async () => {
    await using set = await stage({ acquireTimeout: 60_000 });
    expect(RUNNER_DEFAULTS.maxQueueBytes).toBe(256 * KIB * KIB);
    const data = bytes(KIB * KIB);
    const calls = Array.from({ length: 20_000 }, () => watch(set.runner.execute(data)));
    await set.clock.settle();
    expect(calls.filter(({ state }) => state === "pending")).toHaveLength(255);
    expect(set.runner.stats().queuedBytes).toBeLessThanOrEqual(RUNNER_DEFAULTS.maxQueueBytes);
  });

  it("lets no job wait with `maxQueue: 0`: one is accepted while a slot is free for it", async () => {
    await using set = await stage({ maxQueue: 0, acquireTimeout: 60_000 });
    expect((await set.execute("no worker")).error).toMatchObject({ code: "QUEUE_FULL", limit: "maxQueue", max: 0 });
    const plain = await set.peer({ identity: "plain", prefetchLimit: 8 });
    const gpu = await set.peer({ identity: "gpu", labels: ["gpu"] });
    const [first, second] = [await set.execute("1", { require: ["gpu"] }), await set.execute("2")];
    expect([first.state, second.state]).toEqual(["pending", "pending"]);
    expect((await set.execute("3")).error).toMatchObject({ code: "QUEUE_FULL" });
    plain.answer("b");
    await set.clock.settle();
    expect((await set.execute("4", { require: ["gpu"] })).error).toMatchObject({ code: "QUEUE_FULL" });
    const third = await set.execute("5");
    plain.answer("c");
    gpu.answer("a");
    await set.clock.settle();
    expect([first.value, second.value, third.value]).toEqual(["a", "b", "c"]);
    expect(set.runner.stats()).toMatchObject({ submitted: 3, queued: 0 });
  });

  it("runs a map with `maxQueue: 0` as slots free up, and refuses none of its jobs", async () => {
    await using set = await stage({ maxQueue: 0 });
    const read: string[] = [];
    const reader = async (): Promise<void> => {
      const inputs = Array.from({ length: 20 }, (_, i) => String(i));
      for await (const outcome of set.runner.map(inputs, { require: ["gpu"] }))
        read.push(outcome.ok ? String(outcome.value) : String(outcome.error));
    };
    const done = watch(reader());
    await set.clock.settle();
    await set.worker(() => "never");
    await set.worker(async ({ data }) => data, { capacity: 2, labels: ["gpu"] });
    for (let i = 0; i < 40; i++) await set.clock.settle();
    expect([done.state, read]).toEqual(["ok", Array.from({ length: 20 }, (_, i) => String(i))]);
  });

  it("tries a job again with `maxQueue: 0`: a retry is never refused", async () => {
    await using set = await stage({ maxQueue: 0 });
    const peer = await set.peer();
    const call = await set.execute("x");
    peer.close();
    await set.clock.settle();
    const other = await set.peer({ identity: "other" });
    await set.clock.advance(100);
    other.answer("y");
    await set.clock.settle();
    expect(call.value).toBe("y");
  });

  it("refuses a limit that is none", () => {
    for (const maxQueue of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => new JobRunner({ maxQueue })).toThrow(RangeError);
    for (const maxQueueBytes of [0, -1, 1.5, Number.NaN])
      expect(() => new JobRunner({ maxQueueBytes })).toThrow(RangeError);
    expect(() => new JobRunner({ maxQueueBytes: Number.POSITIVE_INFINITY })).not.toThrow();
  });
});

describe("jobs in backoff", () => {
  it("count for maxQueue: of 1,000 that a worker hands back again and again, 100 wait", async () => {
    await using set = await stage({ maxQueue: 100, prefetch: 0 });
    const peer = await set.peer({ capacity: 10 });
    let refused = 0;
    let handedBack = 0;
    for (let i = 0; i < 1_000; i++) {
      const call = await set.execute("x");
      if (call.state === "failed") refused++;
      // Four times: from then on it waits before it is tried again.
      for (let jobs = peer.all("JOB"); jobs.length > handedBack; jobs = peer.all("JOB")) {
        for (const { attemptId } of jobs.slice(handedBack))
          peer.send({ type: "REJECT", attemptId, reason: "overloaded" });
        handedBack = jobs.length;
        await set.clock.settle();
      }
    }
    expect(set.runner.stats()).toMatchObject({ backoff: 100, queued: 0, running: 0, queuedBytes: 100 * (2 + HEAD) });
    expect(refused).toBe(900);
  });

  it("fill the queue, and a retry is never refused", async () => {
    await using set = await stage({ maxQueue: 2, maxQueueBytes: 2 * KIB + 2 * HEAD, prefetch: 0 });
    const peer = await set.peer({ capacity: 2 });
    const calls = [await set.execute(bytes(KIB)), await set.execute(bytes(KIB))];
    peer.send(failing(1, 1_000), failing(2, 1_000));
    await set.clock.settle();
    expect(set.runner.stats()).toMatchObject({ backoff: 2, running: 0, queuedBytes: 2 * (KIB + HEAD) });
    expect(refusal(await set.execute("x"))).toMatchObject({ limit: "maxQueue", queued: 2 });
    await set.clock.advance(1_000);
    expect(set.runner.stats()).toMatchObject({ backoff: 0, running: 2, queuedBytes: 0 });
    const next = [await set.execute("x"), await set.execute("y")];
    refusal(await set.execute("z"));
    // Both come back while the queue is full: they go in, and only the new ones are refused.
    peer.send(failing(3, 1_000), failing(4, 1_000));
    await set.clock.settle();
    expect(set.runner.stats()).toMatchObject({ backoff: 2, running: 2 });
    answerAll(peer, [5, 6]);
    await set.clock.advance(1_000);
    answerAll(peer, [7, 8]);
    await set.clock.settle();
    expect([...calls, ...next].map(({ state }) => state)).toEqual(["ok", "ok", "ok", "ok"]);
    expect(set.runner.stats()).toMatchObject({ queued: 0, running: 0, backoff: 0, queuedBytes: 0 });
  });
});

function answerAll(peer: { send: (...messages: Message[]) => void }, ids: readonly number[]): void {
  peer.send(...ids.map((attemptId) => ({ type: "JOBRES", attemptId, value: "" }) as const));
}

describe("the count of bytes", () => {
  it.each(["value", "abort", "stop", "deadline", "loss", "error"])("comes back to 0 after a %s", async (end) => {
    await using set = await stage({ prefetch: 0, acquireTimeout: 50, attempts: 2 });
    const controller = new AbortController();
    const peer = await set.peer();
    const options = { signal: controller.signal, deadline: 500 };
    const running = watch(set.runner.execute(bytes(KIB), options));
    const waiting = watch(set.runner.execute("x".repeat(KIB), options));
    await set.clock.settle();
    expect(set.runner.stats().queuedBytes).toBe(2 * KIB + HEAD);
    if (end === "value") for (let i = 0; i < 2; i++) await answerNext();
    if (end === "abort") controller.abort();
    if (end === "stop") await set.settle(set.runner.stop());
    if (end === "loss") peer.close();
    if (end === "error") peer.send(failing(1, 0));
    await set.clock.advance(1_000);
    expect([running.state, waiting.state]).not.toContain("pending");
    expect(set.runner.stats().queuedBytes).toBe(0);

    async function answerNext(): Promise<void> {
      peer.answer("");
      await set.clock.settle();
    }
  });

  it("counts a job that is to be verified once, with the answers it has while it waits", async () => {
    await using set = await stage({ prefetch: 0, acquireTimeout: 60_000 });
    const call = await set.execute(bytes(KIB), { verify: 2 });
    expect(set.runner.stats()).toMatchObject({ queued: 1, queuedBytes: KIB + HEAD });
    const peer = await set.peer();
    expect(set.runner.stats()).toMatchObject({ running: 1, queuedBytes: 0 });
    peer.answer("x".repeat(100));
    await set.clock.settle();
    // There is no worker of another principal: it waits with what the first one gave.
    expect(set.runner.stats()).toMatchObject({ queued: 1, queuedBytes: KIB + HEAD + 200 });
    await set.clock.advance(60_000);
    expect(call.state).toBe("failed");
    expect(set.runner.stats()).toMatchObject({ queued: 0, queuedBytes: 0 });
  });
});
