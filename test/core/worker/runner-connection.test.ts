/** One post by itself: the worker behind it is the test's and writes down what it is told, the runner is scripted. */
import { describe, expect, it } from "vitest";
import type { Clock } from "../../../src/core/time/clock.ts";
import { AuthError, ProtocolError } from "../../../src/core/errors.ts";
import { Job } from "../../../src/core/job/job.ts";
import { FEATURE } from "../../../src/core/protocol/constants.ts";
import type { JobMessage, Message, WelcomeMessage } from "../../../src/core/protocol/message.ts";
import { CLAIM_BYTES, SharedClaims } from "../../../src/core/transport/shared-claims.ts";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import type { Peer } from "../../../src/core/peer.ts";
import { RunnerConnection } from "../../../src/core/worker/runner-connection.ts";
import type { ConnectionEnd, RunnerConnectionOwner } from "../../../src/core/worker/runner-connection-owner.ts";
import type { Handler, Execution } from "../../../src/core/worker/execution.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { hello, ScriptedPeer, welcome } from "../../support/scripted-peer.ts";
import { Puppet } from "../../support/stage.ts";

const PEER: Peer = { transport: "test", address: "", principal: "me" };

class Owner implements RunnerConnectionOwner<RunnerConnection> {
  readonly clock: Clock;
  readonly highWater = 1_000_000;
  readonly maxBuffered = 2_000_000;
  readonly inputWindow = 65_536;
  readonly identity = "w";
  readonly handler: Handler;
  readonly ownLabels = [];
  readonly shuttingDown: AbortSignal = new AbortController().signal;
  readonly remoteStacks = false;
  readonly observed = false;
  readonly maxFrameBytes = 1_000_000;
  readonly told: string[] = [];
  readonly ends: ConnectionEnd[] = [];
  /** Handlers that returned after the end of the session. */
  orphans = 0;

  constructor(clock: Clock, handler: Handler) {
    this.clock = clock;
    this.handler = handler;
  }
  onWelcome(): void {
    this.told.push("welcomed");
  }
  hasRoomFor(): boolean {
    return true;
  }
  onExecutionStarted(): number {
    return this.told.push("started");
  }
  onExecutionServed(_task: Execution, ok: boolean, isOrphan: boolean): void {
    if (isOrphan) this.orphans++;
    this.told.push(ok ? "served" : "served in vain");
  }
  onExecutionDropped(): void {
    this.told.push("dropped");
  }
  startWaiting(by: RunnerConnection): void {
    by.startNext();
  }
  onGoAway(): void {
    this.told.push("sent away");
  }
  onEnded(_post: RunnerConnection, end: ConnectionEnd): void {
    this.ends.push(end);
  }
}

/** A post that has said HELLO, and what is around it. */
async function opened() {
  const clock = new VirtualClock();
  const puppet = new Puppet();
  const owner = new Owner(clock, puppet.handler);
  const [ours, theirs] = socketPair({ clock, peers: [PEER, PEER], maxFrameBytes: 1_000_000 });
  const transport = { isPaused: false, hidesParts: false, reportsPeerExit: false };
  for (const key of ["isPaused", "hidesParts", "reportsPeerExit"] as const)
    Object.defineProperty(ours, key, { get: () => transport[key] });
  const memory = new SharedArrayBuffer(CLAIM_BYTES);
  Object.defineProperty(ours, "claims", { value: new SharedClaims(memory) });
  const shared = new SharedClaims(memory);
  const post = new RunnerConnection(ours, hello({ capacity: 4, features: FEATURE.details }), owner);
  const runner = new ScriptedPeer(theirs);
  post.open();
  await clock.settle();
  const say = async (...messages: readonly Message[]): Promise<void> => {
    runner.send(...messages);
    await clock.settle();
  };
  const types = (): string[] => runner.received.map(({ type }) => type);
  return { clock, puppet, owner, post, runner, say, types, transport, shared };
}

/** The same, let in by the runner. */
async function registered(over: Partial<WelcomeMessage> = {}) {
  const set = await opened();
  await set.say(welcome({ heartbeat: 1_000, ...over }));
  return set;
}

function job(attemptId: number): JobMessage {
  return { type: "JOB", attemptId, attempt: 1, jobId: attemptId, ttl: 1_000, job: new Job("x") };
}

