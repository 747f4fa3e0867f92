import { describe, expect, it } from "vitest";
import type { Clock } from "../../../src/core/time/clock.ts";
import { AuthError, ProtocolError, WorkerStoppedError } from "../../../src/core/errors.ts";
import { Job } from "../../../src/core/job/job.ts";
import type { JobMessage } from "../../../src/core/protocol/message.ts";
import { relay } from "../../../src/core/relay.ts";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import type { Handler } from "../../../src/core/worker/execution.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { MemoryTransport } from "../../../src/transports/memory.ts";
import { type ScriptedPeer, welcome } from "../../support/scripted-peer.ts";
import { Puppet, stage, watch } from "../../support/stage.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { Scene, Switchboard } from "./worker-scene.ts";

const echo: Handler = (job) => job.data;

describe("registering", () => {
  it("says HELLO, waits for WELCOME, then is registered", async () => {
    await using scene = new Scene(echo, { capacity: 3, labels: ["gpu"], blocking: false });
    const started = watch(scene.worker.start());
    expect(scene.worker.start()).toBe(scene.worker.start());
    await scene.clock.settle();
    expect(scene.board.call.received).toMatchObject([
      { type: "HELLO", version: 1, identity: "w", capacity: 3, blocking: false, served: 0, labels: ["gpu"] },
    ]);
    expect([scene.worker.state, started.state]).toEqual(["connecting", "pending"]);
    await scene.register();
    expect([scene.worker.state, started.state]).toEqual(["registered", "ok"]);
  });

  it("keeps dialing for ever, with pauses that grow to thirty seconds and no further", async () => {
    await using scene = new Scene(echo);
    scene.board.refusal = new Error("nobody there");
    const started = watch(scene.worker.start());
    await scene.clock.advance(3_600_000);
    expect(started.state).toBe("pending");
    const pauses = scene.events.flatMap((event) => (event.type === "disconnected" ? [event.retryIn ?? -1] : []));
    expect(pauses[0]).toBeLessThanOrEqual(100);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(30_000);
    expect(Math.max(...pauses)).toBeGreaterThan(10_000);
    expect(pauses.length).toBeGreaterThan(100);
    expect(scene.events).toContainEqual(expect.objectContaining({ type: "disconnected", reason: "unreachable" }));
    scene.board.refusal = undefined;
    await scene.clock.advance(30_000);
    await scene.register();
    expect(started.state).toBe("ok");
  });

  it("gives up at once when it is not allowed in", async () => {
    await using scene = new Scene(echo);
    scene.board.refusal = new AuthError("wrong token");
    const started = watch(scene.worker.start());
    await scene.clock.settle();
    expect(started.error).toBeInstanceOf(AuthError);
    expect(scene.worker.state).toBe("stopped");
    await scene.worker.closed;
    expect(scene.board.dials).toBe(1);
  });

  it.each([
    ["ID_TAKEN", AuthError],
    ["UNAUTHORIZED", AuthError],
    ["VERSION", ProtocolError],
    ["PROTOCOL", ProtocolError],
  ] as const)("gives up when the runner answers HELLO with %s", async (code, error) => {
    await using scene = new Scene(echo);
    const started = watch(scene.worker.start());
    await scene.clock.settle();
    scene.board.call.send({ type: "ERROR", code, text: "no", retryAfter: 0 });
    await scene.clock.settle();
    expect(started.error).toBeInstanceOf(error);
  });

  it.each(["BUSY", "FLAPPING"] as const)("comes back when the runner said %s, not before its time", async (code) => {
    await using scene = new Scene(echo);
    const started = watch(scene.worker.start());
    await scene.clock.settle();
    scene.board.call.send({ type: "ERROR", code, text: "later", retryAfter: 20_000 });
    await scene.clock.advance(19_999);
    expect(scene.board.dials).toBe(1);
    await scene.clock.advance(200);
    expect(scene.board.dials).toBe(2);
    expect(started.state).toBe("pending");
  });

  it.each(["ERROR", "GOAWAY"] as const)("stays away for five minutes at most, whatever %s says", async (type) => {
    await using scene = new Scene(echo);
    scene.worker.start().catch(() => undefined);
    await scene.clock.settle();
    const retryAfter = 4_294_967_295;
    if (type === "ERROR") scene.board.call.send({ type, code: "BUSY", text: "later", retryAfter });
    else {
      scene.board.call.send(welcome());
      await scene.clock.settle();
      scene.board.call.send({ type, reason: "draining", retryAfter }, { type: "REMOVED" });
    }
    await scene.clock.advance(299_999);
    expect(scene.board.dials).toBe(1);
    await scene.clock.advance(200);
    expect(scene.board.dials).toBe(2);
  });

  it("tries again when the runner does not answer HELLO", async () => {
    await using scene = new Scene(echo);
    scene.worker.start().catch(() => undefined);
    await scene.clock.advance(10_200);
    expect(scene.board.dials).toBe(2);
  });

  it("rejects start when stopped first", async () => {
    await using scene = new Scene(echo);
    const started = watch(scene.worker.start());
    await scene.worker.stop();
    await scene.clock.settle();
    expect(started.error).toBeInstanceOf(WorkerStoppedError);
    await expect(scene.worker.start()).rejects.toBeInstanceOf(WorkerStoppedError);
  });

  it.each([
    [{}, /handler/],
    [{ handler: echo }, /either `dial`/],
    [{ handler: echo, dial: 5 }, /`dial`/],
    [{ handler: "x", dial: new Switchboard() }, /`handler`/],
    [{ handler: echo, dial: new Switchboard(), identity: "a b" }, /`identity`/],
    [{ handler: echo, dial: new Switchboard(), identity: "x".repeat(129) }, /`identity`/],
    [{ handler: echo, dial: new Switchboard(), capacity: 0 }, /`capacity`/],
    [{ handler: echo, dial: new Switchboard(), capacity: 65_536 }, /`capacity`/],
    [{ handler: echo, dial: new Switchboard(), labels: ["a\n"] }, /`labels`/],
    [{ handler: echo, dial: new Switchboard(), concurrency: 2 }, /unknown option `concurrency`/],
  ])("refuses the options %#", (options, message) => {
    expect(() => new Worker(options as never)).toThrow(message);
  });
});

