/** A job that waits at a worker for its turn: it keeps the limits of the queue, and is cancelled without haste. */
import { describe, expect, it } from "vitest";
import { TimeoutError } from "../../../src/core/errors.ts";
import { jobNumber, Puppet, stage, type Stage } from "../../support/stage.ts";
import type { ScriptedPeer } from "../../support/scripted-peer.ts";
import { answer, eager, jobOf, reject, submit } from "./prefetch-scene.ts";

async function confirm(set: Stage, peer: ScriptedPeer, data: string): Promise<void> {
  peer.send({ type: "CANCELLED", attemptId: jobOf(peer, data).attemptId });
  await set.clock.settle();
}

describe("a job that waits at a worker", () => {
  it("is given up after `queueTimeout`, counted from when it was handed in, and cancelled there", async () => {
    await using set = await stage({ prefetch: 8, queueTimeout: 1_000 });
    const peer = await eager(set);
    const [, b] = await submit(set, "a b");
    await set.clock.advance(600);
    expect(peer.jobs).toEqual(["a", "b"]);
    await set.clock.advance(399);
    expect(b?.state).toBe("pending");
    await set.clock.advance(1);
    expect(b?.error).toBeInstanceOf(TimeoutError);
    expect(b?.error).toMatchObject({ kind: "queue", attempts: [] });
    expect(peer.last("CANCEL")).toMatchObject({ attemptId: 2, reason: "cancelled" });
    await confirm(set, peer, "b");
    await answer(set, peer, "a");
  });

  it("counts the time it waited in the queue before it was sent", async () => {
    await using set = await stage({ prefetch: 1, queueTimeout: 1_000 });
    const peer = await eager(set);
    const [, , c] = await submit(set, "a b c");
    await set.clock.advance(600);
    await answer(set, peer, "a");
    expect(peer.jobs).toEqual(["a", "b", "c"]);
    await set.clock.advance(400);
    expect(c?.error).toMatchObject({ code: "TIMEOUT", kind: "queue" });
  });

  it("has no `queueTimeout` any more once its turn has come", async () => {
    await using set = await stage({ prefetch: 8, queueTimeout: 1_000 });
    const peer = await eager(set);
    const [, b] = await submit(set, "a b");
    await set.clock.advance(900);
    await answer(set, peer, "a");
    await set.clock.advance(1_000);
    expect(b?.state).toBe("pending");
    await answer(set, peer, "b");
    expect(b?.state).toBe("ok");
  });

  it("has no `acquireTimeout` as it has a worker, and has it from when that hands it back", async () => {
    await using set = await stage({ prefetch: 8, acquireTimeout: 1_000 });
    const peer = await eager(set);
    const [, b] = await submit(set, "a b");
    peer.send({ type: "REMOVE" });
    await set.clock.advance(5_000);
    expect(b?.state).toBe("pending");
    await reject(set, peer, "draining", "b");
    await set.clock.advance(999);
    expect(b?.state).toBe("pending");
    await set.clock.advance(1);
    expect(b?.error).toMatchObject({ code: "TIMEOUT", kind: "acquire", attempts: [] });
  });

  it("goes on waiting when another worker comes in time", async () => {
    await using set = await stage({ prefetch: 8, acquireTimeout: 1_000 });
    const peer = await eager(set);
    const [, b] = await submit(set, "a b");
    peer.send({ type: "REMOVE" });
    await set.clock.advance(999);
    const other = await eager(set, { identity: "other" });
    await set.clock.advance(1_000);
    expect(b?.state).toBe("pending");
    await reject(set, peer, "draining", "b");
    await answer(set, other, "b");
    expect(b?.state).toBe("ok");
  });

  it("goes on in the same stay when it is handed back", async () => {
    await using set = await stage({ prefetch: 8, queueTimeout: 1_000 });
    const peer = await eager(set);
    const [, b] = await submit(set, "a b");
    await set.clock.advance(600);
    const { attemptId } = jobOf(peer, "b");
    peer.send({ type: "REMOVE" }, { type: "REJECT", attemptId, reason: "draining" });
    await set.clock.advance(400);
    expect(b?.error).toMatchObject({ code: "TIMEOUT", kind: "queue" });
    await answer(set, peer, "a");
  });

  it("keeps its deadline", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    await submit(set, "a");
    const [b] = await submit(set, "b", { deadline: 700 });
    expect(jobOf(peer, "b").ttl).toBe(700);
    await set.clock.advance(699);
    expect(b?.state).toBe("pending");
    await set.clock.advance(1);
    expect(b?.error).toMatchObject({ code: "TIMEOUT", kind: "deadline", attempts: [] });
    expect(peer.last("CANCEL")).toMatchObject({ attemptId: 2, reason: "deadline" });
    await confirm(set, peer, "b");
  });

  it("keeps its deadline when its turn comes shortly before", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    await submit(set, "a");
    const [b] = await submit(set, "b", { deadline: 700 });
    await set.clock.advance(650);
    await answer(set, peer, "a");
    await set.clock.advance(50);
    expect(b?.error).toMatchObject({ kind: "deadline", attempts: [{ outcome: "cancelled", ms: 50 }] });
    await confirm(set, peer, "b");
  });

  it("is given up at once when its caller aborts", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    const abort = new AbortController();
    await submit(set, "a");
    const [b] = await submit(set, "b", { signal: abort.signal });
    abort.abort(new Error("no more"));
    await set.clock.settle();
    expect(b?.error).toMatchObject({ message: "no more" });
    expect(set.runner.stats()).toMatchObject({ prefetched: 0, queued: 0, running: 1 });
    expect(peer.last("CANCEL")).toMatchObject({ attemptId: 2, reason: "cancelled" });
    await confirm(set, peer, "b");
    expect(set.runner.stats().workers).toMatchObject([{ inFlight: 1, waiting: 0 }]);
  });

  it("has an attempt's `timeout` from its turn on, not before", async () => {
    await using set = await stage({ prefetch: 8, timeout: 1_000, attempts: 2 });
    const peer = await eager(set);
    const [a, b] = await submit(set, "a b");
    await set.clock.advance(900);
    await answer(set, peer, "a");
    expect(a?.state).toBe("ok");
    await set.clock.advance(999);
    expect(peer.all("CANCEL")).toEqual([]);
    await set.clock.advance(1);
    expect(peer.last("CANCEL")).toMatchObject({ attemptId: 2, reason: "timeout" });
    expect(set.of("job-retried")).toMatchObject([
      { jobId: expect.stringMatching(/:2$/) as unknown, attempt: 1, outcome: "timeout" },
    ]);
    expect(b?.state).toBe("pending");
  });

  it("begins with the end of the one before, however that ends", async () => {
    await using set = await stage({ prefetch: 8, timeout: 1_000, attempts: 2, retryOnTimeout: false });
    const peer = await eager(set, { capacity: 1 });
    const [a] = await submit(set, "a b c");
    await set.clock.advance(1_000);
    expect(a?.error).toMatchObject({ kind: "attempt" });
    expect(set.runner.stats()).toMatchObject({ running: 0, prefetched: 2 });
    await confirm(set, peer, "a");
    expect(set.runner.stats()).toMatchObject({ running: 1, prefetched: 1 });
    const error = { name: "Error", message: "", code: "", stack: "" };
    peer.send({ type: "JOBERR", attemptId: 2, error, retryable: false, retryAfter: 0 });
    await set.clock.settle();
    expect(set.runner.stats()).toMatchObject({ running: 1, prefetched: 0 });
    expect(set.of("job-started").map(jobNumber)).toEqual([1, 2, 3]);
  });

  it("is rejected by a drain that rejects what is queued, and cancelled", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    const [a, b, c] = await submit(set, "a b c");
    const drained = set.runner.drain({ queued: "reject" });
    await set.clock.settle();
    expect([a?.state, b?.state, c?.state]).toEqual(["pending", "failed", "failed"]);
    expect(b?.error).toMatchObject({ code: "RUNNER_STOPPED" });
    expect(peer.all("CANCEL").map(({ attemptId, reason }) => [attemptId, reason])).toEqual([
      [2, "stopped"],
      [3, "stopped"],
    ]);
    await answer(set, peer, "a");
    await set.settle(drained);
    expect(a?.state).toBe("ok");
  });

  it("is run by a drain that runs what is queued", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    const calls = await submit(set, "a b c");
    const drained = set.runner.drain();
    await set.clock.settle();
    for (const data of ["a", "b", "c"]) await answer(set, peer, data);
    await set.settle(drained);
    expect(calls.map(({ state }) => state)).toEqual(["ok", "ok", "ok"]);
    expect(peer.all("CANCEL")).toEqual([]);
    expect(peer.all("REMOVED")).toHaveLength(1);
  });

  it("is rejected by `stop`", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    const calls = await submit(set, "a b");
    await set.settle(set.runner.stop());
    expect(calls.map(({ error }) => error)).toMatchObject([{ code: "RUNNER_STOPPED" }, { code: "RUNNER_STOPPED" }]);
    expect(peer.all("CANCEL")).toHaveLength(2);
  });
});