const LEFT_AT_ONCE = {
  isWelcomed: true,
  reason: "closed",
  message: "left at once",
  error: undefined,
  retryAfter: 0,
  asked: false,
  orphans: 0,
};

describe("an error of a handler", () => {
  it.each([
    [
      "without stacks where they are not asked for",
      FEATURE.details,
      { stack: "", details: '{"cause":{"name":"Error","message":"y"}}' },
    ],
    ["without details where the runner does not know them", 0, { stack: "", details: undefined }],
  ])("is told %s", async (_name, features, told) => {
    const { clock, puppet, runner, say } = await registered({ features });
    await say(job(1));
    puppet.runs[0]?.fail(new Error("x", { cause: new Error("y") }));
    await clock.settle();
    expect({ details: undefined, ...runner.last("JOBERR").error }).toMatchObject({ message: "x", ...told });
  });
});

describe("leaving", () => {
  it("waits for WELCOME, as jobs may come with it: they are handed back", async () => {
    const { owner, post, runner, say, types } = await opened();
    expect([post.runnerId, post.serving]).toEqual(["", false]);
    post.drain();
    post.drain();
    expect(owner.ends).toEqual([]);
    await say(welcome(), job(1));
    expect(types()).toEqual(["HELLO", "REMOVE", "REJECT"]);
    expect(runner.last("REJECT")).toMatchObject({ attemptId: 1, reason: "draining" });
    expect(owner.told).toEqual([]);
    await say({ type: "REMOVED" });
    expect(owner.ends).toMatchObject([{ reason: "closed", isWelcomed: true, asked: true }]);
  });

  it("waits no longer than a second for it", async () => {
    const { clock, owner, post } = await opened();
    post.drain();
    await clock.advance(999);
    expect(owner.ends).toEqual([]);
    await clock.advance(1);
    expect(owner.ends).toMatchObject([{ reason: "lost", isWelcomed: false, asked: true }]);
    expect(clock.pending).toBe(0);
  });

  it("is over at once when it is told to stop meanwhile", async () => {
    const { clock, owner, post, types } = await opened();
    post.drain();
    post.close("stopped");
    await clock.settle();
    expect(types()).toEqual(["HELLO"]);
    expect(owner.ends).toEqual([{ ...LEFT_AT_ONCE, isWelcomed: false, asked: true }]);
    expect(clock.pending).toBe(0);
  });

  it("is asked for once", async () => {
    const { clock, owner, post, say, types } = await registered();
    expect([post.runnerId, post.serving]).toEqual(["r1", true]);
    post.drain();
    post.drain();
    expect(post.serving).toBe(false);
    await say({ type: "REMOVED" });
    post.drain();
    await clock.settle();
    expect(types()).toEqual(["HELLO", "REMOVE"]);
    const message = "the runner let it go";
    expect(owner.ends).toEqual([{ ...LEFT_AT_ONCE, message, asked: true }]);
  });

  it("at once says REMOVE, but not to a runner that has not let it in", async () => {
    const { clock, owner, post, types } = await opened();
    post.close("stopped");
    await clock.settle();
    expect(types()).toEqual(["HELLO"]);
    expect(owner.ends).toEqual([{ ...LEFT_AT_ONCE, isWelcomed: false }]);
  });

  it("at once says REMOVE one time in all", async () => {
    const { clock, owner, post, types } = await registered();
    post.drain();
    post.close("stopped");
    post.close("stopped");
    await clock.settle();
    expect(types()).toEqual(["HELLO", "REMOVE"]);
    expect(owner.ends).toEqual([{ ...LEFT_AT_ONCE, asked: true }]);
  });

  it("at once makes what still runs be in vain, though it ends before it is told", async () => {
    const { clock, owner, post, puppet, runner, say } = await registered();
    await say(job(1));
    post.close("stopped");
    puppet.runs[0]?.end("done");
    await clock.settle();
    expect([owner.ends[0]?.orphans, owner.orphans], "one handler was left, and has returned").toEqual([1, 1]);
    expect(owner.told).toEqual(["welcomed", "started", "served in vain"]);
    expect(puppet.runs[0]?.signal.reason).toMatchObject({ reason: "stopped" });
    expect(runner.all("JOBRES")).toEqual([]);
  });
});

