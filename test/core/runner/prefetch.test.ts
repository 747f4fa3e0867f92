/** Sending ahead, at the runner: to whom, which jobs, in which order. */
import { describe, expect, it } from "vitest";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { Job } from "../../../src/core/job/job.ts";
import { FEATURE } from "../../../src/core/protocol/constants.ts";
import type { JobMessage } from "../../../src/core/protocol/message.ts";
import { hello, type ScriptedPeer } from "../../support/scripted-peer.ts";
import { jobNumber, Puppet, type Stage, stage } from "../../support/stage.ts";
import { answer, eager, Gate, hold, jobOf, letGo, practise, reject, submit } from "./prefetch-scene.ts";

describe("who is sent jobs ahead", () => {
  it("a worker that takes them, as many as it was told to", async () => {
    await using set = await stage({ prefetch: 2 });
    const peer = await eager(set);
    await submit(set, "a b c d e");
    expect(peer.jobs).toEqual(["a", "b", "c"]);
    await answer(set, peer, "a");
    expect(peer.jobs).toEqual(["a", "b", "c", "d"]);
  });

  it("as many as the worker takes, when that is less", async () => {
    await using set = await stage({ prefetch: 256 });
    const peer = await eager(set, { prefetchLimit: 1, capacity: 2 });
    await submit(set, "a b c d e");
    expect(peer.jobs).toEqual(["a", "b", "c"]);
  });

  it("nobody with `prefetch: 0`", async () => {
    await using set = await stage({ prefetch: 0 });
    const peer = await eager(set);
    await practise(set, peer, 100, 0.01, 1);
    await submit(set, "a b");
    expect(peer.jobs.slice(100)).toEqual(["a"]);
  });

  it("no worker whose HELLO does not speak of it", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await set.peer();
    await submit(set, "a b c");
    expect(peer.jobs).toEqual(["a"]);
  });

  it("nobody while a slot is free anywhere in the fleet", async () => {
    await using set = await stage({ prefetch: 8 });
    const one = await eager(set, { identity: "one" });
    const other = await eager(set, { identity: "other", capacity: 3 });
    await submit(set, "a b c d");
    expect([one.jobs.length, other.jobs.length]).toEqual([1, 3]);
    await submit(set, "e");
    expect(one.jobs.length + other.jobs.length).toBe(5);
    expect(set.runner.stats().prefetched).toBe(1);
  });

  it("goes on with one worker until it has its share, then with the next", async () => {
    await using set = await stage({ prefetch: 2 });
    const one = await eager(set, { identity: "one" });
    const other = await eager(set, { identity: "other" });
    await submit(set, "a b c d e f g");
    expect([one.jobs, other.jobs]).toEqual([
      ["a", "c", "d"],
      ["b", "e", "f"],
    ]);
  });

  it("no worker that somebody holds, nor one he waits for", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    const held = await hold(set);
    await submit(set, "a b");
    expect(peer.jobs).toEqual([]);
    const other = await eager(set, { identity: "other" });
    expect([peer.jobs, other.jobs]).toEqual([[], ["a", "b"]]);
    set.runner.workers.release(held);
    await set.clock.advance(1);
    expect(peer.jobs).toEqual([]);
    await answer(set, other, "a");
  });

  it("no worker of several slots of which one is held", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set, { capacity: 2 });
    const held = await hold(set);
    await submit(set, "a b c");
    expect(peer.jobs).toEqual(["a"]);
    await letGo(set, held);
    expect(peer.jobs).toEqual(["a", "b", "c"]);
  });

  it("no worker while `getContext` runs on it, and again afterwards", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    let leave = (): void => undefined;
    const context = set.runner.workers.getContext(() => new Promise<void>((resolve) => (leave = resolve)));
    await set.clock.settle();
    await submit(set, "a b c");
    expect(peer.jobs).toEqual([]);
    leave();
    await set.settle(context);
    expect(peer.jobs).toEqual(["a", "b", "c"]);
  });

  it("no suspect one", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    await submit(set, "a");
    await set.clock.advance(10_100);
    expect(set.of("worker-suspect")).toHaveLength(1);
    await submit(set, "b");
    expect(peer.jobs).toEqual(["a"]);
    peer.send({ type: "PING", nonce: 1 });
    await set.clock.settle();
    expect(peer.jobs).toEqual(["a", "b"]);
  });

  it("no congested one, and again once it has read", async () => {
    const clock = new VirtualClock();
    const listener = new Gate(clock);
    await using set = await stage({ prefetch: 8, highWater: 1_000, clock, listen: listener });
    Object.defineProperty(set, "clock", { value: clock });
    const peer = listener.connect();
    peer.send(hello({ prefetchLimit: 256 }));
    await clock.settle();
    await submit(set, "a b");
    expect(peer.jobs).toEqual(["a", "b"]);
    listener.backlog = 1_001;
    await submit(set, "c");
    expect(peer.jobs, "it was this one that was noticed").toEqual(["a", "b", "c"]);
    await submit(set, "d");
    await answer(set, peer, "a");
    expect(peer.jobs).toEqual(["a", "b", "c"]);
    listener.backlog = 0;
    await clock.advance(100);
    expect(peer.jobs).toEqual(["a", "b", "c", "d"]);
  });

  it("none at which many bytes wait already, whatever its transport says of them", async () => {
    await using set = await stage({ prefetch: 8, highWater: 1_000 });
    const peer = await eager(set);
    const calls = "a b c d e f g h".split(" ").map((name) => name.repeat(400));
    await submit(set, calls.join(" "));
    const sent = (): string => peer.jobs.map((data) => data[0]).join("");
    expect(sent(), "the last but one went over it").toBe("abcde");
    await answer(set, peer, calls[0] ?? "");
    expect(sent(), "three wait").toBe("abcde");
    await answer(set, peer, calls[1] ?? "");
    expect(sent(), "two did").toBe("abcdefg");
    await reject(set, peer, "overloaded", calls[4] ?? "");
    expect(sent(), "three wait").toBe("abcdefg");
    await answer(set, peer, calls[2] ?? "");
    expect(sent(), "two did").toBe("abcdefgeh");
  });

  it("no draining one", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    await submit(set, "a");
    peer.send({ type: "REMOVE" });
    await set.clock.settle();
    await submit(set, "b", { acquireTimeout: 100 });
    expect(peer.jobs).toEqual(["a"]);
  });
});

