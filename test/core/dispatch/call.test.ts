/** One call: what it carries from attempt to attempt, in which order it is tried again, and what is left of it in the end. */
import { describe, expect, it } from "vitest";
import type { Clock } from "../../../src/core/time/clock.ts";
import type { AttemptRecord, PowerhoseError } from "../../../src/core/errors.ts";
import { EncodingError, ExecutionError, NoWorkerError, WorkerLostError } from "../../../src/core/errors.ts";
import type { Listener } from "../../../src/core/transport/listener.ts";
import type { JobErrorMessage, Message } from "../../../src/core/protocol/message.ts";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import type { Peer } from "../../../src/core/peer.ts";
import type { Socket } from "../../../src/core/transport/socket.ts";
import { hello, ScriptedPeer } from "../../support/scripted-peer.ts";
import { type Stage, stage, type Watched, watch } from "../../support/stage.ts";

/** A JOBERR that asks for another attempt, `after` ms from now. */
function busy(attemptId: number, after: number): JobErrorMessage {
  const error = { name: "Busy", message: "", code: "", stack: "" };
  return { type: "JOBERR", attemptId, error, retryable: true, retryAfter: after };
}

function rejected(attemptId: number): Message {
  return { type: "REJECT", attemptId, reason: "overloaded" };
}

/** The attempts that a failed call tells of. */
function attempts(call: Watched<unknown>): readonly AttemptRecord[] {
  return (call.error as PowerhoseError).attempts;
}

const LOST = [{ identity: "w", outcome: "lost", ms: 30 }];

/** A set in which a job has been lost after 30 ms with its only worker, at a time other than 0. */
async function lostOnce(set: Stage, options: Parameters<Stage["execute"]>[1]): Promise<Watched<unknown>> {
  await set.clock.advance(1_000);
  const peer = await set.peer({ identity: "w" });
  const call = await set.execute("x", options);
  await set.clock.advance(30);
  peer.close();
  await set.clock.advance(50);
  return call;
}

describe("the attempts a failed call tells of", () => {
  it("come with a timeout while nobody is registered", async () => {
    await using set = await stage();
    const call = await lostOnce(set, { acquireTimeout: 500 });
    await set.clock.advance(500);
    expect(call.error).toMatchObject({ kind: "acquire", ms: 500 });
    expect(attempts(call)).toEqual(LOST);
  });

  it("come with a timeout in the queue", async () => {
    await using set = await stage();
    const call = await lostOnce(set, { queueTimeout: 500 });
    await set.clock.advance(500);
    expect(call.error).toMatchObject({ kind: "queue", ms: 500 });
    expect(attempts(call)).toEqual(LOST);
  });

  it("come with the wish to fail fast", async () => {
    await using set = await stage();
    const call = await lostOnce(set, { failFast: true });
    expect(call.error).toBeInstanceOf(NoWorkerError);
    expect(attempts(call)).toEqual(LOST);
  });

  it("come with a signal that gives no reason", async () => {
    await using set = await stage();
    const controller = new AbortController();
    Object.defineProperty(controller.signal, "reason", { value: undefined });
    const call = await lostOnce(set, { signal: controller.signal });
    controller.abort();
    await set.clock.settle();
    expect(call.error).toMatchObject({ code: "ABORTED", reason: "cancelled" });
    expect(attempts(call)).toEqual(LOST);
    expect(String(call.error)).toBe("AbortError: aborted");
    const again = await set.execute("y", { signal: controller.signal });
    expect(again.error).toMatchObject({ code: "ABORTED", reason: "cancelled", message: "aborted" });
  });

  it("tell of one that was cancelled", async () => {
    await using set = await stage();
    const peer = await set.peer({ identity: "w" });
    const controller = new AbortController();
    Object.defineProperty(controller.signal, "reason", { value: undefined });
    const call = await set.execute("x", { signal: controller.signal });
    await set.clock.advance(20);
    controller.abort();
    await set.clock.settle();
    expect(attempts(call)).toEqual([{ identity: "w", outcome: "cancelled", ms: 20 }]);
    peer.send({ type: "CANCELLED", attemptId: 1 });
    await set.clock.settle();
  });

  it("are the first 64 when there are many", async () => {
    await using set = await stage();
    const peer = await set.peer();
    const call = await set.execute("x", { timeout: 60_000 });
    for (let i = 1; i <= 70; i++) {
      peer.send(rejected(i));
      await set.clock.advance(2_000);
      peer.send({ type: "PING", nonce: 0 });
    }
    peer.send({ ...busy(71, 0), retryable: false });
    await set.clock.settle();
    expect(call.error).toBeInstanceOf(ExecutionError);
    expect(attempts(call).map(({ outcome }) => outcome)).toEqual(Array.from({ length: 64 }, () => "rejected"));
  });
});