describe("a job that was cancelled while it waits at a worker", () => {
  async function cancelled(set: Stage) {
    const peer = await eager(set);
    const abort = new AbortController();
    await submit(set, "a");
    await submit(set, "b", { signal: abort.signal });
    const [c] = await submit(set, "c");
    abort.abort();
    await set.clock.settle();
    return { peer, c };
  }

  it("has no grace before its turn: the one before may take its time", async () => {
    await using set = await stage({ prefetch: 8, cancelGrace: 1_000, heartbeat: 100_000 });
    const { peer, c } = await cancelled(set);
    await set.clock.advance(20_000);
    expect(set.of("worker-gone")).toEqual([]);
    await confirm(set, peer, "b");
    await answer(set, peer, "a");
    await answer(set, peer, "c");
    expect(c?.state).toBe("ok");
  });

  it("has a grace from its turn on", async () => {
    await using set = await stage({ prefetch: 8, cancelGrace: 1_000, heartbeat: 100_000 });
    const { peer } = await cancelled(set);
    await set.clock.advance(5_000);
    await answer(set, peer, "a");
    expect(set.runner.stats()).toMatchObject({ running: 0, prefetched: 1 });
    await set.clock.advance(999);
    expect(set.of("worker-gone")).toEqual([]);
    await set.clock.advance(1);
    expect(set.of("worker-gone")).toMatchObject([{ reason: "unresponsive" }]);
    expect(peer.last("ERROR").code).toBe("UNRESPONSIVE");
  });

  it.each(["CANCELLED", "JOBRES", "REJECT"] as const)(
    "is over with %s in its turn, and the next begins",
    async (type) => {
      await using set = await stage({ prefetch: 8, cancelGrace: 1_000 });
      const { peer, c } = await cancelled(set);
      await answer(set, peer, "a");
      const { attemptId } = jobOf(peer, "b");
      if (type === "CANCELLED") peer.send({ type, attemptId });
      else if (type === "JOBRES") peer.send({ type, attemptId, value: "" });
      else peer.send({ type, attemptId, reason: "overloaded" });
      await set.clock.settle();
      expect(set.runner.stats()).toMatchObject({ running: 1, prefetched: 0, failed: 1 });
      await set.clock.advance(1_500);
      expect(set.of("worker-gone")).toEqual([]);
      await answer(set, peer, "c");
      expect(c?.state).toBe("ok");
    },
  );

  it("keeps its place until it is confirmed: nobody else is sent in its stead", async () => {
    await using set = await stage({ prefetch: 2 });
    const { peer } = await cancelled(set);
    await submit(set, "d");
    expect(peer.jobs).toEqual(["a", "b", "c"]);
    await confirm(set, peer, "b");
    expect(peer.jobs).toEqual(["a", "b", "c", "d"]);
  });

  it("is not answered before its turn", async () => {
    await using set = await stage({ prefetch: 8 });
    const { peer } = await cancelled(set);
    peer.send({ type: "JOBRES", attemptId: jobOf(peer, "b").attemptId, value: "" });
    await set.clock.settle();
    expect(set.of("worker-gone")).toMatchObject([{ reason: "violation" }]);
  });

  it("never begins at a real worker", async () => {
    await using set = await stage({ prefetch: 8 });
    const puppet = new Puppet();
    await set.worker(puppet.handler);
    const abort = new AbortController();
    await submit(set, "a");
    const [b] = await submit(set, "b", { signal: abort.signal });
    const [c] = await submit(set, "c");
    abort.abort();
    await set.clock.settle();
    expect(b?.state).toBe("failed");
    puppet.runs[0]?.end("");
    await set.clock.settle();
    expect(puppet.runs.map(({ data }) => data)).toEqual(["a", "c"]);
    puppet.runs[1]?.end("");
    await set.clock.settle();
    expect(c?.state).toBe("ok");
  });
});