describe("who is sent jobs ahead by measure", () => {
  it("nobody before 32 jobs were measured", async () => {
    await using set = await stage();
    const peer = await eager(set);
    await practise(set, peer, 31, 0.01, 1);
    await submit(set, "a b c");
    expect(peer.jobs.slice(31)).toEqual(["a"]);
    await set.clock.advance(1);
    await answer(set, peer, "a", 0.01);
    expect(peer.jobs.slice(31), "the 32nd").toEqual(["a", "b", "c"]);
  });

  it("at most 128, however short the jobs", async () => {
    await using set = await stage();
    const peer = await eager(set);
    await practise(set, peer, 40, 0, 1);
    for (let n = 0; n < 150; n++) await set.execute(`${n}`);
    expect(peer.jobs).toHaveLength(40 + 1 + 128);
  });

  it("nobody whose jobs take more than the way to him and back", async () => {
    await using set = await stage();
    const peer = await eager(set);
    await practise(set, peer, 40, 2, 1.5);
    await submit(set, "a b");
    expect(peer.jobs.slice(40)).toEqual(["a"]);
  });

  it("nobody who does not say what his jobs took", async () => {
    await using set = await stage();
    const peer = await eager(set);
    for (let n = 0; n < 40; n++) {
      await submit(set, "practice");
      await set.clock.advance(1);
      await answer(set, peer, "practice");
    }
    await submit(set, "a b");
    expect(peer.jobs.slice(40)).toEqual(["a"]);
  });

  it("each by its own pace", async () => {
    await using set = await stage();
    const quick = await eager(set, { identity: "quick" });
    await practise(set, quick, 40, 0.1, 1);
    const fresh = await eager(set, { identity: "fresh" });
    await submit(set, "a b c d");
    expect(fresh.jobs).toHaveLength(1);
    expect(quick.jobs.slice(40)).toHaveLength(3);
  });

  it("no more because answers come together: one waits at the worker for those behind it", async () => {
    await using set = await stage();
    const peer = await eager(set);
    await practise(set, peer, 40, 0.05, 0.06);
    for (let n = 0; n < 200; n++) {
      const calls = await submit(set, "first second");
      await set.clock.advance(0.16);
      const answers = peer.all("JOB").slice(-2);
      peer.send(
        ...answers.map(({ attemptId }) => ({ type: "JOBRES" as const, attemptId, value: "", durationMs: 0.05 })),
      );
      await set.clock.settle();
      expect(calls.map(({ state }) => state)).toEqual(["ok", "ok"]);
    }
    await submit(set, "a b c d");
    expect(peer.jobs.slice(440)).toEqual(["a", "b"]);
  });

  it("no longer, once a long job was among them", async () => {
    await using set = await stage();
    const peer = await eager(set);
    await practise(set, peer, 100, 0.1, 1);
    await practise(set, peer, 1, 100, 1);
    await submit(set, "a b");
    expect(peer.jobs.slice(101)).toEqual(["a"]);
  });
});

