/** A runner's life as it is told, what its methods say to the impatient and the mistaken, and what the process stays for. */
import { describe, expect, it } from "vitest";
import { frameLimit } from "../../../src/core/protocol/codec.ts";
import { type ExecutionError, RunnerStoppedError, WorkerLostError } from "../../../src/core/errors.ts";
import type { RunnerEvent } from "../../../src/core/events.ts";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import type { RunnerOptions } from "../../../src/core/runner/runner-options.ts";
import { resolveLimits } from "../../../src/core/runner/registration.ts";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import type { Socket, SocketLimits } from "../../../src/core/transport/socket.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { Stage, stage, watch } from "../../support/stage.ts";

function states(events: readonly RunnerEvent[]): string[] {
  return events.flatMap((event) => (event.type === "runner-state" ? [event.state] : []));
}

/** A listener that opens and closes as the test says. */
class Slow {
  readonly address = "slow";
  starts = 0;
  open: () => void = () => undefined;
  fail: (error: Error) => void = () => undefined;
  start(): Promise<void> {
    this.starts++;
    return new Promise((open, fail) => {
      this.open = open;
      this.fail = fail;
    });
  }
  async stop(): Promise<void> {
    this.fail(new Error("stopped"));
  }
}

const nowhere = new AbortController().signal;

describe("the states a runner tells of", () => {
  it("are each told once, however often it is stopped", async () => {
    const set = await stage();
    await set.settle(set.runner.drain());
    await set.settle(set.runner.stop());
    await set.settle(set.runner[Symbol.asyncDispose]());
    await set.settle(set.runner.drain());
    expect(states(set.events)).toEqual(["starting", "started", "draining", "stopped"]);
  });

  it("do not lead through draining when it was never started", async () => {
    const set = new Stage();
    await set.settle(set.runner.drain());
    expect(states(set.events)).toEqual(["stopped"]);
  });

  it("stay stopped when it is stopped while it starts, and lead on when it starts again", async () => {
    const listen = new Slow();
    const set = new Stage({ listen });
    const first = watch(set.runner.start());
    await set.clock.settle();
    const stopped = watch(set.runner.stop());
    await set.clock.settle();
    expect([first.state, stopped.state, set.runner.state]).toEqual(["failed", "ok", "stopped"]);
    const second = watch(set.runner.start());
    await set.clock.settle();
    listen.open();
    await set.clock.settle();
    expect(second.state).toBe("ok");
    await set[Symbol.asyncDispose]();
    expect(states(set.events)).toEqual(["starting", "stopped", "starting", "started", "stopped"]);
  });

  it("lead back when it cannot start, also after it has run, and it can be stopped then", async () => {
    const listen = new Slow();
    const set = new Stage({ listen, dial: { dial: () => Promise.reject(new Error("nobody")) } });
    for (const how of ["open", "fail"] as const) {
      const starting = watch(set.runner.start());
      await set.clock.settle();
      if (how === "open") listen.open();
      else listen.fail(new Error("taken"));
      await set.clock.settle();
      expect(starting.state).toBe(how === "open" ? "ok" : "failed");
      if (how === "open") await set.settle(set.runner.stop());
    }
    expect(set.runner.state).toBe("created");
    await set[Symbol.asyncDispose]();
    expect(states(set.events)).toEqual(["starting", "started", "stopped", "starting", "created", "stopped"]);
  });
});

describe("what a runner says", () => {
  it("to whom comes too early or too late", async () => {
    const listen = new Slow();
    const set = new Stage({ listen });
    const why = async (): Promise<unknown> => set.runner.execute("x").catch(String);
    expect(await why()).toBe("RunnerStoppedError: the runner is not started: await runner.start() first");
    const starting = set.settle(set.runner.start());
    expect(await why()).toBe("RunnerStoppedError: the runner is starting: await runner.start() first");
    await set.clock.settle();
    listen.open();
    await starting;
    await set[Symbol.asyncDispose]();
    expect(await why()).toBe("RunnerStoppedError: the runner is stopped");
  });

  it.each<[string, RunnerOptions, string]>([
    ["JobRunner", { timeout: -1 }, "timeout"],
    ["JobRunner", { maxQueue: -1 }, "maxQueue"],
    ["JobRunner", { heartbeat: Infinity }, "heartbeat"],
  ])("of options that make no sense: %s %j", (who, options, name) => {
    expect(() => new JobRunner(options)).toThrow(new RegExp(`^${who}: .*\`${name}\``));
  });

  it("of wishes that make no sense", async () => {
    await using set = await stage();
    await expect(set.runner.execute("x", { timeout: -1 })).rejects.toThrow(/^execute: .*`timeout`/);
    await expect(set.runner.workers.acquire({ timeout: -1 })).rejects.toThrow(/^acquire: .*`timeout`/);
    await expect(set.runner.drain({ timeout: -1 })).rejects.toThrow(/^drain: .*`timeout`/);
    await expect(set.runner.drain({ queued: "keep" as never })).rejects.toThrow(/^drain: .*`queued`/);
    expect(set.runner.state).toBe("started");
  });
});

