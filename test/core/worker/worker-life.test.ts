/** A worker's life as it is told, and the odd moments in it: what comes twice, too late, or while it listens. */
import { describe, expect, it } from "vitest";
import { frameLimit } from "../../../src/core/protocol/codec.ts";
import { AuthError } from "../../../src/core/errors.ts";
import type { WorkerEvent } from "../../../src/core/events.ts";
import { Job } from "../../../src/core/job/job.ts";
import type { Listener, ListenerContext } from "../../../src/core/transport/listener.ts";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import type { Socket } from "../../../src/core/transport/socket.ts";
import type { Handler } from "../../../src/core/worker/execution.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import type { WorkerOptions } from "../../../src/core/worker/worker-options.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { ScriptedPeer, welcome } from "../../support/scripted-peer.ts";
import { Puppet, watch } from "../../support/stage.ts";
import { Scene, Switchboard } from "./worker-scene.ts";

const echo: Handler = (job) => job.data;

const HERE = { transport: "test", address: "here", principal: "local" };

function states(events: readonly WorkerEvent[]): string[] {
  return events.flatMap((event) => (event.type === "worker-state" ? [event.state] : []));
}

function disconnections(events: readonly WorkerEvent[]): WorkerEvent[] {
  return events.filter(({ type }) => type === "disconnected");
}

/** A listener the test feeds by hand. */
class Door implements Listener {
  readonly address = "door";
  readonly clock = new VirtualClock();
  /** What `start` and `stop` do. */
  opening: () => Promise<void> = () => Promise.resolve();
  closing: () => Promise<void> = () => Promise.resolve();
  stops = 0;
  context: ListenerContext | undefined;
  #accept: (socket: Socket) => void = () => undefined;

  start(accept: (socket: Socket) => void, context: ListenerContext): Promise<void> {
    this.#accept = accept;
    this.context = context;
    return this.opening();
  }

  stop(): Promise<void> {
    this.stops++;
    return this.closing();
  }

  /** A runner that connects. */
  connect(): ScriptedPeer {
    const [ours, theirs] = socketPair({ clock: this.clock, peers: [HERE, HERE], maxFrameBytes: 2_000_000 });
    this.#accept(ours);
    return new ScriptedPeer(theirs);
  }
}

/** A worker that listens at a door, and what it tells. */
function listening(door: Door, handler: Handler, options: Partial<WorkerOptions> = {}) {
  const worker = new Worker({
    listen: door,
    handler,
    clock: door.clock,
    random: new SeededRandom(3),
    identity: "w",
    ...options,
  });
  const events: WorkerEvent[] = [];
  worker.on((event) => events.push(event));
  /** A runner that connects and lets the worker in. */
  const runner = async (): Promise<ScriptedPeer> => {
    const peer = door.connect();
    peer.send(welcome());
    await door.clock.settle();
    return peer;
  };
  const end = async (): Promise<void> => {
    void worker.stop();
    await door.clock.settle();
    expect(door.clock.pending, "timers left").toBe(0);
  };
  return { worker, events, runner, end };
}

function give(runner: ScriptedPeer, attemptId: number): void {
  runner.send({ type: "JOB", attemptId, attempt: 1, jobId: attemptId, ttl: 1_000, job: new Job("x") });
}