describe("which jobs are prefetched", () => {
  it.each([{ attempts: 1 }, { maxLost: 1 }])(
    "none with %o, and it stops those behind it in the queue",
    async (options) => {
      await using set = await stage({ prefetch: 8 });
      const peer = await eager(set);
      await submit(set, "a b");
      await submit(set, "once", options);
      await submit(set, "c d");
      expect(peer.jobs).toEqual(["a", "b"]);
      await answer(set, peer, "a");
      expect(peer.jobs, "b has the slot").toEqual(["a", "b"]);
      await answer(set, peer, "b");
      expect(peer.jobs).toEqual(["a", "b", "once", "c", "d"]);
    },
  );

  it("none that has failed before", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    await submit(set, "a");
    peer.send({
      type: "JOBERR",
      attemptId: jobOf(peer, "a").attemptId,
      error: { name: "Error", message: "busy", code: "", stack: "" },
      retryable: true,
      retryAfter: 0,
    });
    await submit(set, "b c");
    await set.clock.advance(100);
    await submit(set, "d");
    expect(peer.jobs, "it waits at the head, and nobody passes it").toEqual(["a", "b", "c"]);
    await answer(set, peer, "b");
    expect(peer.jobs).toEqual(["a", "b", "c"]);
    await answer(set, peer, "c");
    expect(peer.jobs).toEqual(["a", "b", "c", "a", "d"]);
  });

  it("none of a caller who waits to hold a worker, who is not passed either", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    await submit(set, "a");
    const acquired = set.runner.workers.acquire();
    await submit(set, "b c");
    expect(peer.jobs).toEqual(["a"]);
    await answer(set, peer, "a");
    const held = await set.settle(acquired);
    expect(peer.jobs).toEqual(["a"]);
    await letGo(set, held);
    expect(peer.jobs).toEqual(["a", "b", "c"]);
  });

  it("those of a leased worker wait for its slot", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    const held = await hold(set);
    const calls = [held.execute("a"), held.execute("b")];
    await set.clock.settle();
    expect(peer.jobs).toEqual(["a"]);
    await answer(set, peer, "a");
    await answer(set, peer, "b");
    expect(await Promise.all(calls)).toEqual(["A", "B"]);
    await letGo(set, held);
  });
});

