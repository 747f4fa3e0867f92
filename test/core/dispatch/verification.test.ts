/** Jobs that several principals have to agree on. */
import { describe, expect, it } from "vitest";
import { ExecutionError, NoWorkerError, VerificationError } from "../../../src/core/errors.ts";
import type { Listener } from "../../../src/core/transport/listener.ts";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import type { Payload } from "../../../src/core/peer.ts";
import type { RunnerOptions } from "../../../src/core/runner/runner-options.ts";
import type { Socket } from "../../../src/core/transport/socket.ts";
import { FEATURE } from "../../../src/core/protocol/constants.ts";
import { samePayload } from "../../../src/core/dispatch/verification.ts";
import { hello, ScriptedPeer } from "../../support/scripted-peer.ts";
import { client, type ValueCodec } from "../../../src/tasks/index.ts";
import { cbor } from "../../../src/tasks/value/cbor.ts";
import { type Stage, stage, watch } from "../../support/stage.ts";

/** A listener whose connections belong to whom the test says. */
class Houses implements Listener {
  readonly address = "houses";
  #accept: (socket: Socket) => void = () => undefined;

  async start(accept: (socket: Socket) => void): Promise<void> {
    this.#accept = accept;
  }

  async stop(): Promise<void> {}

  /** A scripted worker `identity` of `principal`, which has registered. */
  async worker(set: Stage, identity: string, principal: string, labels: string[] = []): Promise<ScriptedPeer> {
    const peer = { transport: "test", address: "here", principal };
    const [ours, theirs] = socketPair({ clock: set.clock, peers: [peer, peer], maxFrameBytes: 1_000_000 });
    this.#accept(ours);
    const scripted = new ScriptedPeer(theirs);
    const features = labels.some((label) => label.startsWith("task:")) ? FEATURE.tasks : 0;
    scripted.send(hello({ identity, labels, features }));
    await set.clock.settle();
    return scripted;
  }
}

async function houses(options: RunnerOptions = {}): Promise<{ set: Stage; house: Houses }> {
  const house = new Houses();
  return { set: await stage({ listen: house, ...options }), house };
}

async function answers(set: Stage, peer: ScriptedPeer, value: Payload): Promise<void> {
  peer.send({ type: "JOBRES", attemptId: peer.last("JOB").attemptId, value });
  await set.clock.settle();
}