describe("the states a worker tells of", () => {
  it("are each told once, from the start to the end", async () => {
    await using scene = new Scene(echo);
    void scene.worker.start();
    const runner = await scene.register();
    await scene.worker.start();
    void scene.worker.drain();
    await scene.clock.settle();
    runner.send({ type: "REMOVED" });
    await scene.clock.settle();
    await scene.worker.drain();
    await scene.worker.stop();
    await scene.clock.settle();
    expect(states(scene.events)).toEqual(["connecting", "registered", "draining", "stopped"]);
  });

  it("are connecting again while the runner sends it away, and disconnected while it waits", async () => {
    await using scene = new Scene(echo);
    const runner = await scene.register();
    runner.send({ type: "GOAWAY", reason: "stopping", retryAfter: 0 });
    await scene.clock.settle();
    expect(scene.worker.state).toBe("connecting");
    runner.send({ type: "REMOVED" });
    await scene.clock.advance(100);
    await scene.register();
    expect(states(scene.events)).toEqual(["connecting", "registered", "connecting", "disconnected", "registered"]);
  });

  it("are connecting once when it is sent away while it retires", async () => {
    await using scene = new Scene(echo, { maxJobs: 1 });
    const runner = await scene.register();
    scene.board.job(1);
    await scene.clock.settle();
    runner.send({ type: "GOAWAY", reason: "stopping", retryAfter: 0 }, { type: "REMOVED" });
    await scene.clock.settle();
    await scene.register();
    expect(states(scene.events)).toEqual(["connecting", "registered", "connecting", "registered"]);
  });

  it("do not change while it leaves although the runner sends it away as well", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler);
    const runner = await scene.register();
    scene.board.job(1);
    await scene.clock.settle();
    void scene.worker.drain();
    runner.send({ type: "GOAWAY", reason: "stopping", retryAfter: 0 });
    await scene.clock.settle();
    expect(scene.worker.state).toBe("draining");
    await scene.worker.stop();
    puppet.runs[0]?.end("");
    await scene.clock.settle();
    expect(states(scene.events)).toEqual(["connecting", "registered", "draining", "stopped"]);
  });

  it("are disconnected once, however often it cannot connect", async () => {
    await using scene = new Scene(echo);
    scene.board.refusal = new Error("nobody there");
    scene.worker.start().catch(() => undefined);
    await scene.clock.advance(2_000);
    expect(disconnections(scene.events).length).toBeGreaterThan(3);
    expect(states(scene.events)).toEqual(["connecting", "disconnected"]);
    scene.board.refusal = undefined;
    await scene.clock.advance(10_000);
    await scene.register();
    expect(states(scene.events)).toEqual(["connecting", "disconnected", "registered"]);
  });

  it("are followed by a dial at once when it is told to hurry, and only while it waits to dial", async () => {
    await using scene = new Scene(echo, { reconnectMin: 1_000 });
    const first = await scene.register();
    scene.worker.reconnectNow();
    expect(states(scene.events), "a registered one").toEqual(["connecting", "registered"]);
    first.close();
    await scene.clock.settle();
    scene.worker.reconnectNow();
    scene.worker.reconnectNow();
    await scene.clock.settle();
    expect(scene.board.dials).toBe(2);
    expect((await scene.register()).last("HELLO").instance, "the same worker").toBe(first.last("HELLO").instance);
    expect(states(scene.events).slice(2)).toEqual(["disconnected", "connecting", "registered"]);
    await scene.clock.advance(1_000);
    expect(scene.board.dials, "the pause is over with it").toBe(2);
    await scene.worker.stop();
    scene.worker.reconnectNow();
    expect(scene.worker.state).toBe("stopped");
  });

  it("are connecting once when it registers anew to offer all its slots", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler, { capacity: 2, afterRetirement: "stop" });
    const first = await scene.register();
    scene.board.job(1);
    await scene.clock.settle();
    first.close();
    await scene.clock.advance(200);
    const second = await scene.register();
    puppet.runs[0]?.end("late");
    await scene.clock.settle();
    second.send({ type: "REMOVED" });
    await scene.clock.settle();
    expect(scene.worker.state).toBe("connecting");
    await scene.register();
    expect(states(scene.events).slice(2)).toEqual(["disconnected", "registered", "connecting", "registered"]);
  });
});

describe("what a worker tells of", () => {
  it("jobs is how they ended and how long they took", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler, { capacity: 2 });
    await scene.clock.advance(500);
    await scene.register();
    scene.board.job(7);
    scene.board.job(8, "x", { attempt: 3 });
    await scene.clock.advance(30);
    puppet.runs[0]?.end("done");
    await scene.clock.advance(20);
    puppet.runs[1]?.fail(new Error("failed"));
    await scene.clock.settle();
    expect(scene.events.filter(({ type }) => type === "job-served")).toEqual([
      { type: "job-served", jobId: "r1:7", attempt: 1, ok: true, ms: 30 },
      { type: "job-served", jobId: "r1:8", attempt: 3, ok: false, ms: 50 },
    ]);
  });

  it("being turned away for good is why; it does not try again", async () => {
    await using scene = new Scene(echo);
    const error = new AuthError("wrong token");
    scene.board.refusal = error;
    const started = watch(scene.worker.start());
    await scene.clock.advance(60_000);
    expect(started.error).toBe(error);
    expect(disconnections(scene.events)).toEqual([
      { type: "disconnected", reason: "refused", message: "wrong token", error },
    ]);
    expect(scene.board.dials).toBe(1);
  });

  it("being turned away later is a refusal like that, but it goes on", async () => {
    await using scene = new Scene(echo);
    const runner = await scene.register();
    scene.board.refusal = new AuthError("expired");
    runner.close();
    await scene.clock.advance(1_000);
    expect(disconnections(scene.events).slice(0, 2)).toMatchObject([
      { reason: "lost" },
      { reason: "refused", message: "expired" },
    ]);
    expect(scene.board.dials).toBeGreaterThan(2);
  });
});

