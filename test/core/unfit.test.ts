/** A job that a relay hands back because no worker behind it fits: it waits for another worker, and is not sent there again. */
import { describe, expect, it } from "vitest";
import { NoWorkerError, TimeoutError } from "../../src/core/errors.ts";
import type { ExecuteOptions } from "../../src/core/job/execute-options.ts";
import { FEATURE } from "../../src/core/protocol/constants.ts";
import type { HelloMessage } from "../../src/core/protocol/message.ts";
import { relay } from "../../src/core/relay.ts";
import { Worker } from "../../src/core/worker/worker.ts";
import type { ScriptedPeer } from "../support/scripted-peer.ts";
import { type Stage, stage } from "../support/stage.ts";
import { welcome } from "../support/scripted-peer.ts";
import { Switchboard } from "./worker/worker-scene.ts";

const BOTH = ["big", "gpu"];
/** Scripted workers send no PING. */
const QUIET = { heartbeat: 600_000 };
const NEEDS: ExecuteOptions = { require: BOTH, attempts: 1, timeout: Number.POSITIVE_INFINITY };

/** A relay whose labels are those of two workers, none of which has both. */
function union(set: Stage, over: Partial<HelloMessage> = {}): Promise<ScriptedPeer> {
  const features = FEATURE.relay | FEATURE.capacity;
  return set.peer({ identity: "union", capacity: 2, labels: BOTH, isRelay: true, features, ...over });
}

function refuse(peer: ScriptedPeer): void {
  peer.send({ type: "REJECT", attemptId: peer.last("JOB").attemptId, reason: "unfit" });
}

/** A worker that has both labels, and a job. */
async function busyPeer(set: Stage, identity = "busy"): Promise<ScriptedPeer> {
  const peer = await set.peer({ identity, labels: BOTH });
  await set.execute("before", NEEDS);
  expect(peer.jobs).toEqual(["before"]);
  return peer;
}

describe("a job that a relay hands back as unfit", () => {
  it("waits for a busy worker that fits, and is not sent to the relay again", async () => {
    await using set = await stage(QUIET);
    const busy = await busyPeer(set);
    const relayed = await union(set);
    const call = await set.execute("x", NEEDS);
    refuse(relayed);
    await set.clock.advance(60_000);
    expect(relayed.jobs).toEqual(["x"]);
    expect(call.state).toBe("pending");
    busy.answer("y");
    await set.clock.settle();
    expect(busy.jobs).toEqual(["before", "x"]);
    busy.answer("z");
    await set.clock.settle();
    expect(call.value).toBe("z");
    expect(set.runner.stats()).toMatchObject({ retries: 0, returned: 1 });
  });

  it("keeps its place among those that wait for that worker", async () => {
    await using set = await stage(QUIET);
    const busy = await busyPeer(set);
    const relayed = await union(set, { capacity: 1 });
    await set.execute("first", NEEDS);
    const plain = await set.execute("second", { require: ["gpu"] });
    refuse(relayed);
    await set.clock.settle();
    expect(relayed.jobs).toEqual(["first", "second"]);
    await set.execute("third", NEEDS);
    busy.answer("y");
    await set.clock.settle();
    expect(busy.jobs).toEqual(["before", "first"]);
    busy.answer("y");
    relayed.answer("y");
    await set.clock.settle();
    expect(plain.value).toBe("y");
    expect([...busy.jobs, ...relayed.jobs]).toContain("third");
  });

  it("goes at once to the next of many relays, and to each of them once", async () => {
    await using set = await stage(QUIET);
    const busy = await busyPeer(set);
    const relays: ScriptedPeer[] = [];
    for (let i = 0; i < 8; i++) relays.push(await union(set, { identity: `union-${i}` }));
    await set.execute("x", NEEDS);
    for (const _each of relays) {
      for (const peer of relays) if (peer.all("JOB").length > 0 && peer.frames > 0) refuseOpen(peer);
      await set.clock.settle();
    }
    expect(relays.map((peer) => peer.jobs.length)).toEqual(relays.map(() => 1));
    busy.answer("y");
    await set.clock.settle();
    expect(busy.jobs).toEqual(["before", "x"]);
    busy.answer("y");
  });

  it("goes to a worker that comes later", async () => {
    await using set = await stage(QUIET);
    await busyPeer(set);
    const relayed = await union(set);
    const call = await set.execute("x", NEEDS);
    refuse(relayed);
    await set.clock.settle();
    const late = await set.peer({ identity: "late", labels: BOTH });
    expect(late.jobs).toEqual(["x"]);
    late.answer("y");
    await set.clock.settle();
    expect(call.value).toBe("y");
    expect(relayed.jobs).toEqual(["x"]);
  });

  it("goes to the relay again once its fleet has changed", async () => {
    await using set = await stage(QUIET);
    await busyPeer(set);
    const relayed = await union(set);
    const call = await set.execute("x", NEEDS);
    refuse(relayed);
    await set.clock.settle();
    relayed.send({ type: "CAPACITY", capacity: 3, labels: BOTH });
    await set.clock.settle();
    expect(relayed.jobs).toEqual(["x", "x"]);
    relayed.answer("y");
    await set.clock.settle();
    expect(call.value).toBe("y");
  });

  it("asks the relay again when the last worker that fits has gone, until acquireTimeout", async () => {
    await using set = await stage(QUIET);
    const busy = await busyPeer(set);
    const relayed = await union(set);
    const call = await set.execute("x", { ...NEEDS, acquireTimeout: 1_000 });
    refuse(relayed);
    await set.clock.advance(10_000);
    busy.close();
    await set.clock.settle();
    expect(relayed.jobs).toEqual(["x", "x"]);
    relayed.send({ type: "REJECT", attemptId: 2, reason: "unfit" });
    open(relayed);
    for (let ms = 0; ms < 1_000; ms++) {
      expect(call.state).toBe("pending");
      refuseOpen(relayed);
      await set.clock.advance(1);
    }
    expect(call.error).toBeInstanceOf(TimeoutError);
    expect(call.error).toMatchObject({ kind: "acquire", ms: 1_000 });
  });

  it("settles after acquireTimeout when no other worker is there, as if none were registered", async () => {
    await using set = await stage(QUIET);
    const relayed = await union(set);
    const call = await set.execute("x", { ...NEEDS, acquireTimeout: 1_000 });
    for (let ms = 0; ms < 1_000; ms += 10) {
      if (relayed.jobs.length > 0) refuseOpen(relayed);
      await set.clock.advance(10);
    }
    expect(call.error).toMatchObject({ code: "TIMEOUT", kind: "acquire", ms: 1_000 });
  });

  it("fails fast only when no other worker fits", async () => {
    await using set = await stage(QUIET);
    const relayed = await union(set);
    const alone = await set.execute("x", { ...NEEDS, failFast: true });
    refuse(relayed);
    await set.clock.settle();
    expect(alone.error).toBeInstanceOf(NoWorkerError);
    const busy = await set.peer({ identity: "busy", labels: [...BOTH, "own"] });
    await set.execute("before", { ...NEEDS, require: ["own"] });
    const call = await set.execute("y", { ...NEEDS, failFast: true });
    refuse(relayed);
    await set.clock.settle();
    expect(call.state).toBe("pending");
    expect(busy.jobs).toEqual(["before"]);
    busy.answer("z");
    await set.clock.settle();
    busy.answer("z");
    await set.clock.settle();
    expect(call.value).toBe("z");
  });

  it("is one queue in the numbers, with all workers that its labels match", async () => {
    await using set = await stage(QUIET);
    await busyPeer(set);
    const relayed = await union(set, { capacity: 1 });
    await set.execute("x", NEEDS);
    refuse(relayed);
    await set.clock.settle();
    await set.execute("other", { require: ["gpu"] });
    await set.execute("y", NEEDS);
    expect(set.runner.stats().waiting).toEqual([{ require: BOTH, except: [], jobs: 2, workers: 2 }]);
  });

  it("that waited for its turn there is tried with growing pauses while none fits", async () => {
    await using set = await stage({ ...QUIET, prefetch: 4 });
    const relayed = await union(set, { capacity: 1, prefetchLimit: 8 });
    await set.execute("running", { require: ["gpu"] });
    await set.execute("x", { require: BOTH, acquireTimeout: 10_000 });
    for (let ms = 0; ms < 5_000; ms += 10) {
      for (const job of open(relayed).filter(({ job: { data } }) => data === "x"))
        relayed.send({ type: "REJECT", attemptId: job.attemptId, reason: "unfit" });
      await set.clock.advance(10);
    }
    expect(relayed.jobs.filter((data) => data === "x").length).toBeLessThan(20);
  });
});

