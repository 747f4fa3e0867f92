/**
 * What is over is let go of: a job, its headers, its result, its signal, its call and the session that had it, while all that
 * may outlive them is still there. Each test holds one such thing, and collects.
 */
import { describe, expect, it, vi } from "vitest";
import type { ExecuteOptions } from "../../src/core/job/execute-options.ts";
import { TimeoutError } from "../../src/core/errors.ts";
import { Job } from "../../src/core/job/job.ts";
import type { Outcome } from "../../src/core/dispatch/map.ts";
import type { JobErrorMessage } from "../../src/core/protocol/message.ts";
import { Session } from "../../src/core/session/session.ts";
import { held, isCollected } from "../support/collected.ts";
import type { ScriptedPeer } from "../support/scripted-peer.ts";
import { type Stage, stage, watch } from "../support/stage.ts";

const HOUR = 3_600_000;

interface Traces {
  readonly data: WeakRef<object>;
  readonly job: WeakRef<object>;
  readonly call: WeakRef<object>;
}

/** Hands a job in whose parts are only held by what is tested. */
function submit(set: Stage, options: ExecuteOptions = {}): Traces {
  const data = new Uint8Array(1_000);
  const job = new Job(data, { name: "value" });
  const call = set.runner.submitter.submit(job, { deadline: HOUR, queueTimeout: HOUR, ...options }, () => undefined);
  return { data: new WeakRef(data), job: new WeakRef(job), call: new WeakRef(call) };
}

function failing(attemptId: number, retryAfter = 0): JobErrorMessage {
  const error = { name: "Busy", message: "", code: "", stack: "" };
  return { type: "JOBERR", attemptId, error, retryable: true, retryAfter };
}

/** What the test itself was told holds what it was told of; an error holds, by its trace, what was at work when it was made. */
function forget(set: Stage, peer?: ScriptedPeer): void {
  set.events.length = 0;
  if (peer !== undefined) peer.received.length = 0;
}

/** Sessions that are welcomed while `act` runs, weakly. */
async function sessionsOf(act: () => Promise<unknown>): Promise<WeakRef<object>[]> {
  const sessions: WeakRef<object>[] = [];
  const original = Object.getOwnPropertyDescriptor(Session.prototype, "welcome");
  const watched = vi.spyOn(Session.prototype, "welcome").mockImplementation(function (this: Session, ...given) {
    sessions.push(new WeakRef(this));
    Reflect.apply(original?.value as Session["welcome"], this, given);
  });
  try {
    await act();
  } finally {
    // Restored and forgotten: a spy remembers the sessions it was called on.
    watched.mockReset();
    watched.mockRestore();
  }
  return sessions;
}

describe("the collection", () => {
  it("tells what is held from what is not", async () => {
    const kept = {};
    const makeLost = (): WeakRef<object> => new WeakRef({});
    expect(await held({ kept: new WeakRef(kept), lost: makeLost() })).toEqual(["kept"]);
    expect(kept).toEqual({});
  });
});