describe("a worker's own choices", () => {
  it("are a name, when it is given none", async () => {
    const board = new Switchboard();
    const worker = new Worker({ dial: board, handler: echo, clock: board.clock, random: new SeededRandom(1) });
    expect(worker.identity).toMatch(/^worker-[0-9a-f]{12}$/);
    await worker.stop();
  });

  it("are to block, and to tell a runner in the same process where the handler threw", async () => {
    await using scene = new Scene(() => {
      throw new Error("x");
    });
    const runner = await scene.register();
    expect(runner.last("HELLO")).toMatchObject({ blocking: true, capacity: 1, labels: [] });
    scene.board.job(1);
    await scene.clock.settle();
    expect(runner.last("JOBERR").error.stack).toContain("worker-life.test.ts");
  });

  it("are the frames it takes, which the dialer is told", async () => {
    await using scene = new Scene(echo, { maxPayload: 5_000 });
    await scene.register();
    expect(scene.board.limits).toEqual({ maxFrameBytes: frameLimit(5_000) });
  });

  it.each([
    [{ identity: 5 }, "identity"],
    [{ labels: "gpu" }, "labels"],
    [{ labels: { length: 1 } }, "labels"],
    [{ labels: ["a", ""] }, "labels"],
    [{ labels: Array.from({ length: 33 }, () => "a") }, "labels"],
    [{ maxJobs: 0 }, "maxJobs"],
    [{ maxJobs: 1.5 }, "maxJobs"],
    [{ afterRetirement: "leave" }, "afterRetirement"],
  ])("have to make sense: %j", (options, name) => {
    const make = (): Worker => new Worker({ dial: new Switchboard(), handler: echo, ...(options as object) });
    expect(make).toThrow(/^Worker: /);
    expect(make).toThrow(new RegExp(`\`${name}\``));
  });

  it("may be 32 labels, and any number of jobs", async () => {
    const labels = Array.from({ length: 32 }, (_, i) => `l${i}`);
    await using scene = new Scene(echo, { labels, maxJobs: Infinity });
    expect((await scene.register()).last("HELLO").labels).toEqual(labels);
  });
});

describe("draining", () => {
  it("is what disposal does, and may be asked for twice", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler);
    const runner = await scene.register();
    scene.board.job(1);
    await scene.clock.settle();
    const disposed = scene.worker[Symbol.asyncDispose]();
    expect(scene.worker.state).toBe("draining");
    expect(scene.worker.drain({ timeout: 60_000 })).toBe(scene.worker.closed);
    expect(disposed).toBe(scene.worker.closed);
    await scene.clock.advance(1_000);
    expect(scene.worker.state, "the first one's timeout").toBe("draining");
    puppet.runs[0]?.end("");
    await scene.clock.settle();
    runner.send({ type: "REMOVED" });
    await scene.clock.settle();
    expect(scene.worker.state).toBe("stopped");
  });

  it("rejects what it does not understand", async () => {
    await using scene = new Scene(echo);
    await scene.register();
    await expect(scene.worker.drain({ timeout: -1 })).rejects.toThrow(/^drain: .*`timeout`/);
    expect(scene.worker.state).toBe("registered");
  });

  it("says so to handlers, and so does a stop", async () => {
    for (const how of ["drain", "stop"] as const) {
      const signals: AbortSignal[] = [];
      const puppet = new Puppet();
      await using scene = new Scene((job, context) => {
        signals.push(context.shuttingDown);
        return puppet.handler(job, context);
      });
      await scene.register();
      scene.board.job(1);
      await scene.clock.settle();
      void scene.worker[how]();
      expect(signals[0]?.aborted, "not within the call").toBe(false);
      await scene.clock.settle();
      expect(signals[0]?.reason).toMatchObject({
        message: "worker w is leaving",
        reason: how === "drain" ? "draining" : "stopped",
      });
      puppet.runs[0]?.end("");
    }
  });
});