describe("serving", () => {
  it("runs jobs and answers", async () => {
    await using scene = new Scene(echo, { capacity: 2 });
    const runner = await scene.register();
    scene.board.job(1, "one");
    scene.board.job(2, "two");
    await scene.clock.settle();
    expect(runner.all("JOBRES")).toMatchObject([
      { attemptId: 1, value: "one" },
      { attemptId: 2, value: "two" },
    ]);
    expect(scene.worker.served).toBe(2);
  });

  it("hands back what is over its capacity and its prefetch limit", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler);
    const runner = await scene.register();
    const prefetchLimit = runner.last("HELLO").prefetchLimit ?? 0;
    expect(prefetchLimit).toBeGreaterThan(0);
    for (let id = 1; id <= prefetchLimit + 2; id++) scene.board.job(id);
    await scene.clock.settle();
    expect(runner.all("REJECT")).toEqual([{ type: "REJECT", attemptId: prefetchLimit + 2, reason: "overloaded" }]);
    expect(puppet.runs).toHaveLength(1);
    puppet.runs[0]?.end("");
    await scene.clock.settle();
    expect(runner.all("JOBRES")).toHaveLength(1);
    expect(puppet.runs).toHaveLength(2);
  });

  it("confirms a CANCEL when the handler returns, whatever it returns", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler, { capacity: 2 });
    const runner = await scene.register();
    scene.board.job(1);
    scene.board.job(2);
    runner.send(
      { type: "CANCEL", attemptId: 1, reason: "deadline" },
      { type: "CANCEL", attemptId: 2, reason: "timeout" },
    );
    await scene.clock.settle();
    expect(puppet.runs.map((run) => run.signal.reason as unknown)).toMatchObject([
      { reason: "deadline" },
      { reason: "timeout" },
    ]);
    expect(runner.all("CANCELLED")).toEqual([]);
    puppet.runs[0]?.end("value");
    puppet.runs[1]?.fail(new Error("error"));
    await scene.clock.settle();
    expect(runner.all("CANCELLED").map((message) => message.attemptId)).toEqual([1, 2]);
    expect([...runner.all("JOBRES"), ...runner.all("JOBERR")]).toEqual([]);
  });

  it("does not begin a job that is cancelled in the frame that brought it", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler);
    const runner = await scene.register();
    const job: JobMessage = { type: "JOB", attemptId: 1, attempt: 1, jobId: 1, ttl: 1_000, job: new Job("x") };
    runner.send(job, { type: "CANCEL", attemptId: 1, reason: "cancelled" });
    await scene.clock.settle();
    expect(puppet.runs).toEqual([]);
    expect(runner.all("CANCELLED")).toEqual([{ type: "CANCELLED", attemptId: 1 }]);
    expect(scene.worker.running).toBe(0);
    scene.board.job(2);
    await scene.clock.settle();
    expect(puppet.runs).toHaveLength(1);
    puppet.runs[0]?.end("");
  });

  it("ignores a CANCEL that crossed with the answer", async () => {
    await using scene = new Scene(echo);
    const runner = await scene.register();
    scene.board.job(1);
    await scene.clock.settle();
    runner.send({ type: "CANCEL", attemptId: 1, reason: "cancelled" });
    await scene.clock.settle();
    expect(runner.all("CANCELLED")).toEqual([]);
    expect(runner.closed).toBeUndefined();
  });

  it.each([
    ["a JOB before WELCOME", (board: Switchboard) => board.job(1), false],
    ["a JOB twice", (board: Switchboard) => (board.job(1), board.job(1)), true],
    ["a worker's message", (board: Switchboard) => board.call.send({ type: "REMOVE" }), true],
    ["a second WELCOME", (board: Switchboard) => board.call.send(welcome()), true],
    ["garbage", (board: Switchboard) => board.call.sendBytes(1, 2, 3), true],
  ])("ends the session on %s, and comes back", async (_name, provoke, registered) => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler, { capacity: 2 });
    if (registered) await scene.register();
    else
      await scene.register().then(
        () => undefined,
        () => undefined,
      );
    const { board } = scene;
    if (!registered) {
      board.call.close();
      await scene.clock.advance(200);
    }
    const { call } = board;
    provoke(board);
    await scene.clock.settle();
    expect(call.last("ERROR").code).toBe("PROTOCOL");
    expect(call.closed).toBeDefined();
    for (const run of puppet.runs) run.end("");
    await scene.clock.advance(30_000);
    expect(board.calls.length).toBeGreaterThan(1);
  });
});