describe("a call that has settled", () => {
  it.each<[string, (set: Stage, peer: ScriptedPeer) => Promise<Traces>]>([
    [
      "with a value",
      async (set, peer) => {
        const traces = submit(set);
        await set.clock.settle();
        peer.answer("");
        return traces;
      },
    ],
    [
      "with an error",
      async (set, peer) => {
        const traces = submit(set, { attempts: 1 });
        await set.clock.settle();
        peer.send(failing(1));
        return traces;
      },
    ],
    [
      "after a retry",
      async (set, peer) => {
        const traces = submit(set);
        await set.clock.settle();
        peer.send(failing(1, 1_000));
        await set.clock.advance(1_000);
        peer.answer("");
        return traces;
      },
    ],
    [
      "in the queue, before others that wait",
      async (set, peer) => {
        submit(set);
        const traces = submit(set, { queueTimeout: 10 });
        submit(set);
        await set.clock.advance(20);
        expect(peer.jobs).toHaveLength(1);
        return traces;
      },
    ],
    [
      "in backoff",
      async (set, peer) => {
        const controller = new AbortController();
        const traces = submit(set, { signal: controller.signal });
        await set.clock.settle();
        peer.send(failing(1, 30_000));
        await set.clock.settle();
        controller.abort();
        return traces;
      },
    ],
    [
      "as the first of two that are verified fails",
      async (set, peer) => {
        const traces = submit(set, { verify: 2, acquireTimeout: 50 });
        await set.clock.settle();
        peer.answer("");
        await set.clock.advance(100);
        return traces;
      },
    ],
  ])("%s is let go of by the runner and its worker", async (_name, act) => {
    await using set = await stage({ prefetch: 0 });
    const peer = await set.peer();
    const traces = await act(set, peer);
    await set.clock.settle();
    forget(set, peer);
    expect(await held({ ...traces })).toEqual([]);
  });

  it.each<[string, ExecuteOptions, number]>([
    ["abort", {}, 0],
    ["attempt timeout", { timeout: 50, attempts: 1 }, 50],
    ["deadline", { deadline: 50 }, 50],
  ])("by %s does not hold its job while its worker has yet to confirm that", async (_name, options, wait) => {
    await using set = await stage({ cancelGrace: HOUR, heartbeat: HOUR });
    const controller = new AbortController();
    const peer = await set.peer();
    const { data, job } = submit(set, { ...options, signal: controller.signal });
    await set.clock.advance(wait);
    if (wait === 0) controller.abort();
    await set.clock.settle();
    expect(peer.all("CANCEL")).toHaveLength(1);
    forget(set, peer);
    expect(await held({ data, job })).toEqual([]);
  });

  it("does not hold the next one while its worker has yet to confirm that it is cancelled", async () => {
    await using set = await stage({ cancelGrace: HOUR, heartbeat: HOUR, prefetch: 0 });
    const controller = new AbortController();
    const peer = await set.peer({ capacity: 2 });
    submit(set, { signal: controller.signal });
    const next = submit(set);
    await set.clock.settle();
    controller.abort();
    await set.clock.settle();
    peer.answer("");
    await set.clock.settle();
    forget(set, peer);
    expect(await held({ ...next })).toEqual([]);
  });

  it("does not hold its job while its promise is held, nor its result when that is not", async () => {
    await using set = await stage();
    await set.worker(() => new Uint8Array(1_000));
    const data = new WeakRef(new Uint8Array(1_000));
    const execute = (): Promise<unknown> => set.runner.execute(data.deref() ?? "");
    const promise = execute();
    const result = new WeakRef((await set.settle(promise)) as object);
    expect(await isCollected(data)).toBe(true);
    expect(await isCollected(result), "the promise holds it").toBe(false);
    expect(await promise).toHaveLength(1_000);
    const dropped = async (): Promise<WeakRef<object>> => new WeakRef((await set.settle(execute())) as object);
    expect(await isCollected(await dropped())).toBe(true);
  });

  it.each(["value", "abort"])("is not held by its signal, nor holds it, after its %s", async (end) => {
    await using set = await stage({ heartbeat: HOUR });
    const kept = new AbortController();
    const peer = await set.peer();
    const begin = (controller: AbortController): Traces => submit(set, { signal: controller.signal });
    const traces = begin(kept);
    await set.clock.settle();
    if (end === "value") peer.answer("");
    else kept.abort();
    await set.clock.settle();
    if (end === "abort") peer.send({ type: "CANCELLED", attemptId: 1 });
    await set.clock.settle();
    forget(set, peer);
    expect(await held({ ...traces })).toEqual([]);
    const temporary = async (): Promise<WeakRef<object>> => {
      const controller = new AbortController();
      begin(controller);
      await set.clock.settle();
      if (end === "value") peer.answer("");
      else controller.abort();
      await set.clock.settle();
      return new WeakRef(controller.signal);
    };
    const signal = await temporary();
    if (end === "abort") peer.send({ type: "CANCELLED", attemptId: 2 });
    await set.clock.settle();
    forget(set, peer);
    expect(await isCollected(signal)).toBe(true);
    expect(kept.signal.aborted).toBe(end === "abort");
  });

  it("is not held by its error, which its caller may keep, but for the call that made it", async () => {
    await using set = await stage();
    const { error, ...traces } = fail(set);
    await set.clock.advance(10);
    expect(error.current).toBeInstanceOf(TimeoutError);
    forget(set);
    const { data, job } = traces;
    expect(await held({ data, job })).toEqual([]);
    expect(error.current).toBeDefined();

    function fail({ runner }: Stage): Traces & { error: { current: unknown } } {
      const told: { current: unknown } = { current: undefined };
      const traced = new Job(new Uint8Array(1_000));
      const call = runner.submitter.submit(traced, { queueTimeout: 10 }, (settled) => (told.current = settled.error));
      return {
        data: new WeakRef(traced.data as Uint8Array),
        job: new WeakRef(traced),
        call: new WeakRef(call),
        error: told,
      };
    }
  });

  it("does not stay in the runner's events, which tell of its data", async () => {
    await using set = await stage();
    const peer = await set.peer();
    const traces = submit(set, { attempts: 1 });
    await set.clock.settle();
    peer.send(failing(1));
    await set.clock.settle();
    expect(set.of("job-settled")).toMatchObject([{ ok: false }]);
    forget(set, peer);
    expect(await held({ ...traces })).toEqual([]);
  });
});