describe("retiring", () => {
  it("says that it drains", async () => {
    const signals: AbortSignal[] = [];
    await using scene = new Scene(
      (job, context) => {
        signals.push(context.shuttingDown);
        return job.data;
      },
      { maxJobs: 1 },
    );
    await scene.register();
    scene.board.job(1);
    await scene.clock.settle();
    expect(signals[0]?.reason).toMatchObject({ reason: "draining" });
  });

  it("comes at most a tenth late, unless told otherwise", async () => {
    await using scene = new Scene(echo, { maxAge: 20_000 });
    const runner = await scene.register({ heartbeat: 100_000 });
    await scene.clock.advance(19_999);
    expect(runner.all("REMOVE")).toEqual([]);
    await scene.clock.advance(2_001);
    expect(runner.all("REMOVE")).toHaveLength(1);
  });

  it("to stop is a drain without a limit of time", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler, { maxJobs: 1, afterRetirement: "stop", drainTimeout: 1_000 });
    const runner = await scene.register({ heartbeat: 100_000 });
    scene.board.job(1);
    await scene.clock.advance(90_000);
    expect(scene.worker.state).toBe("draining");
    expect(puppet.runs[0]?.signal.aborted).toBe(false);
    puppet.runs[0]?.end("");
    await scene.clock.settle();
    runner.send({ type: "REMOVED" });
    await scene.clock.settle();
    expect(scene.worker.state).toBe("stopped");
  });

  it("while it is disconnected changes nothing of how it comes back later", async () => {
    await using scene = new Scene(echo, { maxAge: 1_000, maxAgeJitter: 1 });
    const first = await scene.register({ heartbeat: 100_000 });
    scene.board.refusal = new Error("gone");
    first.close();
    await scene.clock.advance(1_500);
    expect(scene.worker.state).toBe("disconnected");
    scene.board.refusal = undefined;
    const { dials } = scene.board;
    while (scene.board.calls.length < 2) await scene.clock.advance(10);
    const second = await scene.register({ heartbeat: 100_000 });
    expect(second.last("HELLO").instance).not.toBe(first.last("HELLO").instance);
    second.close();
    await scene.clock.settle();
    expect(scene.worker.state, "waits, like after any loss").toBe("disconnected");
    expect(scene.board.dials).toBe(dials + 1);
  });
});