describe("what is told of a retry", () => {
  it("is the latest outcome, and how many attempts were made", async () => {
    await using set = await stage();
    const peer = await set.peer({ identity: "a", capacity: 2 });
    await set.execute("x", { timeout: 100 });
    peer.send(rejected(1));
    await set.clock.settle();
    peer.send(busy(2, 40));
    await set.clock.advance(50);
    await set.clock.advance(100);
    expect(set.of("job-retried")).toMatchObject([
      { jobId: expect.stringMatching(/:1$/) as unknown, attempt: 0, outcome: "rejected", after: 0 },
      { jobId: expect.stringMatching(/:1$/) as unknown, attempt: 1, outcome: "error" },
      { jobId: expect.stringMatching(/:1$/) as unknown, attempt: 2, outcome: "timeout" },
    ]);
    // What was handed back is no retry: its handler had not started.
    expect(set.runner.stats()).toMatchObject({ retries: 2, returned: 1 });
  });

  it("names the worker and the limit of an attempt that took too long", async () => {
    await using set = await stage();
    await set.peer({ identity: "slow" });
    const call = await set.execute("x", { timeout: 100, attempts: 1 });
    await set.clock.advance(100);
    expect(String(call.error)).toBe("TimeoutError: attempt 1 on slow took over 100 ms");
  });
});

describe("a failed call", () => {
  it("is counted and told as failed", async () => {
    await using set = await stage();
    const peer = await set.peer();
    await set.clock.advance(1_000);
    const call = await set.execute("x", { timeout: 100, attempts: 1 });
    await set.clock.advance(100);
    peer.send({ type: "CANCELLED", attemptId: 1 });
    await set.clock.settle();
    expect(set.runner.stats()).toMatchObject({ submitted: 1, succeeded: 0, failed: 1 });
    expect(set.of("job-settled")).toEqual([
      {
        type: "job-settled",
        jobId: expect.stringMatching(/:1$/) as unknown,
        ms: 100,
        attempts: 1,
        ok: false,
        identity: "scripted",
        labels: [],
        headers: new Map(),
        error: call.error,
        data: "x",
      },
    ]);
  });

  it("says what became of bytes that cannot be read any more", async () => {
    await using set = await stage();
    const peer = await set.peer();
    await set.execute("first");
    const bytes = new Uint8Array(4);
    const call = await set.execute(bytes);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    peer.answer("");
    await set.clock.settle();
    expect(call.error).toBeInstanceOf(EncodingError);
    expect(call.error).toMatchObject({ offset: -1, cause: expect.any(TypeError) as unknown });
  });

  it("leaves no one in line", async () => {
    await using set = await stage();
    const controller = new AbortController();
    await set.execute("x", { signal: controller.signal });
    expect(set.runner.workers.waiting).toBe(1);
    controller.abort(new Error("enough"));
    expect(set.runner.workers.waiting).toBe(0);
    await set.clock.settle();
  });
});