describe("what is told of a job", () => {
  it("is whether it was served: it returned, and somebody waited for it", async () => {
    const { clock, owner, puppet, runner, say } = await registered();
    await say(job(1), job(2), job(3), { type: "CANCEL", attemptId: 3, reason: "timeout" }, job(4));
    await say({ type: "CANCEL", attemptId: 4, reason: "timeout" });
    expect(puppet.runs).toHaveLength(3);
    puppet.runs[0]?.end("done");
    puppet.runs[1]?.fail(new Error("failed"));
    puppet.runs[2]?.end("cancelled");
    await clock.settle();
    const served = ["served in vain", "served", "served in vain", "served in vain"];
    expect(owner.told).toEqual(["welcomed", ...Array.from({ length: 4 }, () => "started"), ...served]);
    expect(runner.received.slice(1)).toMatchObject([
      { type: "CANCELLED", attemptId: 3 },
      { type: "JOBRES", attemptId: 1, value: "done" },
      { type: "JOBERR", attemptId: 2 },
      { type: "CANCELLED", attemptId: 4 },
    ]);
  });

  it("is that it was dropped when the frame that brought it ends the session", async () => {
    const { clock, owner, puppet, runner, say } = await registered();
    await say(job(1), job(2), { type: "REMOVE" });
    expect(owner.told).toEqual(["welcomed", "started", "started", "dropped", "dropped"]);
    expect(puppet.runs).toEqual([]);
    expect(runner.last("ERROR").code).toBe("PROTOCOL");
    expect(owner.ends).toMatchObject([{ reason: "lost", error: expect.any(ProtocolError) as unknown, retryAfter: 0 }]);
    expect(clock.pending).toBe(0);
  });
});

describe("the end of a session", () => {
  it("is a loss when the connection closes", async () => {
    const { clock, owner, runner } = await registered();
    runner.close();
    await clock.settle();
    expect(owner.ends).toMatchObject([{ reason: "lost", error: undefined, retryAfter: 0 }]);
  });

  it("is none when the runner said GOAWAY, or the worker REMOVE, before", async () => {
    for (const how of ["GOAWAY", "REMOVE"]) {
      const { clock, owner, post, runner, say } = await registered();
      if (how === "GOAWAY") await say({ type: "GOAWAY", reason: "stopping", retryAfter: 70 });
      else post.drain();
      runner.close();
      await clock.settle();
      expect(owner.ends).toMatchObject([{ reason: "closed", retryAfter: how === "GOAWAY" ? 70 : 0 }]);
    }
  });

  it("comes after GOAWAY with no new job", async () => {
    const { owner, runner, say } = await registered();
    await say({ type: "GOAWAY", reason: "draining", retryAfter: 0 }, job(1));
    expect(runner.last("REJECT")).toMatchObject({ attemptId: 1, reason: "draining" });
    expect(owner.told).toEqual(["welcomed", "sent away"]);
  });

  it("is a loss when HELLO is not answered", async () => {
    const { clock, owner } = await opened();
    await clock.advance(10_000);
    const message = "the runner does not answer HELLO";
    expect(owner.ends).toMatchObject([{ reason: "lost", message, error: undefined, retryAfter: 0 }]);
  });

  it.each([
    ["UNAUTHORIZED", AuthError],
    ["ID_TAKEN", AuthError],
    ["VERSION", ProtocolError],
    ["PROTOCOL", ProtocolError],
    ["BUSY", undefined],
  ] as const)("is a refusal when the runner says %s", async (code, error) => {
    const { owner, say } = await opened();
    await say({ type: "ERROR", code, text: "no", retryAfter: 9 });
    const message = `the runner says ${code}: no`;
    expect(owner.ends).toMatchObject([{ reason: "refused", message, retryAfter: 9 }]);
    expect(owner.ends[0]?.error?.constructor).toBe(error);
  });
});

