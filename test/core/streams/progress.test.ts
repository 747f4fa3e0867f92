/** Progress on virtual time: what callers hear of it, how often, and what costs nothing. */
import { describe, expect, it } from "vitest";
import type { Payload } from "../../../src/core/peer.ts";
import type { JobContext } from "../../../src/core/worker/execution.ts";
import { FEATURE, SUPPORTED_FEATURES } from "../../../src/core/protocol/constants.ts";
import { type Stage, stage } from "../../support/stage.ts";

/** A handler that gives its context away, and ends when told. */
async function held(set: Stage): Promise<{ context: () => JobContext; end: (value: string) => void }> {
  const holder: { context?: JobContext; end?: (value: string) => void } = {};
  await set.worker((_job, context) => {
    holder.context = context;
    return new Promise((resolve) => (holder.end = resolve));
  });
  return {
    context: () => {
      if (holder.context === undefined) throw new Error("no job has begun");
      return holder.context;
    },
    end: (value) => holder.end?.(value),
  };
}

describe("progress", () => {
  it("is the latest report, ten times a second at most, and before the result", async () => {
    await using set = await stage();
    const heard: Payload[] = [];
    const { context, end } = await held(set);
    const call = await set.execute("", { onProgress: (value) => heard.push(value) });
    const tell = context();
    tell.progress("1");
    await set.clock.settle();
    expect(heard).toEqual(["1"]);
    for (let ms = 0; ms < 1_000; ms += 10) {
      tell.progress(`at ${ms}`);
      await set.clock.advance(10);
    }
    expect(heard.length).toBe(11);
    const bytes = Uint8Array.of(1);
    tell.progress(bytes);
    bytes[0] = 2;
    end("done");
    let seenBy: number | undefined;
    void Promise.resolve().then(() => (seenBy = heard.length));
    await set.clock.settle();
    expect(seenBy).toBeDefined();
    expect([heard.length, heard.at(-1), call.value]).toEqual([12, Uint8Array.of(1), "done"]);
    tell.progress("too late");
    await set.clock.advance(1_000);
    expect(heard.length).toBe(12);
  });

  it("is the latest one of a frame, however many a worker sends at once", async () => {
    await using set = await stage();
    const peer = await set.peer({ features: SUPPORTED_FEATURES });
    const heard: Payload[] = [];
    const options = { onProgress: (value: Payload): void => void heard.push(value) };
    const calls = [set.runner.execute("", options), set.runner.open("", options)];
    for (let attemptId = 1; attemptId <= 2; attemptId++) {
      await set.clock.settle();
      const reports = Array.from({ length: 100 }, (_, n) => ({
        type: "PROGRESS" as const,
        attemptId,
        value: `${attemptId}: ${n}`,
      }));
      peer.send(...reports, { type: "JOBRES", attemptId, value: "done" });
    }
    await set.clock.settle();
    expect([await Promise.all(calls), heard]).toEqual([
      ["done", "done"],
      ["1: 99", "2: 99"],
    ]);
  });

  it("comes before the caller goes on with the result", async () => {
    await using set = await stage();
    await set.worker((_job, context) => {
      context.progress("half");
      return "whole";
    });
    const order: Payload[] = [];
    const call = set.runner.execute("", { onProgress: (value) => order.push(value) });
    void call.then((value) => order.push(value));
    await set.clock.settle();
    expect(order).toEqual(["half", "whole"]);
  });

  it("is not asked for by a call that does not listen, and then costs no message", async () => {
    await using set = await stage();
    const { context, end } = await held(set);
    const call = await set.execute("");
    expect(context().wantsProgress).toBe(false);
    context().progress("nobody hears it");
    end("done");
    await set.clock.settle();
    expect(call.value).toBe("done");
    const peer = await set.peer({ features: SUPPORTED_FEATURES, labels: ["peer"] });
    await set.execute("", { require: ["peer"] });
    expect(peer.last("JOB").wantsProgress).toBeUndefined();
    peer.send({ type: "PROGRESS", attemptId: 1, value: "unasked" });
    await set.clock.settle();
    expect(peer.last("ERROR").text).toContain("was not asked for");
  });

  it("is not asked of a worker that does not speak of it", async () => {
    await using set = await stage();
    const peer = await set.peer({ features: FEATURE.streams });
    await set.execute("", { onProgress: () => undefined });
    expect(peer.last("JOB").wantsProgress).toBeUndefined();
    peer.answer("done");
    await set.clock.settle();
  });

  it.each([
    ["a number", 3, TypeError],
    ["a lone surrogate", "\uDC00", TypeError],
    ["over 8 KiB", "x".repeat(8_193), RangeError],
  ])("that is %s is refused where it is made", async (_name, value, kind) => {
    await using set = await stage();
    const { context, end } = await held(set);
    await set.execute("", { onProgress: () => undefined });
    expect(() => context().progress(value as Payload)).toThrow(kind);
    end("done");
    await set.clock.settle();
  });

  it("of a retried job is that of the attempt that runs; of an aborted one it is not heard", async () => {
    await using set = await stage();
    const heard: Payload[] = [];
    const aborter = new AbortController();
    const { context } = await held(set);
    const call = await set.execute("", { onProgress: (value) => heard.push(value), signal: aborter.signal });
    const tell = context();
    aborter.abort();
    tell.progress("late");
    await set.clock.settle();
    expect([heard, call.state]).toEqual([[], "failed"]);
  });

  it("is no sign of life: the timeout goes on", async () => {
    await using set = await stage();
    const { context } = await held(set);
    const call = await set.execute("", { timeout: 1_000, attempts: 1, onProgress: () => undefined });
    const tell = context();
    for (let n = 0; n < 10; n++) {
      tell.progress(String(n));
      await set.clock.advance(100);
    }
    expect(String(call.error)).toContain("took over 1000 ms");
  });

  it("that a listener throws at is an uncaught error, and nothing else", async () => {
    await using set = await stage();
    await set.worker((_job, context) => {
      context.progress("x");
      return "done";
    });
    const call = await set
      .execute("", {
        onProgress: () => {
          throw new Error("of the listener");
        },
      })
      .catch((error: unknown) => error);
    expect(String(call)).toContain("of the listener");
  });
});