describe("a job that is tried again", () => {
  it("goes before those that have not started, after its pause", async () => {
    await using set = await stage();
    const peer = await set.peer();
    await set.execute("again");
    await set.execute("b");
    await set.execute("c");
    peer.send(busy(1, 100));
    await set.clock.advance(150);
    peer.answer("");
    await set.clock.settle();
    expect(peer.jobs).toEqual(["again", "b", "again"]);
  });

  it("goes before those that have not started, in the same step, when it was handed back", async () => {
    await using set = await stage();
    const peer = await set.peer();
    await set.execute("again");
    await set.execute("b");
    const seen: number[] = [];
    set.runner.on((event) => {
      if (event.type === "job-retried") seen.push(set.runner.stats().backoff);
    });
    peer.send(rejected(1));
    await set.clock.settle();
    expect(peer.jobs).toEqual(["again", "again"]);
    expect(seen).toEqual([0]);
  });

  it("goes to a worker that has not had it, though the one that had it waited longer", async () => {
    await using set = await stage();
    const first = await set.peer({ identity: "first" });
    const second = await set.peer({ identity: "second" });
    await set.execute("again");
    await set.execute("other");
    expect([first.jobs, second.jobs]).toEqual([["again"], ["other"]]);
    first.send(busy(1, 100));
    await set.clock.advance(50);
    second.answer("");
    await set.clock.advance(100);
    expect([first.jobs, second.jobs]).toEqual([["again"], ["other", "again"]]);
  });

  it("goes back to the one that had it rather than wait", async () => {
    await using set = await stage();
    const first = await set.peer({ identity: "first" });
    await set.peer({ identity: "second" });
    await set.execute("again");
    await set.execute("other");
    first.send(busy(1, 100));
    await set.clock.advance(150);
    expect(first.jobs).toEqual(["again", "again"]);
  });
});

/** A listener whose one connection takes no frame any more once it is `full`, and closes when it is `cut`. */
class Narrow implements Listener {
  readonly address = "narrow";
  full = false;
  cut: () => void = () => undefined;
  #accept: (socket: Socket) => void = () => undefined;

  async start(accept: (socket: Socket) => void): Promise<void> {
    this.#accept = accept;
  }
  async stop(): Promise<void> {}
  connect(clock: Clock): ScriptedPeer {
    const peer: Peer = { transport: "narrow", address: "", principal: "local" };
    const [ours, theirs] = socketPair({ clock, peers: [peer, peer], maxFrameBytes: 1_000_000 });
    this.#accept({
      peer,
      faults: "stream",
      bufferedBytes: 0,
      send: (frame) => !this.full && ours.send(frame),
      close: () => ours.close(),
      open: (receiver) => {
        this.cut = (): void => receiver.closed({ code: "error", message: "reset" });
        ours.open(receiver);
      },
    });
    return new ScriptedPeer(theirs);
  }
}

describe("the queueTimeout", () => {
  /** A job that has waited 200 of its 300 ms when its worker, which is leaving, ends its first attempt. */
  async function attempted(set: Stage, end: (id: number) => Message): Promise<Watched<unknown>> {
    await set.clock.advance(5_000);
    const peer = await set.peer({ identity: "a" });
    await set.execute("first");
    const call = await set.execute("x", { queueTimeout: 300 });
    await set.clock.advance(200);
    peer.answer("");
    await set.clock.settle();
    expect(peer.jobs).toEqual(["first", "x"]);
    peer.send({ type: "REMOVE" }, end(2));
    await set.clock.settle();
    return call;
  }

  it("covers one stay, which being handed back does not end", async () => {
    await using set = await stage();
    const call = await attempted(set, rejected);
    await set.clock.advance(99);
    expect(call.state).toBe("pending");
    await set.clock.advance(1);
    expect(call.error).toMatchObject({ kind: "queue", ms: 300 });
  });

  it("begins anew after an attempt", async () => {
    await using set = await stage();
    const call = await attempted(set, (id) => busy(id, 50));
    await set.clock.advance(349);
    expect(call.state).toBe("pending");
    await set.clock.advance(1);
    expect(call.error).toMatchObject({ kind: "queue", ms: 300 });
  });

  it("goes on when the connection closes before the job has left", async () => {
    const narrow = new Narrow();
    await using set = await stage({ listen: narrow });
    const call = await set.execute("x", { queueTimeout: 300 });
    await set.clock.advance(200);
    const peer = narrow.connect(set.clock);
    peer.send(hello());
    narrow.full = true;
    await set.clock.settle();
    expect(set.runner.stats().running).toBe(1);
    narrow.cut();
    await set.clock.advance(99);
    expect(call.state).toBe("pending");
    expect(set.of("job-retried")).toMatchObject([{ attempt: 0, outcome: "not-sent", after: 0 }]);
    await set.clock.advance(1);
    expect(call.error).toMatchObject({ kind: "queue", attempts: [{ outcome: "not-sent" }] });
    peer.close();
    await set.clock.settle();
  });

  it("ends the pause of a job that is handed back again and again, at whatever time it began", async () => {
    await using set = await stage();
    await set.clock.advance(100_000);
    const peer = await set.peer();
    const call = await set.execute("x", { queueTimeout: 300 });
    for (let ms = 0, answered = 0; ms < 299; ms++) {
      while (answered < peer.jobs.length) {
        peer.send(rejected(++answered));
        await set.clock.settle();
      }
      await set.clock.advance(1);
    }
    expect([call.state, set.runner.stats().backoff]).toEqual(["pending", 1]);
    await set.clock.advance(1);
    expect(call.error).toMatchObject({ kind: "queue", ms: 300 });
  });
});