describe("the heartbeat", () => {
  /** A message that is a sign of life and has no answer. */
  const SIGN: Message = { type: "CANCEL", attemptId: 99, reason: "cancelled" };

  it("asks when nothing was said for an interval, whatever was heard; by increasing numbers", async () => {
    const { clock, runner, say } = await registered();
    for (let second = 0; second < 3; second++) {
      await clock.advance(500);
      await say(SIGN);
      await clock.advance(499);
      expect(runner.all("PING")).toHaveLength(second);
      await clock.advance(1);
      expect(runner.all("PING")).toHaveLength(second + 1);
    }
    expect(runner.all("PING").map(({ nonce }) => nonce)).toEqual([0, 1, 2]);
  });

  it("does not ask while there is talk", async () => {
    const { clock, runner, say } = await registered();
    for (let i = 0; i < 20; i++) {
      await clock.advance(400);
      await say({ type: "PING", nonce: i });
    }
    expect(runner.all("PING")).toEqual([]);
    expect(runner.all("PONG")).toHaveLength(20);
  });

  it("asks when an interval is over since anything was said", async () => {
    const { clock, runner, say } = await registered();
    await clock.advance(400);
    await say({ type: "PING", nonce: 0 });
    await clock.advance(999);
    expect(runner.all("PING")).toEqual([]);
    await clock.advance(1);
    expect(runner.all("PING")).toHaveLength(1);
  });

  it("asks when an interval is over since anything was heard, though an answer was sent since", async () => {
    const { clock, puppet, runner, say } = await registered();
    await clock.advance(100);
    await say(job(1));
    await clock.advance(300);
    puppet.runs[0]?.end("done");
    await clock.advance(699);
    expect(runner.all("PING")).toEqual([]);
    await clock.advance(1);
    expect(runner.all("PING")).toHaveLength(1);
  });

  it("does not count the silence of a runner whose frame waits to be read", async () => {
    const { clock, owner, transport } = await registered();
    transport.isPaused = true;
    await clock.advance(20_000);
    expect(owner.ends).toEqual([]);
    transport.isPaused = false;
    // One interval more than was left of it.
    await clock.advance(2_000);
    expect(owner.ends.map(({ message }) => message)).toEqual(["nothing heard from the runner for 3000 ms"]);
  });

  it("does not count the silence of a runner whose end the host tells", async () => {
    const { clock, owner, transport, runner, say } = await opened();
    transport.reportsPeerExit = true;
    await clock.advance(100_000);
    await say(welcome({ heartbeat: 1_000 }));
    await clock.advance(100_000);
    expect(owner.ends).toEqual([]);
    expect(runner.all("PING").length).toBeGreaterThan(10);
    runner.close();
    await clock.settle();
    expect(owner.ends).toHaveLength(1);
  });

  it("counts part of a frame as a sign of life", async () => {
    const { clock, owner, post } = await registered();
    for (let second = 0; second < 20; second++) {
      await clock.advance(1_000);
      post.onPart();
    }
    expect(owner.ends).toEqual([]);
  });

  it("waits for the largest frame on a slow line where frames are seen only whole", async () => {
    const { clock, owner, say, transport } = await opened();
    transport.hidesParts = true;
    await say(welcome({ heartbeat: 1_000 }));
    await clock.advance(30_000);
    expect(owner.ends).toEqual([]);
    await clock.advance(10_000);
    const longest = 3_000 + Math.ceil((owner.maxFrameBytes / 32_768) * 1_000);
    expect(owner.ends.map(({ message }) => message)).toEqual([`nothing heard from the runner for ${longest} ms`]);
  });
});

describe("a job that its runner took back in shared memory", () => {
  it("does not begin, and its slot goes to the next one", async () => {
    const { puppet, owner, runner, say, shared } = await registered();
    for (const id of [1, 2]) shared.park(id);
    shared.recall(1);
    await say(job(1), job(2));
    expect(puppet.runs).toHaveLength(1);
    expect(runner.all("REJECT")).toEqual([{ type: "REJECT", attemptId: 1, reason: "recalled" }]);
    expect(owner.told).toEqual(["welcomed", "started", "started", "dropped"]);
    expect(shared.recall(2), "it has begun").toBe(false);
    await say({ type: "CANCEL", attemptId: 1, reason: "recalled" });
    puppet.runs[0]?.end("done");
    await say();
    expect(runner.all("JOBRES")).toMatchObject([{ attemptId: 2 }]);
    expect(runner.all("REJECT")).toHaveLength(1);
  });
});