describe("a job that was prefetched", () => {
  it("counts as queued, and as `prefetched`, and in its worker's `waiting`, until its turn has come", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    const [, b] = await submit(set, "a b c");
    expect(set.runner.stats()).toMatchObject({ queued: 2, prefetched: 2, running: 1 });
    expect(set.runner.stats().workers).toMatchObject([{ inFlight: 1, waiting: 2, state: "busy" }]);
    expect(set.of("job-started").map(jobNumber)).toEqual([1]);
    await answer(set, peer, "a");
    expect(set.runner.stats()).toMatchObject({ queued: 1, prefetched: 1, running: 1, succeeded: 1 });
    expect(set.runner.stats().workers).toMatchObject([{ inFlight: 1, waiting: 1 }]);
    expect(set.of("job-started")).toMatchObject([
      { jobId: expect.stringMatching(/:1$/) as unknown, attempt: 1, identity: "eager" },
      { jobId: expect.stringMatching(/:2$/) as unknown, attempt: 1, identity: "eager" },
    ]);
    expect(b?.state).toBe("pending");
    await answer(set, peer, "b");
    await answer(set, peer, "c");
    expect(set.runner.stats()).toMatchObject({ queued: 0, prefetched: 0, running: 0, succeeded: 3 });
    expect(set.runner.stats().workers).toMatchObject([{ inFlight: 0, waiting: 0, state: "idle" }]);
    expect(b).toMatchObject({ state: "ok", value: "B" });
  });

  it("counts for `maxQueue`", async () => {
    await using set = await stage({ prefetch: 2, maxQueue: 3 });
    await eager(set);
    await submit(set, "a b c d");
    expect(set.runner.stats()).toMatchObject({ queued: 3, prefetched: 2 });
    const refused = await set.execute("e");
    expect(refused.error).toMatchObject({ code: "QUEUE_FULL" });
  });

  it("is given to the slot of whichever of several jobs ends first, in the order of sending", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set, { capacity: 2 });
    await submit(set, "a b c d");
    await answer(set, peer, "b");
    expect(set.of("job-started").map(jobNumber)).toEqual([1, 2, 3]);
    await answer(set, peer, "c");
    expect(set.of("job-started").map(jobNumber)).toEqual([1, 2, 3, 4]);
    await answer(set, peer, "d");
    await answer(set, peer, "a");
    expect(set.runner.stats()).toMatchObject({ succeeded: 4, queued: 0 });
  });

  it("may be one of a `map`, which then gives out as many as there is room for", async () => {
    await using set = await stage({ prefetch: 3 });
    const peer = await eager(set);
    const outcomes = set.runner.map(["a", "b", "c", "d", "e", "f", "g", "h"]);
    const first = outcomes.next();
    await set.clock.settle();
    expect(peer.jobs).toEqual(["a", "b", "c", "d"]);
    await answer(set, peer, "a");
    expect((await set.settle(first)).value).toMatchObject({ ok: true, value: "A" });
    await set.settle(outcomes.return());
  });

  it.each(["JOBRES", "JOBERR"] as const)(
    "breaks the protocol when it is answered with %s out of turn",
    async (type) => {
      await using set = await stage({ prefetch: 8 });
      const peer = await eager(set);
      const [a, b, c] = await submit(set, "a b c");
      const { attemptId } = jobOf(peer, "c");
      const error = { name: "Error", message: "", code: "", stack: "" };
      peer.send(
        type === "JOBRES"
          ? { type, attemptId, value: "" }
          : { type, attemptId, error, retryable: false, retryAfter: 0 },
      );
      await set.clock.settle();
      expect(peer.last("ERROR").code).toBe("PROTOCOL");
      expect(set.of("worker-gone")).toMatchObject([{ reason: "violation" }]);
      expect([a?.state, b?.state, c?.state]).toEqual(["pending", "pending", "pending"]);
      const other = await eager(set, { identity: "other" });
      await set.clock.advance(2_000);
      for (const data of ["a", "b", "c"]) await answer(set, other, String(other.jobs.at(-1) ?? data));
      expect([a?.state, b?.state, c?.state]).toEqual(["ok", "ok", "ok"]);
    },
  );

  it("does not exist for a peer whose JOB still waits for the end of the turn", async () => {
    await using set = await stage({ prefetch: 8 });
    const peer = await eager(set);
    await submit(set, "a");
    // The answer to the first makes room; the answer to the next, in the same frame, is to one that has not left.
    await submit(set, "once", { attempts: 1 });
    peer.send({ type: "JOBRES", attemptId: 1, value: "" }, { type: "JOBRES", attemptId: 2, value: "guessed" });
    await set.clock.settle();
    expect(peer.last("ERROR").text).toMatch(/never made/);
  });
});

