/** A worker of several runners says which job waits for another runner's, and when it has begun: what the runner makes of that. */
import { describe, expect, it } from "vitest";
import { FEATURE } from "../../../src/core/protocol/constants.ts";
import type { HelloMessage, WorkerMessage } from "../../../src/core/protocol/message.ts";
import { stage, watch } from "../../support/stage.ts";

async function shared(over: Partial<HelloMessage> = {}) {
  const set = await stage({ attempts: 1, heartbeat: 60_000 });
  const peer = await set.peer({ features: FEATURE.turns, ...over });
  const say = async (...messages: WorkerMessage[]): Promise<void> => {
    peer.send(...messages);
    await set.clock.settle();
  };
  return { set, peer, say };
}

describe("a job whose worker says WAITING", () => {
  it("waits, and one more is not sent there until it has begun", async () => {
    const { set, peer, say } = await shared({ capacity: 3 });
    await using _set = set;
    const call = await set.execute("a");
    await say({ type: "WAITING", attemptId: 1 });
    await set.execute("b");
    expect(peer.jobs).toEqual(["a"]);
    expect(set.runner.stats()).toMatchObject({ running: 0, prefetched: 1, queued: 2, capacity: 3 });
    await say({ type: "STARTED", attemptId: 1 });
    expect(peer.jobs).toEqual(["a", "b"]);
    expect(set.runner.stats()).toMatchObject({ running: 2, prefetched: 0, queued: 0 });
    await say({ type: "JOBRES", attemptId: 1, value: "A" });
    expect(call.value).toBe("A");
  });

  it("does not begin because another one is over", async () => {
    const { set, say } = await shared({ capacity: 2 });
    await using _set = set;
    const [a, b] = [await set.execute("a"), await set.execute("b")];
    await say({ type: "WAITING", attemptId: 2 }, { type: "JOBRES", attemptId: 1, value: "A" });
    expect(set.runner.stats()).toMatchObject({ running: 0, prefetched: 1 });
    await say({ type: "STARTED", attemptId: 2 }, { type: "JOBRES", attemptId: 2, value: "B" });
    expect([a.value, b.value]).toEqual(["A", "B"]);
  });

  it("can be handed back, and is no attempt then", async () => {
    const { set, peer, say } = await shared();
    await using _set = set;
    const call = await set.execute("a");
    await say({ type: "WAITING", attemptId: 1 }, { type: "REJECT", attemptId: 1, reason: "draining" });
    expect(peer.jobs).toEqual(["a", "a"]);
    await say({ type: "JOBRES", attemptId: 2, value: "A" });
    expect(call.value).toBe("A");
    expect(set.runner.stats()).toMatchObject({ retries: 0 });
  });

  it("is lost with its worker: only that knows whether it had begun", async () => {
    const { set, peer, say } = await shared();
    await using _set = set;
    const call = await set.execute("a");
    await say({ type: "WAITING", attemptId: 1 });
    peer.close();
    await set.clock.settle();
    expect(call.error).toMatchObject({ code: "WORKER_LOST", attempts: [{ outcome: "lost" }] });
  });

  it("is cancelled without a limit for the answer, as the worker may have no time to look", async () => {
    const { set, peer, say } = await shared();
    await using _set = set;
    const control = new AbortController();
    await set.execute("a", { signal: control.signal });
    await say({ type: "WAITING", attemptId: 1 });
    control.abort();
    await set.clock.advance(30_000);
    expect(set.gone).toEqual([]);
    await say({ type: "CANCELLED", attemptId: 1 });
    await set.execute("b");
    expect(peer.jobs).toEqual(["a", "b"]);
  });

  it("whose WAITING crosses its CANCEL has no limit until it begins, and one from then on", async () => {
    for (const waits of [500, 5_000]) {
      const { set, peer, say } = await shared({ blocking: false, capacity: 2 });
      await using _set = set;
      const control = new AbortController();
      await set.execute("a", { signal: control.signal });
      control.abort();
      await say({ type: "WAITING", attemptId: 1 });
      await set.clock.advance(waits);
      expect(set.gone).toEqual([]);
      await say({ type: "STARTED", attemptId: 1 });
      await set.clock.advance(900);
      await say({ type: "CANCELLED", attemptId: 1 });
      const call = await set.execute("b");
      await set.clock.advance(5_000);
      expect(set.gone).toEqual([]);
      peer.answer("B");
      await set.clock.settle();
      expect(call.value).toBe("B");
    }
  });

  it("that is said to wait after the limit of its CANCEL holds no slot any more", async () => {
    const { set, peer, say } = await shared({ blocking: false, capacity: 2 });
    await using _set = set;
    const control = new AbortController();
    await set.execute("a", { signal: control.signal });
    control.abort();
    await set.clock.settle();
    await say({ type: "PONG", nonce: peer.last("PING").nonce });
    await set.clock.advance(1_500);
    await say({ type: "WAITING", attemptId: 1 }, { type: "CANCELLED", attemptId: 1 });
    const other = new AbortController();
    await set.execute("b", { signal: other.signal });
    other.abort();
    await set.clock.settle();
    await say({ type: "PONG", nonce: peer.last("PING").nonce });
    await set.clock.advance(1_500);
    expect(set.gone).toEqual([]);
    await say({ type: "CANCELLED", attemptId: 2 });
  });

  it("is confirmed in time once it has begun beside its CANCEL", async () => {
    const { set, say } = await shared({ blocking: false });
    await using _set = set;
    const control = new AbortController();
    await set.execute("a", { signal: control.signal });
    await say({ type: "WAITING", attemptId: 1 });
    control.abort();
    await say({ type: "STARTED", attemptId: 1 });
    await set.clock.advance(1_000);
    expect(set.gone).toEqual(["scripted unresponsive"]);
  });
});