const refused = new WeakSet<object>();

function open(peer: ScriptedPeer) {
  return peer.all("JOB").filter((job) => {
    const isNew = !refused.has(job);
    refused.add(job);
    return isNew;
  });
}

/** Hands back what has not been handed back yet. */
function refuseOpen(peer: ScriptedPeer): void {
  for (const { attemptId } of open(peer)) peer.send({ type: "REJECT", attemptId, reason: "unfit" });
}

describe("a relay whose relay hands a job back as unfit", () => {
  async function broker() {
    const inner = await stage(QUIET);
    const { clock, random } = inner;
    const board = new Switchboard(clock);
    const worker = new Worker({ dial: board, handler: relay(inner.runner), identity: "host", clock, random });
    const busy = await busyPeer(inner);
    const relayed = await union(inner);
    void worker.start();
    await clock.settle();
    board.call.send(welcome({ features: FEATURE.relay | FEATURE.capacity }));
    await clock.settle();
    const route = { origin: "r", deadline: 60_000, priority: 0, labels: BOTH, avoid: [] };
    board.job(1, "x", { route });
    await clock.settle();
    expect(relayed.jobs).toEqual(["x"]);
    refuse(relayed);
    await clock.settle();
    return { inner, board, worker, busy, relayed };
  }

  it("keeps it for a busy worker that fits", async () => {
    const { inner, board, worker, busy, relayed } = await broker();
    await using _inner = inner;
    await inner.clock.advance(2_000);
    expect(board.call.all("REJECT")).toEqual([]);
    busy.answer("y");
    await inner.clock.settle();
    expect(busy.jobs).toEqual(["before", "x"]);
    busy.answer("z");
    await inner.clock.settle();
    expect(board.call.last("JOBRES")).toMatchObject({ attemptId: 1, value: "z", path: "busy" });
    expect(relayed.jobs).toEqual(["x"]);
    await inner.settle(worker.stop());
  });

  it("hands it back once no worker that fits is left", async () => {
    const { inner, board, worker, busy, relayed } = await broker();
    await using _inner = inner;
    busy.send({ type: "REMOVE" });
    await inner.clock.settle();
    expect(board.call.last("REJECT")).toMatchObject({ attemptId: 1, reason: "unfit" });
    expect(relayed.jobs).toEqual(["x"]);
    busy.answer("y");
    await inner.settle(worker.stop());
  });

  it("sends it there again once that fleet has changed", async () => {
    const { inner, worker, relayed } = await broker();
    await using _inner = inner;
    relayed.send({ type: "CAPACITY", capacity: 3, labels: BOTH });
    await inner.clock.settle();
    expect(relayed.jobs).toEqual(["x", "x"]);
    await inner.settle(worker.stop());
  });
});