describe("the option", () => {
  it.each([-1, 257, 1.5, Number.NaN, "always", true, null])("is not %o", (prefetch) => {
    expect(() => new JobRunner({ prefetch } as never)).toThrow(/`prefetch`/);
  });

  it("is auto by itself, and real workers are prefetched by what they say their jobs take", async () => {
    await using set = await stage();
    const puppet = new Puppet();
    await set.worker(puppet.handler);
    for (let n = 0; n < 40; n++) {
      await submit(set, "practice");
      puppet.runs.at(-1)?.end("");
      await set.clock.settle();
    }
    // Nothing takes any time here, the way neither: no reason to send anything ahead.
    await submit(set, "a b");
    expect(set.runner.stats()).toMatchObject({ prefetched: 0, queued: 1 });
    puppet.runs.at(-1)?.end("");
    await set.clock.settle();
    puppet.runs.at(-1)?.end("");
    await set.clock.settle();
  });
});

describe("tasks of a worker that are short and long", () => {
  /** Runs a job of a task on the worker to its end. */
  async function runOne(set: Stage, peer: ScriptedPeer, task: string, ran: number): Promise<void> {
    const call = await set.execute(new Job(new Uint8Array([1])).forTask(task));
    await set.clock.advance(ran + 1);
    peer.send({ type: "JOBRES", attemptId: lastOf(peer).attemptId, value: new Uint8Array(), durationMs: ran });
    await set.clock.settle();
    expect(call.state).toBe("ok");
  }

  function lastOf(peer: ScriptedPeer): JobMessage {
    const last = peer.all("JOB").at(-1);
    if (last === undefined) throw new Error("no job");
    return last;
  }

  it("short ones are prefetched behind each other, and nothing behind a long one", async () => {
    await using set = await stage();
    const peer = await eager(set, { features: FEATURE.tasks, labels: ["task:long", "task:short"] });
    for (let n = 0; n < 40; n++) {
      await runOne(set, peer, "short", 0.1);
      await runOne(set, peer, "long", 20);
    }
    const before = peer.all("JOB").length;
    for (const task of ["short", "short", "long", "short", "short"])
      await set.execute(new Job(new Uint8Array([2])).forTask(task));
    const sent = (): (string | undefined)[] =>
      peer
        .all("JOB")
        .slice(before)
        .map(({ job }) => job.task);
    expect(sent()).toEqual(["short", "short", "long"]);
    const answerNext = async (at: number, ran: number): Promise<void> => {
      const attemptId = peer.all("JOB")[before + at]?.attemptId ?? 0;
      peer.send({ type: "JOBRES", attemptId, value: new Uint8Array(), durationMs: ran });
      await set.clock.settle();
    };
    await answerNext(0, 0.1);
    await answerNext(1, 0.1);
    expect(sent(), "the long one runs").toEqual(["short", "short", "long"]);
    await answerNext(2, 20);
    expect(sent()).toEqual(["short", "short", "long", "short", "short"]);
  });
});