describe("a worker of the same process", () => {
  it("waits for a runner that starts", async () => {
    const listen = new Slow();
    const set = new Stage({ listen });
    const starting = set.settle(set.runner.start());
    const dialed = watch(set.runner.dial(nowhere));
    await set.clock.settle();
    expect(dialed.state).toBe("pending");
    listen.open();
    await starting;
    await set.clock.settle();
    expect(dialed.state).toBe("ok");
    await set[Symbol.asyncDispose]();
  });

  it("is not let in when it has changed its mind, or when the runner does not run", async () => {
    const set = await stage();
    const reason = new Error("changed my mind");
    await expect(set.runner.dial(AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(set.runner.stats().pending).toBe(0);
    await set[Symbol.asyncDispose]();
    await expect(set.runner.dial(nowhere)).rejects.toBeInstanceOf(RunnerStoppedError);
  });

  it("is known as such, with a session of its own", async () => {
    await using set = await stage();
    expect(set.runner.sameProcess).toBe(true);
    const [first, second] = [await set.peer({ identity: "a" }), await set.peer({ identity: "b" })];
    expect([first.last("WELCOME").sessionId, second.last("WELCOME").sessionId]).toEqual(["s1", "s2"]);
    expect(set.runner.stats().workers[0]?.peer).toEqual({
      transport: "memory",
      address: "this process",
      principal: "local",
    });
  });
});

describe("what a runner counts", () => {
  it("is where its calls are, and nothing else", async () => {
    await using set = await stage();
    const peer = await set.peer();
    await set.clock.advance(1_000);
    await set.execute("x");
    await set.clock.advance(20);
    peer.answer("y");
    await set.clock.settle();
    expect(set.runner.calls).toEqual({
      queued: 0,
      prefetched: 0,
      running: 0,
      backoff: 0,
      queuedBytes: 0,
      submitted: 1,
      succeeded: 1,
      failed: 0,
    });
    expect(set.of("job-settled")).toEqual([
      {
        type: "job-settled",
        jobId: expect.stringMatching(/:1$/) as unknown,
        ms: 20,
        attempts: 1,
        ok: true,
        identity: "scripted",
        labels: [],
        headers: new Map(),
      },
    ]);
  });

  it("leaves out connections that were waiting when it stopped", async () => {
    const set = await stage();
    await set.connection();
    await set[Symbol.asyncDispose]();
    expect(set.runner.stats().refused).toBe(0);
    expect(set.of("worker-refused")).toEqual([]);
  });
});

describe("what a runner tells of its workers", () => {
  it("is when one is suspect, recovers, leaves and has gone", async () => {
    await using set = await stage();
    const peer = await set.peer({ identity: "w" });
    await set.clock.advance(10_000);
    peer.send({ type: "PONG", nonce: 0 });
    await set.clock.settle();
    peer.send({ type: "REMOVE" });
    await set.clock.settle();
    expect(set.events.slice(2)).toMatchObject([
      { type: "worker-joined", identity: "w", capacity: 1 },
      { type: "worker-suspect", identity: "w" },
      { type: "worker-recovered", identity: "w" },
      { type: "worker-draining", identity: "w" },
      { type: "worker-gone", identity: "w", reason: "removed" },
    ]);
  });

  it("is that one was replaced", async () => {
    await using set = await stage();
    await set.peer({ identity: "w", instance: "1" });
    await set.peer({ identity: "w", instance: "2" });
    expect(set.of("worker-gone")).toMatchObject([{ identity: "w", reason: "replaced" }]);
  });

  it.each([
    ["local", undefined, true],
    ["far", undefined, false],
    ["far", true, true],
  ])(
    "is the stack of a worker whose principal is %s (remoteStacks %s): %s",
    async (principal, remoteStacks, isTold) => {
      const peer = { transport: "test", address: "", principal };
      let accept: (socket: Socket) => void = () => undefined;
      const listen = {
        address: "here",
        start: (accepted: (socket: Socket) => void): Promise<void> => {
          accept = accepted;
          return Promise.resolve();
        },
        stop: () => Promise.resolve(),
      };
      await using set = new Stage({ listen, remoteStacks });
      const { clock } = set;
      await set.settle(set.runner.start());
      const [ours, theirs] = socketPair({ clock, peers: [peer, peer], maxFrameBytes: 1_000_000 });
      accept(ours);
      const handler = (): string => {
        throw new Error("x", { cause: new Error("y") });
      };
      const worker = new Worker({ clock, remoteStacks: true, handler, dial: { dial: () => Promise.resolve(theirs) } });
      void worker.start();
      await clock.settle();
      const call = await set.execute("x");
      const { remoteStack, cause } = call.error as ExecutionError;
      expect(remoteStack !== "").toBe(isTold);
      expect(((cause as Error).cause as Error).stack?.includes("at ")).toBe(isTold);
      await set.settle(worker.stop());
    },
  );
});

describe("a worker that leaves", () => {
  it("is given nothing new, though it has a slot", async () => {
    await using set = await stage();
    const peer = await set.peer({ identity: "leaver", capacity: 2 });
    await set.execute("first");
    peer.send({ type: "REMOVE" });
    await set.clock.settle();
    expect(set.runner.stats().capacity).toBe(0);
    await set.execute("second");
    expect(peer.jobs).toEqual(["first"]);
    expect(set.runner.workers.waiting).toBe(1);
  });
});

describe("a runner with nothing to do", () => {
  it("drains at once", async () => {
    const set = await stage();
    const drained = watch(set.runner.drain());
    await set.clock.settle();
    expect(drained.state).toBe("ok");
    expect(set.clock.now()).toBe(0);
    await set[Symbol.asyncDispose]();
  });
});

describe("a line of jobs that are all too late", () => {
  it("is settled in one step, however long it is", async () => {
    await using set = await stage();
    const peer = await set.peer();
    await set.execute("first");
    const late = Array.from({ length: 20_000 }, () => watch(set.runner.execute("late", { deadline: 100 })));
    await set.clock.settle();
    set.clock.jump(100);
    peer.answer("");
    await set.clock.settle();
    expect(late.filter(({ state }) => state === "failed")).toHaveLength(20_000);
    expect(peer.jobs).toEqual(["first"]);
    expect(set.runner.workers.waiting).toBe(0);
    expect(set.runner.stats().queued).toBe(0);
  });
});

describe("map", () => {
  it("tries a lost job again, like execute", async () => {
    await using set = await stage();
    const first = await set.peer({ identity: "first" });
    const outcomes = set.runner.map(["x"]);
    const next = watch(outcomes.next());
    await set.clock.settle();
    first.close();
    const second = await set.peer({ identity: "second" });
    await set.clock.advance(100);
    second.answer("y");
    await set.clock.settle();
    expect(next.value).toMatchObject({ value: { ok: true, value: "y" } });
    await set.settle(outcomes.return(undefined));
  });
});

describe("a runner that dials", () => {
  it("tells the dialer what it takes", async () => {
    const seen: SocketLimits[] = [];
    const dial = {
      dial: (_signal: AbortSignal, limits: SocketLimits) => {
        seen.push(limits);
        return Promise.reject(new Error("nobody"));
      },
    };
    await using _set = await stage({ dial, maxPayload: 5_000 });
    expect(seen).toMatchObject([{ maxFrameBytes: frameLimit(5_000) }]);
  });
});

describe("the limit of unsent bytes", () => {
  it("is twice a payload at least, or what was asked for", () => {
    expect(resolveLimits({}).maxBuffered).toBe(8_388_608);
    expect(resolveLimits({ maxPayload: 5_000_000 }).maxBuffered).toBe(10_000_000);
    expect(resolveLimits({ maxPayload: 5, maxBuffered: 11 }).maxBuffered).toBe(11);
  });
});

describe("a worker that is held", () => {
  it("says who it is, and whether it can be used", async () => {
    await using set = await stage();
    await set.peer({ identity: "w", labels: ["gpu"] });
    const held = await set.settle(set.runner.workers.acquire());
    expect([held.identity, held.labels, held.peer.transport, held.usable]).toEqual(["w", ["gpu"], "memory", true]);
    set.runner.workers.release(held);
    expect(held.usable).toBe(false);
    await expect(held.execute("x")).rejects.toBeInstanceOf(WorkerLostError);
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
  it("is a call and somebody who waits for a worker, and not a worker that does nothing", async () => {
    const clock = new Watchful();
    const set = new Stage({ clock });
    Object.defineProperty(set, "clock", { value: clock });
    await set.settle(set.runner.start());
    const peer = await set.peer();
    expect(new Set(clock.asked)).toEqual(new Set([false]));
    clock.asked.length = 0;
    await set.execute("x");
    expect(clock.asked).toEqual([true]);
    clock.asked.length = 0;
    const waits = watch(set.runner.workers.acquire());
    expect(clock.asked).toEqual([true]);
    peer.answer("y");
    await set.clock.settle();
    if (waits.value !== undefined) set.runner.workers.release(waits.value);
    await set[Symbol.asyncDispose]();
  });
});