describe("a worker that listens", () => {
  it("is registered once it listens, and tells its listener what it takes", async () => {
    const door = new Door();
    let open: () => void = () => undefined;
    door.opening = () => new Promise((resolve) => (open = resolve));
    const { worker, events, end } = listening(door, echo, { maxPayload: 5_000 });
    const started = watch(worker.start());
    await door.clock.settle();
    expect([worker.state, started.state]).toEqual(["connecting", "pending"]);
    open();
    await door.clock.settle();
    expect([worker.state, started.state]).toEqual(["registered", "ok"]);
    expect(door.context?.maxFrameBytes).toBe(frameLimit(5_000));
    await end();
    expect(states(events)).toEqual(["connecting", "registered", "stopped"]);
    expect(door.stops).toBe(1);
  });

  it("stays stopped when it was stopped before it listened", async () => {
    const door = new Door();
    let open: () => void = () => undefined;
    door.opening = () => new Promise((resolve) => (open = resolve));
    const { worker, events, end } = listening(door, echo);
    const started = watch(worker.start());
    await worker.stop();
    open();
    await end();
    expect(started.error).toMatchObject({ code: "WORKER_STOPPED" });
    expect(states(events)).toEqual(["connecting", "stopped"]);
    expect(door.stops, "once more when it listens: the first may have come too early").toBe(2);
  });

  it("stops, but not its listener, when that cannot start", async () => {
    const door = new Door();
    const error = new Error("taken");
    door.opening = () => Promise.reject(error);
    const { worker, events, end } = listening(door, echo);
    const started = watch(worker.start());
    await door.clock.settle();
    await worker.closed;
    expect(started.error).toBe(error);
    expect(worker.state).toBe("stopped");
    expect(door.stops).toBe(0);
    await end();
    expect(states(events)).toEqual(["connecting", "stopped"]);
  });

  it("does not touch a listener it has not started", async () => {
    const door = new Door();
    const { worker, end } = listening(door, echo);
    await worker.stop();
    expect(door.stops).toBe(0);
    await end();
  });

  it("tells of what goes wrong with its listener", async () => {
    const door = new Door();
    const [erred, last] = [new Error("a client erred"), new Error("busy")];
    door.closing = () => Promise.reject(last);
    const { worker, events, end } = listening(door, echo);
    await worker.start();
    door.context?.report(erred);
    await worker.stop();
    await end();
    expect(disconnections(events)).toEqual([
      { type: "disconnected", reason: "listener", message: "a client erred", error: erred },
      { type: "disconnected", reason: "listener", message: "the listener could not stop", error: last },
    ]);
  });

  it("goes on when a runner is lost, sends it away, or comes beside another", async () => {
    const door = new Door();
    const puppet = new Puppet();
    const { worker, events, runner, end } = listening(door, puppet.handler, { capacity: 2 });
    await worker.start();
    const first = await runner();
    give(first, 1);
    await door.clock.settle();
    const second = await runner();
    expect(second.last("HELLO").capacity, "what runs for one is not taken from the other").toBe(2);
    second.send({ type: "GOAWAY", reason: "stopping", retryAfter: 0 });
    await door.clock.settle();
    first.close();
    second.close();
    await door.clock.settle();
    expect(worker.state).toBe("registered");
    puppet.runs[0]?.end("");
    await end();
    expect(states(events)).toEqual(["connecting", "registered", "stopped"]);
    expect(disconnections(events)).toEqual([]);
  });

  it("turns a runner away while it has no slot, while it drains, and once it has stopped", async () => {
    const door = new Door();
    const puppet = new Puppet();
    const { worker, runner, end } = listening(door, puppet.handler);
    await worker.start();
    const first = await runner();
    give(first, 1);
    await door.clock.settle();
    first.close();
    await door.clock.settle();
    const visit = async (): Promise<string[]> => {
      const peer = door.connect();
      await door.clock.settle();
      expect(peer.closed).toBeDefined();
      return peer.received.map(({ type }) => type);
    };
    expect(await visit(), "no slot").toEqual([]);
    puppet.runs[0]?.end("");
    await door.clock.settle();
    const second = await runner();
    give(second, 1);
    await door.clock.settle();
    const drained = watch(worker.drain());
    expect(await visit(), "draining").toEqual([]);
    puppet.runs[1]?.end("");
    second.send({ type: "REMOVED" });
    await door.clock.settle();
    expect(drained.state).toBe("ok");
    expect(await visit(), "stopped").toEqual([]);
    await end();
  });

  it("retires to stop once the last of its runners has let it go", async () => {
    const door = new Door();
    const { worker, runner, end } = listening(door, echo, { capacity: 2, maxJobs: 1, afterRetirement: "stop" });
    await worker.start();
    const [first, second] = [await runner(), await runner()];
    give(first, 1);
    await door.clock.settle();
    first.send({ type: "REMOVED" });
    await door.clock.settle();
    expect(worker.state).toBe("draining");
    second.send({ type: "REMOVED" });
    await door.clock.settle();
    expect(worker.state).toBe("stopped");
    await end();
  });
});

/** A clock that knows for which of its timers the process would stay. */
class Watchful extends VirtualClock {
  readonly asked: boolean[] = [];
  override set(delay: number, fn: () => void, keepAlive = false): unknown {
    this.asked.push(keepAlive);
    return super.set(delay, fn);
  }
}

describe("what the process stays for", () => {
  it("is not a heartbeat or an age, but a drain", async () => {
    const clock = new Watchful();
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler, { maxAge: 1_000_000 }, new Switchboard(clock));
    await scene.register();
    scene.board.job(1);
    await scene.clock.advance(4_000);
    expect(clock.asked.length).toBeGreaterThan(0);
    expect(new Set(clock.asked)).toEqual(new Set([false]));
    clock.asked.length = 0;
    void scene.worker.drain();
    expect(clock.asked).toEqual([true]);
    puppet.runs[0]?.end("");
  });

  it("is a first connection that somebody awaits, and not a later one within the same process", async () => {
    const clock = new Watchful();
    const board = Object.assign(new Switchboard(clock), { sameProcess: true });
    await using scene = new Scene(echo, {}, board);
    board.refusal = new Error("not yet");
    scene.worker.start().catch(() => undefined);
    await clock.settle();
    expect(clock.asked).toEqual([true]);
    board.refusal = undefined;
    await clock.advance(200);
    const runner = await scene.register();
    clock.asked.length = 0;
    board.refusal = new Error("gone");
    runner.close();
    await clock.settle();
    expect(clock.asked).toEqual([false]);
  });

  it("is a connection to another process in any case", async () => {
    const clock = new Watchful();
    const board = new Switchboard(clock);
    await using scene = new Scene(echo, {}, board);
    const runner = await scene.register();
    clock.asked.length = 0;
    runner.close();
    await clock.settle();
    expect(clock.asked).toEqual([true]);
  });
});