describe("without a limit of time", () => {
  it("an attempt runs beyond the longest timer of the host", async () => {
    await using set = await stage({ heartbeat: 2 ** 30 });
    const peer = await set.peer();
    const call = await set.execute("x", { timeout: Infinity });
    await set.clock.advance(2 ** 31 + 10);
    expect(call.state).toBe("pending");
    peer.answer("y");
    await set.clock.settle();
    expect(call.value).toBe("y");
  });
});

describe("a deadline", () => {
  it("that is reached as a slot comes free is over: the job does not start", async () => {
    await using set = await stage();
    const peer = await set.peer();
    await set.execute("first");
    const late = await set.execute("late", { deadline: 100 });
    set.clock.jump(100);
    peer.answer("");
    await set.clock.settle();
    expect(late.error).toMatchObject({ kind: "deadline" });
    expect(peer.jobs).toEqual(["first"]);
  });

  it("cuts a pause, at whatever time it began", async () => {
    // The longest pause there is: just under 50 ms.
    await using set = await stage({ random: { u32: () => 0xffff_ffff, id: () => "i" } });
    await set.clock.advance(10_000);
    const peer = await set.peer();
    const call = await set.execute("x", { deadline: 40 });
    peer.send(busy(1, 0));
    await set.clock.advance(39);
    expect(call.state).toBe("pending");
    await set.clock.advance(1);
    expect(call.error).toMatchObject({ kind: "deadline", ms: 40 });
  });

  it.each([
    [699, "pending"],
    [700, "failed"],
  ])("leaves room for a pause of %i ms asked for 100 ms after its beginning, or not: %s", async (after, state) => {
    await using set = await stage();
    await set.clock.advance(10_000);
    const peer = await set.peer();
    const call = await set.execute("x", { deadline: 800 });
    await set.clock.advance(100);
    peer.send(busy(1, after));
    await set.clock.settle();
    expect(call.state).toBe(state);
  });
});

describe("a job for a worker that is held", () => {
  it("fails when its worker went before the job was sent", async () => {
    await using set = await stage();
    const peer = await set.peer({ identity: "w" });
    const held = await set.settle(set.runner.workers.acquire());
    peer.close();
    await set.clock.settle();
    const call = watch(held.execute("x"));
    await set.clock.settle();
    expect(call.error).toBeInstanceOf(WorkerLostError);
    expect(String(call.error)).toBe("WorkerLostError: worker w is gone");
    set.runner.workers.release(held);
  });

  it("fails when the connection closed before the job was sent", async () => {
    const narrow = new Narrow();
    await using set = await stage({ listen: narrow });
    const peer = narrow.connect(set.clock);
    peer.send(hello({ identity: "w" }));
    await set.clock.settle();
    const held = await set.settle(set.runner.workers.acquire());
    narrow.full = true;
    const call = watch(held.execute("x"));
    await set.clock.settle();
    narrow.cut();
    await set.clock.settle();
    expect(String(call.error)).toBe("WorkerLostError: worker w went before the job was sent");
    set.runner.workers.release(held);
    peer.close();
    await set.clock.settle();
  });
});