describe("a map", () => {
  it.each([true, false])("holds no outcome that was read, ordered: %s", async (ordered) => {
    await using set = await stage();
    await set.worker(() => new Uint8Array(1_000));
    const input = function* (): Generator<Uint8Array> {
      for (let i = 0; i < 3; i++) yield new Uint8Array(10);
    };
    const results = set.runner.map(input(), { ordered });
    const readOne = async (): Promise<Record<string, WeakRef<object>>> => {
      const next = watch(results.next());
      for (let i = 0; i < 5; i++) await set.clock.settle();
      const outcome = next.value?.value as Outcome<Uint8Array>;
      if (!outcome.ok) throw outcome.error;
      return {
        outcome: new WeakRef(outcome),
        input: new WeakRef(outcome.input),
        value: new WeakRef(outcome.value as Uint8Array),
      };
    };
    expect(await held(await readOne())).toEqual([]);
    expect(await held(await readOne())).toEqual([]);
    await set.settle(results.return());
  });

  it("that was left holds neither its input nor what it had not read", async () => {
    await using set = await stage({ prefetch: 0 });
    await set.worker(() => new Uint8Array(1_000));
    const leave = async (): Promise<Record<string, WeakRef<object>>> => {
      const inputs = [new Uint8Array(10), new Uint8Array(10), new Uint8Array(10)];
      const results = set.runner.map(inputs);
      void results.next();
      for (let i = 0; i < 5; i++) await set.clock.settle();
      await set.settle(results.return());
      const each = inputs.map((input, index) => [`input ${index}`, new WeakRef<object>(input)] as const);
      return { ...Object.fromEntries(each), inputs: new WeakRef(inputs), results: new WeakRef(results) };
    };
    expect(await held(await leave())).toEqual([]);
  });
});

describe("a map that was left while it waited for room", () => {
  it("is let go of by a runner whose queue stays full", async () => {
    await using set = await stage({ maxQueue: 1, prefetch: 0, cancelGrace: HOUR, heartbeat: HOUR });
    await set.peer();
    const leave = async (): Promise<Record<string, WeakRef<object>>> => {
      const inputs = [new Uint8Array(10), new Uint8Array(10)];
      const results = set.runner.map(inputs, { timeout: 50, attempts: 1, concurrency: 1 });
      const first = watch(results.next());
      await set.clock.settle();
      submit(set);
      // The first one times out, which frees no slot: the second one finds the queue full.
      await set.clock.advance(50);
      expect(first.value).toMatchObject({ value: { ok: false, error: { kind: "attempt" } } });
      await set.settle(results.return());
      return { inputs: new WeakRef(inputs), results: new WeakRef(results) };
    };
    const traces = await leave();
    expect(set.runner.stats()).toMatchObject({ submitted: 2, queued: 1 });
    forget(set);
    expect(await held(traces)).toEqual([]);
  });
});

describe("a session that is gone", () => {
  it.each<[string, (set: Stage) => Promise<unknown>]>([
    ["idle", async () => undefined],
    [
      "with a job that waits for another worker",
      async (set) => {
        submit(set, { acquireTimeout: HOUR });
        await set.clock.settle();
      },
    ],
    [
      "with a job that is verified, of which it has given the first answer",
      async (set) => {
        submit(set, { verify: 2, acquireTimeout: HOUR });
        await set.clock.settle();
      },
    ],
    [
      "while it was held",
      async (set) => {
        const worker = await set.settle(set.runner.workers.acquire());
        watch(worker.execute("x"));
        await set.clock.settle();
        set.runner.workers.release(worker);
      },
    ],
  ])("is let go of: %s", async (name, act) => {
    await using set = await stage({ acquireTimeout: HOUR, prefetch: 0 });
    const live = async (): Promise<void> => {
      const peer = await set.peer();
      await act(set);
      if (name.includes("verified")) peer.answer("");
      await set.clock.settle();
      peer.close();
      await set.clock.advance(1_000);
    };
    const [session] = await sessionsOf(live);
    if (session === undefined) throw new Error("no session");
    expect(set.runner.stats().workers).toEqual([]);
    forget(set);
    expect(await isCollected(session)).toBe(true);
  });

  it("is let go of by a runner that has stopped, and so is what it ran", async () => {
    const set = await stage();
    let traces: Record<string, WeakRef<object>> = {};
    const sessions = await sessionsOf(async () => {
      await set.peer();
      traces = { ...submit(set) };
      await set.clock.settle();
      const drained = watch(set.runner.drain({ timeout: 10 }));
      await set.clock.advance(1_000);
      expect(drained.state).toBe("ok");
    });
    forget(set);
    expect(set.runner.state).toBe("stopped");
    for (const [index, session] of sessions.entries()) traces[`session ${index}`] = session;
    expect(Object.keys(traces)).toHaveLength(4);
    expect(await held({ ...traces })).toEqual([]);
    await set[Symbol.asyncDispose]();
  });
});