describe("the heartbeat", () => {
  it("asks every interval, and stays as long as the runner answers", async () => {
    await using scene = new Scene(echo);
    const runner = await scene.register({ heartbeat: 1_000 });
    for (let i = 0; i < 30; i++) {
      await scene.clock.advance(1_000);
      runner.send({ type: "PONG", nonce: runner.last("PING").nonce });
      await scene.clock.settle();
    }
    expect(runner.all("PING")).toHaveLength(30);
    expect(runner.closed).toBeUndefined();
  });

  it("asks every interval although what it says leaves a moment after it was said", async () => {
    const board = new Switchboard();
    const { clock } = board;
    // Time passes while code runs: what a real clock does, and a virtual one does not.
    const moving: Clock = {
      now: () => clock.now(),
      set: (delay, fn) => clock.set(delay, fn),
      clear: (handle) => clock.clear(handle),
      nextTurn: (fn) => clock.nextTurn(fn),
      endOfTurn: (fn) =>
        clock.endOfTurn(() => {
          clock.jump(0.01);
          fn();
        }),
    };
    const worker = new Worker({ dial: board, handler: echo, clock: moving, random: new SeededRandom(7) });
    void worker.start();
    await clock.settle();
    board.call.send(welcome({ heartbeat: 1_000 }));
    for (let i = 0; i < 30; i++) {
      await clock.advance(1_001);
      board.call.send({ type: "PONG", nonce: i });
      await clock.settle();
    }
    expect(board.call.all("PING")).toHaveLength(30);
    void worker.stop();
    await clock.settle();
  });

  it("gives a silent runner three intervals, then connects again", async () => {
    await using scene = new Scene(echo);
    const runner = await scene.register({ heartbeat: 1_000 });
    await scene.clock.advance(2_999);
    expect(runner.closed).toBeUndefined();
    await scene.clock.advance(1);
    expect(runner.closed).toBeDefined();
    expect(scene.worker.state).toBe("disconnected");
    expect(scene.events.at(-1)).toMatchObject({ type: "disconnected", reason: "lost" });
    await scene.clock.advance(100);
    expect(scene.board.dials).toBe(2);
  });

  it("counts any message as life, and answers PING", async () => {
    await using scene = new Scene(echo);
    const runner = await scene.register({ heartbeat: 1_000 });
    for (let i = 1; i <= 5; i++) {
      await scene.clock.advance(2_000);
      runner.send({ type: "PING", nonce: i });
      await scene.clock.settle();
    }
    expect(runner.closed).toBeUndefined();
    expect(runner.all("PONG").map((pong) => pong.nonce)).toEqual([1, 2, 3, 4, 5]);
  });

  it("does not blame the runner for its own standing still", async () => {
    await using scene = new Scene(echo);
    const runner = await scene.register({ heartbeat: 1_000 });
    scene.clock.jump(60_000);
    await scene.clock.settle();
    expect(runner.closed).toBeUndefined();
  });
});