describe("a job that is verified", () => {
  it("runs on as many principals as asked for, one after the other, and gives what they agree on", async () => {
    const { set, house } = await houses();
    await using _ = set;
    const ann = await house.worker(set, "a", "ann");
    const annToo = await house.worker(set, "a2", "ann");
    const bob = await house.worker(set, "b", "bob");
    const call = await set.execute("x", { verify: 2 });
    expect([ann.jobs, annToo.jobs, bob.jobs]).toEqual([["x"], [], []]);
    await answers(set, ann, "same");
    expect([call.state, annToo.jobs, bob.jobs]).toEqual(["pending", [], ["x"]]);
    expect(bob.last("JOB")).toMatchObject({ jobId: ann.last("JOB").jobId, attempt: 1 });
    await answers(set, bob, "same");
    expect(call.value).toBe("same");
    expect(set.runner.stats()).toMatchObject({ submitted: 1, succeeded: 1, failed: 0, queued: 0, running: 0 });
    expect(set.of("job-settled")).toMatchObject([{ ok: true, attempts: 2 }]);
    expect(set.of("job-started")).toHaveLength(2);
  });

  it("keeps its place in the queue from answer to answer", async () => {
    const { set, house } = await houses({ prefetch: 0, acquireTimeout: Infinity });
    await using _ = set;
    const ann = await house.worker(set, "a", "ann");
    const verified = await set.execute("verified", { verify: 2 });
    for (const later of ["b", "c", "d"]) await set.execute(later);
    await answers(set, ann, "same");
    expect(ann.jobs).toEqual(["verified", "b"]);
    // It came before those that wait, and is served first by whoever will do.
    const bob = await house.worker(set, "b", "bob");
    expect(bob.jobs).toEqual(["verified"]);
    await answers(set, bob, "same");
    expect([verified.value, bob.jobs]).toEqual(["same", ["verified", "c"]]);
  });

  it("says in each error what was tried, by all of its calls", async () => {
    const { set, house } = await houses();
    await using _ = set;
    const ann = await house.worker(set, "a", "ann");
    const limits = { verify: 2, acquireTimeout: Infinity };
    const calls = [
      await set.execute("x", { ...limits, deadline: 100 }),
      await set.execute("y", { ...limits, queueTimeout: 100 }),
    ];
    await answers(set, ann, "1");
    await answers(set, ann, "1");
    await set.clock.advance(100);
    const tried = [{ identity: "a", outcome: "ok" }];
    expect(calls.map(({ error }) => error)).toMatchObject([
      { kind: "deadline", attempts: tried },
      {
        kind: "queue",
        attempts: tried,
        message: "waited 100 ms for a free slot (no worker of another principal is registered)",
      },
    ]);
  });

  it("compares bytes", async () => {
    const { set, house } = await houses();
    await using _ = set;
    const peers = [await house.worker(set, "a", "ann"), await house.worker(set, "b", "bob")];
    const call = await set.execute(new Uint8Array([1]), { verify: 2 });
    for (const peer of peers) await answers(set, peer, new Uint8Array([1, 2]));
    expect(call.value).toEqual(new Uint8Array([1, 2]));
  });

  it("compares the results of a typed task by what they mean, and asks workers that have it alone", async () => {
    const { set, house } = await houses();
    await using _ = set;
    const encode = (value: unknown): Uint8Array => cbor().encode(value);
    const ann = await house.worker(set, "a", "ann", ["task:get"]);
    const plain = await house.worker(set, "p", "pat");
    const bob = await house.worker(set, "b", "bob", ["task:get"]);
    const api = client<{ get(): unknown }>(set.runner, { verify: 2 });
    const same = watch(api.get());
    await set.clock.settle();
    await answers(set, ann, encode({ a: 1, b: new Set([1, 2]) }));
    expect(plain.all("JOB")).toEqual([]);
    await answers(set, bob, encode({ b: new Set([2, 1]), a: 1 }));
    await set.clock.settle();
    expect(same.value).toEqual({ a: 1, b: new Set([1, 2]) });

    const other = watch(api.get());
    await set.clock.settle();
    await answers(set, ann, encode({ a: 1 }));
    await answers(set, bob, encode({ a: 2 }));
    await set.clock.settle();
    expect(other.error).toBeInstanceOf(VerificationError);

    const broken = watch(api.get());
    await set.clock.settle();
    await answers(set, ann, encode({ a: 1 }));
    await answers(set, bob, Uint8Array.of(0xff));
    await set.clock.settle();
    expect(broken.error).toBeInstanceOf(VerificationError);
  });

  it("compares by the codec of its client, if that has a way of its own", async () => {
    const { set, house } = await houses();
    await using _ = set;
    const peers = [
      await house.worker(set, "a", "ann", ["task:get"]),
      await house.worker(set, "b", "bob", ["task:get"]),
    ];
    const text = new TextEncoder();
    const codec: ValueCodec = {
      name: "case",
      encode: (value) => text.encode(String(value)),
      decode: (bytes) => new TextDecoder().decode(bytes),
      canonical: (bytes) => text.encode(new TextDecoder().decode(bytes).toLowerCase()),
    };
    const call = watch(client<{ get(): string }>(set.runner, { codec }).get(undefined, { verify: 2 }));
    await set.clock.settle();
    for (const [n, peer] of peers.entries()) await answers(set, peer, text.encode(n === 0 ? "Yes" : "YES"));
    await set.clock.settle();
    expect(call.value).toBe("Yes");
  });

  it("fails with all that was said when they do not agree", async () => {
    const { set, house } = await houses();
    await using _ = set;
    const peers = [
      await house.worker(set, "a", "ann"),
      await house.worker(set, "b", "bob"),
      await house.worker(set, "c", "cat"),
    ];
    const call = await set.execute("x", { verify: 3 });
    for (const [n, peer] of peers.entries()) await answers(set, peer, n === 1 ? "false" : "true");
    expect(call.error).toBeInstanceOf(VerificationError);
    expect(call.error).toMatchObject({
      code: "VERIFICATION",
      answers: [
        { identity: "a", principal: "ann", value: "true" },
        { identity: "b", principal: "bob", value: "false" },
        { identity: "c", principal: "cat", value: "true" },
      ],
      attempts: [{ identity: "a" }, { identity: "b" }, { identity: "c" }],
    });
    expect(set.runner.stats()).toMatchObject({ submitted: 1, succeeded: 0, failed: 1 });
    expect(set.of("job-settled")).toMatchObject([{ ok: false, attempts: 3, error: call.error }]);
  });

  it("goes only to workers that have the labels it asks for", async () => {
    const { set, house } = await houses();
    await using _ = set;
    const ann = await house.worker(set, "a", "ann", ["gpu"]);
    const bob = await house.worker(set, "b", "bob");
    const cat = await house.worker(set, "c", "cat", ["gpu"]);
    const call = await set.execute("x", { verify: 2, require: ["gpu"] });
    await answers(set, ann, "1");
    await answers(set, cat, "1");
    expect([call.state, bob.jobs]).toEqual(["ok", []]);
  });

  it("keeps its place in the queue from one to the next", async () => {
    const { set, house } = await houses();
    await using _ = set;
    const ann = await house.worker(set, "a", "ann");
    const bob = await house.worker(set, "b", "bob");
    await set.execute("busy");
    await set.execute("x", { verify: 2 });
    await set.execute("later");
    expect([ann.jobs, bob.jobs]).toEqual([["busy"], ["x"]]);
    await answers(set, bob, "1");
    expect(bob.jobs).toEqual(["x", "later"]);
    expect(set.runner.stats().waiting).toEqual([{ require: [], except: ["bob"], jobs: 1, workers: 1 }]);
    await set.execute("last");
    await answers(set, ann, "");
    expect(ann.jobs).toEqual(["busy", "x"]);
  });

  it("waits for another principal as for a worker nobody has, and says how many there are", async () => {
    const { set, house } = await houses({ acquireTimeout: 1_000 });
    await using _ = set;
    const ann = await house.worker(set, "a", "ann");
    await house.worker(set, "a2", "ann");
    const call = await set.execute("x", { verify: 3 });
    await answers(set, ann, "1");
    await set.clock.advance(999);
    expect(call.state).toBe("pending");
    await set.clock.advance(1);
    expect(call.error).toBeInstanceOf(NoWorkerError);
    expect(String(call.error)).toBe(
      "NoWorkerError: verified by 3, the job needs workers of 3 principals: 1 is registered",
    );
  });

  it("is not begun when it is to fail fast, or on a leased worker", async () => {
    const { set, house } = await houses();
    await using _ = set;
    const ann = await house.worker(set, "a", "ann", ["gpu"]);
    await house.worker(set, "b", "bob");
    const call = await set.execute("x", { verify: 2, failFast: true, require: ["gpu"] });
    expect(String(call.error)).toMatch(/needs workers of 2 principals with the label gpu: 1 is registered/);
    expect(call.error, "nothing else has failed").not.toHaveProperty("cause");
    const held = await set.settle(set.runner.workers.acquire({ require: ["gpu"] }));
    const error: unknown = await set.settle(held.execute("x", { verify: 2 })).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(NoWorkerError);
    expect(String(error)).toBe(
      "NoWorkerError: a leased worker is of one principal, and the job is to be verified by 2",
    );
    expect(error).not.toHaveProperty("cause");
    expect(set.runner.stats()).toMatchObject({ submitted: 2, failed: 2, queued: 0, running: 0 });
    expect(ann.jobs).toEqual([]);
    set.runner.workers.release(held);
  });

  it("is begun when it is to fail fast and just enough principals are there", async () => {
    const { set, house } = await houses();
    await using _ = set;
    const ann = await house.worker(set, "a", "ann");
    const bob = await house.worker(set, "b", "bob");
    const call = await set.execute("x", { verify: 2, failFast: true });
    await answers(set, ann, "1");
    await answers(set, bob, "1");
    expect(call.value).toBe("1");
  });

  it("counts its retries, and shows stacks, as any other job", async () => {
    const { set, house } = await houses({ attempts: 2, remoteStacks: true });
    await using _ = set;
    const ann = await house.worker(set, "a", "ann");
    const error = { name: "Error", message: "busy", code: "", stack: "at busy.js:1" };
    const call = await set.execute("x", { verify: 2 });
    for (const retryable of [true, false]) {
      ann.send({ type: "JOBERR", attemptId: ann.last("JOB").attemptId, error, retryable, retryAfter: 0 });
      await set.clock.advance(1_000);
    }
    expect(set.runner.stats().retries).toBe(1);
    expect(call.error).toMatchObject({ remoteMessage: "busy", remoteStack: "at busy.js:1" });
  });

  it("tries each again by itself, elsewhere or at the same principal", async () => {
    const { set, house } = await houses({ attempts: 2 });
    await using _ = set;
    const ann = await house.worker(set, "a", "ann");
    const bob = await house.worker(set, "b", "bob");
    const call = await set.execute("x", { verify: 2 });
    await answers(set, ann, "1");
    bob.close();
    await set.clock.advance(1_000);
    expect(set.runner.stats().waiting).toMatchObject([{ except: ["ann"], jobs: 1, workers: 0 }]);
    const back = await house.worker(set, "b", "bob");
    expect(back.last("JOB").attempt).toBe(2);
    await answers(set, back, "1");
    expect(call.value).toBe("1");
    expect(set.of("job-settled")).toMatchObject([{ attempts: 3 }]);
  });

  it("fails as usual when one of them fails, and asks nobody else", async () => {
    const { set, house } = await houses();
    await using _ = set;
    const ann = await house.worker(set, "a", "ann");
    const bob = await house.worker(set, "b", "bob");
    const call = await set.execute("x", { verify: 3 });
    await answers(set, ann, "1");
    const error = { name: "Wrong", message: "no", code: "", stack: "" };
    bob.send({ type: "JOBERR", attemptId: bob.last("JOB").attemptId, error, retryable: false, retryAfter: 0 });
    await set.clock.settle();
    expect(call.error).toBeInstanceOf(ExecutionError);
    expect(set.of("job-settled")).toMatchObject([{ ok: false, attempts: 2 }]);
  });

  it("has one deadline for all of them together", async () => {
    const { set, house } = await houses();
    await using _ = set;
    const ann = await house.worker(set, "a", "ann");
    const bob = await house.worker(set, "b", "bob");
    const call = await set.execute("x", { verify: 2, deadline: 100 });
    await set.clock.advance(60);
    await answers(set, ann, "1");
    expect(bob.last("JOB").ttl).toBe(40);
    await set.clock.advance(40);
    expect(call.error).toMatchObject({ kind: "deadline", ms: 100 });
    expect(bob.last("CANCEL")).toMatchObject({ reason: "deadline" });
  });

  it("can be aborted, and stopped, whichever of them runs", async () => {
    const { set, house } = await houses();
    await using _ = set;
    const ann = await house.worker(set, "a", "ann");
    const bob = await house.worker(set, "b", "bob");
    const aborter = new AbortController();
    const call = await set.execute("x", { verify: 2, signal: aborter.signal });
    await answers(set, ann, "1");
    aborter.abort("enough");
    await set.clock.settle();
    expect([call.error, bob.last("CANCEL").reason]).toEqual(["enough", "cancelled"]);
    const other = await set.execute("y", { verify: 2 });
    await set.settle(set.runner.stop());
    expect(other.error).toMatchObject({ code: "RUNNER_STOPPED" });
    expect(set.runner.stats()).toMatchObject({ submitted: 2, failed: 2, queued: 0, running: 0 });
  });

  it.each([0, 17, 1.5, Number.NaN])("refuses %s as a number of principals", async (verify) => {
    await using set = await stage();
    await expect(set.runner.execute("x", { verify })).rejects.toThrow(RangeError);
  });

  it("is one of a map's like any other, and a default of the runner", async () => {
    const { set, house } = await houses({ verify: 2 });
    await using _ = set;
    const ann = await house.worker(set, "a", "ann");
    const bob = await house.worker(set, "b", "bob");
    const outcomes: unknown[] = [];
    const reading = (async () => {
      for await (const { ok, attempts } of set.runner.map(["x"]))
        outcomes.push([ok, attempts.map(({ identity }) => identity)]);
    })();
    await set.clock.settle();
    await answers(set, ann, "1");
    await answers(set, bob, "1");
    await set.settle(reading);
    expect(outcomes).toEqual([[true, ["a", "b"]]]);
  });
});

describe("payloads", () => {
  it.each<[Payload, Payload, boolean]>([
    ["a", "a", true],
    ["a", "b", false],
    ["", new Uint8Array(), false],
    [new Uint8Array([1, 2]), new Uint8Array([1, 2]), true],
    [new Uint8Array([1, 2]), new Uint8Array([1, 3]), false],
    [new Uint8Array([1]), new Uint8Array([1, 0]), false],
  ])("%j and %j are the same: %s", (one, other, same) => {
    expect([samePayload(one, other), samePayload(other, one)]).toEqual([same, same]);
  });
});