describe("a worker", () => {
  it.each<[string, WorkerMessage[]]>([
    [
      "says twice that a job waits",
      [
        { type: "WAITING", attemptId: 1 },
        { type: "WAITING", attemptId: 1 },
      ],
    ],
    ["says that a job has begun which it did not say waits", [{ type: "STARTED", attemptId: 1 }]],
    [
      "answers a job that it said waits",
      [
        { type: "WAITING", attemptId: 1 },
        { type: "JOBRES", attemptId: 1, value: "" },
      ],
    ],
    ["speaks of a job that it was never sent", [{ type: "WAITING", attemptId: 2 }]],
  ])("that %s is sent away", async (_what, messages) => {
    const { set, peer, say } = await shared();
    await using _set = set;
    const call = await set.execute("a");
    await say(...messages);
    expect(peer.last("ERROR").code).toBe("PROTOCOL");
    expect(call.state).toBe("failed");
  });

  it("that takes prefetched jobs has no such jobs", async () => {
    const { set, peer, say } = await shared({ prefetchLimit: 8 });
    await using _set = set;
    await set.execute("a");
    await say({ type: "WAITING", attemptId: 1 });
    expect(peer.last("ERROR").code).toBe("PROTOCOL");
  });

  it("that speaks of jobs which are over does nothing by that", async () => {
    const { set, say } = await shared();
    await using _set = set;
    await set.execute("a");
    await say({ type: "JOBRES", attemptId: 1, value: "" }, { type: "STARTED", attemptId: 1 });
    expect(set.gone).toEqual([]);
    expect(set.runner.stats().strikes).toBe(1);
  });
});

describe("a job that is said to wait for ever", () => {
  it("moves on once it is recalled and its worker answers all but that", async () => {
    const { set, peer, say } = await shared();
    await using _set = set;
    const call = await set.execute("a", { attempts: 2 });
    await say({ type: "WAITING", attemptId: 1 });
    const idle = await set.peer({ identity: "idle" });
    await set.clock.advance(1);
    expect(peer.last("CANCEL").reason).toBe("recalled");
    await say({ type: "PONG", nonce: peer.last("PING").nonce });
    expect(set.gone).toEqual(["scripted violation"]);
    await set.clock.advance(2_000);
    expect(idle.jobs).toEqual(["a"]);
    idle.answer("A");
    await set.clock.settle();
    expect(call.value).toBe("A");
  });

  it("is back in the queue when the recall is answered", async () => {
    const { set, peer, say } = await shared();
    await using _set = set;
    await set.execute("a");
    await say({ type: "WAITING", attemptId: 1 });
    const idle = await set.peer({ identity: "idle" });
    await set.clock.advance(1);
    await say({ type: "REJECT", attemptId: 1, reason: "recalled" }, { type: "PONG", nonce: peer.last("PING").nonce });
    expect([set.gone, idle.jobs]).toEqual([[], ["a"]]);
  });

  it("is lost with a worker that falls silent, though its handlers may block it", async () => {
    const set = await stage({ attempts: 1, heartbeat: 1_000 });
    await using _set = set;
    const peer = await set.peer({ features: FEATURE.turns, blocking: true });
    const call = await set.execute("a");
    peer.send({ type: "WAITING", attemptId: 1 });
    await set.clock.advance(5_000);
    expect(set.gone).toEqual(["scripted silent"]);
    expect(call.error).toMatchObject({ code: "WORKER_LOST" });
  });
});

describe("a job of a leased worker", () => {
  it("is not recalled for a slot elsewhere, where it cannot go", async () => {
    const { set, peer, say } = await shared();
    await using _set = set;
    const lease = await set.settle(set.runner.workers.acquire());
    const call = watch(lease.execute("a"));
    await say({ type: "WAITING", attemptId: 1 });
    await set.peer({ identity: "idle" });
    await set.clock.advance(100);
    expect(peer.all("CANCEL")).toEqual([]);
    await say({ type: "STARTED", attemptId: 1 }, { type: "JOBRES", attemptId: 1, value: "A" });
    expect(call.value).toBe("A");
    set.runner.workers.release(lease);
  });

  it("is sent again when the worker had no room for it, as it has not started", async () => {
    const { set, peer, say } = await shared({ features: 0 });
    await using _set = set;
    const lease = await set.settle(set.runner.workers.acquire());
    const call = watch(lease.execute("a"));
    await set.clock.settle();
    for (let id = 1; id <= 5; id++) {
      await say({ type: "REJECT", attemptId: id, reason: "overloaded" });
      await set.clock.advance(2_000);
    }
    expect(peer.jobs).toHaveLength(6);
    await say({ type: "JOBRES", attemptId: 6, value: "A" });
    expect(call.value).toBe("A");
    set.runner.workers.release(lease);
  });

  it("fails when the worker leaves", async () => {
    const { set, say } = await shared();
    await using _set = set;
    const lease = await set.settle(set.runner.workers.acquire());
    const call = watch(lease.execute("a"));
    await set.clock.settle();
    await say({ type: "REJECT", attemptId: 1, reason: "draining" });
    expect(call.error).toMatchObject({ code: "WORKER_LOST" });
    set.runner.workers.release(lease);
  });
});