describe("losing the session", () => {
  it("aborts what runs, drops the results, and offers only the slots that are really free", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler, { capacity: 3 });
    const first = await scene.register();
    scene.board.job(1, "a");
    scene.board.job(2, "b");
    await scene.clock.settle();
    first.close();
    await scene.clock.advance(200);
    expect(puppet.runs.map((run) => run.signal.reason as unknown)).toMatchObject([
      { reason: "disconnected" },
      { reason: "disconnected" },
    ]);
    const second = await scene.register();
    expect(second.last("HELLO").capacity).toBe(1);
    puppet.runs[0]?.end("late");
    await scene.clock.settle();
    expect(second.received.map((message) => message.type)).toEqual(["HELLO"]);
    puppet.runs[1]?.end("late");
    await scene.clock.settle();
    expect(second.all("REMOVE")).toHaveLength(1);
    second.send({ type: "REMOVED" });
    await scene.clock.settle();
    expect(scene.board.call.last("HELLO").capacity).toBe(3);
    expect(scene.worker.running).toBe(0);
  });

  it("does not come back before a slot is free", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler);
    const first = await scene.register();
    scene.board.job(1);
    await scene.clock.settle();
    first.close();
    await scene.clock.advance(60_000);
    expect(scene.board.calls).toHaveLength(1);
    puppet.runs[0]?.end("late");
    await scene.clock.settle();
    expect(scene.board.calls).toHaveLength(2);
    expect(scene.board.call.last("HELLO").capacity).toBe(1);
  });

  it("offers all slots again when the last orphan ends before WELCOME", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler, { capacity: 2 });
    const first = await scene.register();
    scene.board.job(1);
    await scene.clock.settle();
    first.close();
    await scene.clock.advance(200);
    expect(scene.board.call.last("HELLO").capacity).toBe(1);
    puppet.runs[0]?.end("late");
    await scene.clock.settle();
    const second = await scene.register();
    expect(second.all("REMOVE")).toHaveLength(1);
  });

  it("does not leave after each job while an orphan runs", async () => {
    const puppet = new Puppet();
    await using scene = new Scene((job, context) => (job.data === "hang" ? puppet.handler(job, context) : "done"), {
      capacity: 2,
    });
    const first = await scene.register();
    scene.board.job(1, "hang");
    await scene.clock.settle();
    first.close();
    await scene.clock.advance(200);
    const second = await scene.register();
    for (let i = 1; i <= 3; i++) {
      scene.board.job(i, "quick");
      await scene.clock.settle();
    }
    expect(second.all("JOBRES")).toHaveLength(3);
    expect(second.all("REMOVE")).toEqual([]);
    puppet.runs[0]?.end("");
  });

  it("stays stopped when the handler of a lost session returns", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler);
    const runner = await scene.register();
    scene.board.job(1);
    await scene.clock.settle();
    runner.close();
    await scene.clock.advance(60_000);
    await scene.worker.stop();
    puppet.runs[0]?.end("");
    await scene.clock.settle();
    expect(scene.worker.state).toBe("stopped");
    expect(scene.board.dials).toBe(1);
  });

  it("resets its patience only after ten seconds of a session, so that being kicked does not spin", async () => {
    await using scene = new Scene(echo);
    scene.worker.start().catch(() => undefined);
    await scene.clock.settle();
    for (let i = 0; i < 2_000 && scene.clock.now() < 600_000; i++) {
      scene.board.call.send(welcome());
      await scene.clock.settle();
      scene.board.call.close();
      await scene.clock.settle();
      while (scene.board.call.closed !== undefined && scene.clock.now() < 600_000) await scene.clock.advance(1_000);
    }
    expect(scene.board.dials).toBeLessThan(150);
  });
});

describe("leaving", () => {
  it("drains: asks to leave, hands back what crosses, finishes, then stops", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(
      (job, context) => {
        signals.push(context.shuttingDown);
        return puppet.handler(job, context);
      },
      { capacity: 2 },
    );
    const signals: AbortSignal[] = [];
    const runner = await scene.register();
    scene.board.job(1);
    await scene.clock.settle();
    const drained = watch(scene.worker.drain());
    scene.board.job(2);
    await scene.clock.settle();
    expect(runner.all("REMOVE")).toHaveLength(1);
    expect(runner.last("REJECT")).toMatchObject({ attemptId: 2, reason: "draining" });
    expect(signals[0]?.aborted).toBe(true);
    expect(puppet.runs[0]?.signal.aborted).toBe(false);
    puppet.runs[0]?.end("done");
    await scene.clock.settle();
    expect(runner.last("JOBRES").value).toBe("done");
    expect(drained.state).toBe("pending");
    runner.send({ type: "REMOVED" });
    await scene.clock.settle();
    expect(drained.state).toBe("ok");
    expect(scene.worker.state).toBe("stopped");
  });

  it("stops a drain that takes too long", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler);
    const runner = await scene.register();
    scene.board.job(1);
    await scene.clock.settle();
    const drained = watch(scene.worker.drain({ timeout: 2_000 }));
    await scene.clock.advance(1_999);
    expect(drained.state).toBe("pending");
    await scene.clock.advance(1);
    expect(drained.state).toBe("ok");
    expect(puppet.runs[0]?.signal.reason).toMatchObject({ reason: "stopped" });
    expect(runner.closed).toBeDefined();
  });

  it("tells the runner when it stops at once", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler);
    const runner = await scene.register();
    scene.board.job(1);
    await scene.clock.settle();
    await scene.worker.stop();
    await scene.worker.stop();
    await scene.clock.settle();
    expect(runner.all("REMOVE")).toHaveLength(1);
    expect(puppet.runs[0]?.signal.aborted).toBe(true);
    puppet.runs[0]?.end("nobody hears");
  });

  it("drains while disconnected, and while a lost session's handler still runs", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler);
    const runner = await scene.register();
    scene.board.job(1);
    await scene.clock.settle();
    runner.close();
    await scene.clock.settle();
    const drained = watch(scene.worker.drain());
    await scene.clock.settle();
    expect(drained.state).toBe("pending");
    puppet.runs[0]?.end("");
    await scene.clock.settle();
    expect(drained.state).toBe("ok");
  });

  it("comes back after GOAWAY, not before the runner's time", async () => {
    await using scene = new Scene(echo);
    const runner = await scene.register();
    runner.send({ type: "GOAWAY", reason: "stopping", retryAfter: 7_000 }, { type: "REMOVED" });
    await scene.clock.advance(6_999);
    expect(scene.events.at(-1)).toMatchObject({ type: "disconnected", reason: "closed" });
    expect(scene.board.dials).toBe(1);
    await scene.clock.advance(200);
    expect(scene.board.dials).toBe(2);
  });

  it("retires after maxJobs, as a new instance, and goes on", async () => {
    await using scene = new Scene(echo, { maxJobs: 2, capacity: 4 });
    const first = await scene.register();
    const { instance } = first.last("HELLO");
    for (let i = 1; i <= 3; i++) scene.board.job(i);
    await scene.clock.settle();
    expect(first.all("JOBRES")).toHaveLength(2);
    expect(first.all("REJECT")).toHaveLength(1);
    expect(first.all("REMOVE")).toHaveLength(1);
    first.send({ type: "REMOVED" });
    await scene.clock.settle();
    const second = await scene.register();
    expect(second.last("HELLO")).toMatchObject({ served: 2, capacity: 4 });
    expect(second.last("HELLO").instance).not.toBe(instance);
    scene.board.job(1);
    await scene.clock.settle();
    expect(second.all("JOBRES")).toHaveLength(1);
  });

  it("retires after maxAge and some chance, and stops when told to", async () => {
    await using scene = new Scene(echo, { maxAge: 60_000, maxAgeJitter: 5_000, afterRetirement: "stop" });
    const runner = await scene.register();
    const closed = watch(scene.worker.closed);
    const beats = setBeats(scene, runner);
    await beats(59_000);
    expect(runner.all("REMOVE")).toEqual([]);
    await beats(6_000);
    expect(runner.all("REMOVE")).toHaveLength(1);
    runner.send({ type: "REMOVED" });
    await scene.clock.settle();
    expect(closed.state).toBe("ok");
    expect(scene.worker.state).toBe("stopped");
  });
});

describe("retiring in odd moments", () => {
  it("stops when its age is up while it is disconnected", async () => {
    await using scene = new Scene(echo, { maxAge: 1_000, maxAgeJitter: 1, afterRetirement: "stop" });
    const runner = await scene.register();
    scene.board.refusal = new Error("gone");
    runner.close();
    await scene.clock.advance(1_100);
    expect(scene.worker.state).toBe("stopped");
  });

  it("shows a handler that polls that its instance is leaving", async () => {
    const seen: (() => boolean)[] = [];
    const puppet = new Puppet();
    await using scene = new Scene(
      (job, context) => {
        seen.push(() => context.shuttingDown.aborted);
        return puppet.handler(job, context);
      },
      { capacity: 2, maxJobs: 2 },
    );
    await scene.register();
    scene.board.job(1);
    await scene.clock.settle();
    expect(seen[0]?.()).toBe(false);
    scene.board.job(2);
    await scene.clock.settle();
    expect(seen.map((look) => look())).toEqual([true, true]);
    for (const run of puppet.runs) run.end("");
  });

  it.each(["rejoin", "stop"] as const)("retires again and again while it listens (%s)", async (afterRetirement) => {
    const clock = new VirtualClock();
    const front = new MemoryTransport({ clock });
    const worker = new Worker({ listen: front, handler: echo, maxJobs: 2, afterRetirement, clock });
    const runner = new JobRunner({ dial: front, clock });
    for (const start of [worker.start(), runner.start()]) {
      await clock.settle();
      await start;
    }
    for (let i = 0; i < 8; i++) {
      runner.execute("x").catch(() => undefined);
      await clock.advance(2_000);
    }
    expect(worker.state).toBe(afterRetirement === "stop" ? "stopped" : "registered");
    expect(runner.stats().registered).toBeGreaterThan(afterRetirement === "stop" ? 0 : 2);
    expect(worker.served).toBeGreaterThanOrEqual(2);
    for (const stop of [worker.stop(), runner.stop()]) {
      await clock.settle();
      await stop;
    }
    expect(clock.pending).toBe(0);
  });

  it("has stopped even when its listener cannot", async () => {
    const listen = { address: "odd", start: async () => undefined, stop: () => Promise.reject(new Error("busy")) };
    const worker = new Worker({ listen, handler: echo, clock: new VirtualClock() });
    await worker.start();
    await worker.stop();
    expect(worker.state).toBe("stopped");
  });
});

function setBeats(scene: Scene, runner: ScriptedPeer): (ms: number) => Promise<void> {
  return async (ms) => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      await scene.clock.advance(1_000);
      runner.send({ type: "PONG", nonce: 0 });
    }
  };
}

describe("composition", () => {
  it("a broker: a caller dials a worker that relays to a fleet", async () => {
    await using fleet = await stage();
    const { clock } = fleet;
    await fleet.worker((job) => `${String(job.data)}!`, { identity: "inner" });
    const front = new MemoryTransport({ clock });
    const broker = new Worker({ listen: front, handler: relay(fleet.runner), capacity: 8, blocking: false, clock });
    await fleet.settle(broker.start());
    const caller = new JobRunner({ dial: front, clock });
    await fleet.settle(caller.start());
    await clock.advance(200);
    expect(await fleet.settle(caller.execute("hello"))).toBe("hello!");
    await fleet.settle(caller.stop());
    await fleet.settle(broker.stop());
  });

  it("passes a remote error on as it was thrown, and an abort down to the handler", async () => {
    await using inner = await stage();
    const { clock } = inner;
    const puppet = new Puppet();
    await inner.worker(puppet.handler, { capacity: 2 });
    const outer = new JobRunner({ clock });
    await inner.settle(outer.start());
    const middle = new Worker({ dial: outer, handler: relay(inner.runner), capacity: 2, clock });
    await inner.settle(middle.start());
    const failing = watch(outer.execute("fails"));
    const controller = new AbortController();
    const aborted = watch(outer.execute("aborted", { signal: controller.signal }));
    await clock.settle();
    puppet.runs[0]?.fail(Object.assign(new RangeError("deep"), { code: "E_DEEP" }));
    controller.abort(new Error("enough"));
    await clock.settle();
    expect(failing.error).toMatchObject({ remoteName: "RangeError", remoteMessage: "deep", remoteCode: "E_DEEP" });
    expect(aborted.error).toMatchObject({ message: "enough" });
    expect(puppet.runs[1]?.signal.aborted).toBe(true);
    puppet.runs[1]?.end("");
    await clock.settle();
    await inner.settle(middle.stop());
    await inner.settle(outer.stop());
  });
});
