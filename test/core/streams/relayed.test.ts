/** Streams and progress behind one and two relays, and what a worker may not send. */
import { describe, expect, it } from "vitest";
import { WorkerLostError } from "../../../src/core/errors.ts";
import type { PayloadStream } from "../../../src/core/job/payload-stream.ts";
import type { Payload } from "../../../src/core/peer.ts";
import { SUPPORTED_FEATURES } from "../../../src/core/protocol/constants.ts";
import type { Message } from "../../../src/core/protocol/message.ts";
import { relay } from "../../../src/core/relay.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { type Stage, stage, watch } from "../../support/stage.ts";

async function streamOf(set: Stage, ...given: Parameters<Stage["runner"]["open"]>): Promise<PayloadStream> {
  const opened = watch(set.runner.open(...given));
  await set.clock.settle();
  const { value, error } = opened;
  if (typeof value !== "object" || !("next" in value)) throw new Error("no stream", { cause: error ?? value });
  return value;
}

/** Stages of which each relays the jobs of the one before it: the first is the outermost. */
async function chain(length: number): Promise<{ stages: Stage[]; dispose: () => Promise<void> }> {
  const stages = [await stage()];
  const hosts: Worker[] = [];
  for (let n = 1; n < length; n++) {
    const outer = stages[0] as Stage;
    const inner = await stage({}, outer);
    stages.push(inner);
  }
  for (let n = 1; n < length; n++) {
    const [outer, inner] = [stages[n - 1] as Stage, stages[n] as Stage];
    const { clock, random, runner: dial } = outer;
    const host = new Worker({ dial, handler: relay(inner.runner), identity: `host-${n}`, clock, random });
    await outer.settle(host.start());
    hosts.push(host);
  }
  return {
    stages,
    dispose: async () => {
      const [first] = stages as [Stage];
      for (const host of hosts) await first.settle(host.stop());
      for (const { runner } of stages) await first.settle(runner.stop());
      for (const one of stages.toReversed()) await one[Symbol.asyncDispose]();
    },
  };
}

describe.each([2, 3])("behind %i runners in a row", (length) => {
  it("a stream is what it is without: its items, its credit, its end, and its reader's leaving", async () => {
    const { stages, dispose } = await chain(length);
    const [outer, inner] = [stages[0] as Stage, stages.at(-1) as Stage];
    let given = 0;
    let closed = 0;
    await inner.worker(
      async function* ({ data }, { signal }) {
        try {
          while (given < Number(data)) yield `${given++}`.padEnd(36, ".");
          return signal.aborted ? "aborted" : "the end";
        } finally {
          closed++;
        }
      },
      { identity: "inner" },
    );
    const stream = await streamOf(outer, "30", { streamWindow: 1_000 });
    expect(given).toBe(10);
    for (let n = 0; n < 5; n++) expect((await outer.settle(stream.next())).value).toContain(`${n}.`);
    await outer.clock.settle();
    expect(given).toBe(15);
    const rest: unknown[] = [];
    for (let step = await outer.settle(stream.next()); ; step = await outer.settle(stream.next())) {
      rest.push(step.value);
      if (step.done === true) break;
    }
    expect([rest.length, rest.at(-1), closed]).toEqual([26, "the end", 1]);

    given = 0;
    const left = await streamOf(outer, "1000", { streamWindow: 1_000 });
    await outer.settle(left.return());
    await outer.clock.settle();
    expect([given, closed, outer.runner.stats().workers[0]?.inFlight]).toEqual([10, 2, 0]);
    await dispose();
  });

  it("a loss is a loss: retried before an item was read, the reader's after", async () => {
    const { stages, dispose } = await chain(length);
    const [outer, inner] = [stages[0] as Stage, stages.at(-1) as Stage];
    let began = 0;
    const handler = async function* (): AsyncGenerator<Payload> {
      began++;
      yield `of ${began}`;
      await new Promise(() => undefined);
    };
    const first = await inner.worker(handler, { identity: "first" });
    const stream = await streamOf(outer, "");
    await inner.worker(handler, { identity: "second" });
    await outer.settle(first.stop());
    await outer.clock.advance(5_000);
    expect((await outer.settle(stream.next())).value).toBe("of 2");
    const pending = watch(stream.next());
    inner.runner.workers.delete("second");
    await outer.clock.settle();
    expect(pending.error).toBeInstanceOf(WorkerLostError);
    expect(pending.error).toMatchObject({ attempts: [{ outcome: "lost" }, { outcome: "lost" }] });
    await dispose();
  });

  it("progress is heard, and asked for only when it is", async () => {
    const { stages, dispose } = await chain(length);
    const [outer, inner] = [stages[0] as Stage, stages.at(-1) as Stage];
    const wanted: boolean[] = [];
    await inner.worker((_job, context) => {
      wanted.push(context.wantsProgress);
      context.progress("half");
      return "whole";
    });
    const heard: Payload[] = [];
    const call = await outer.execute("", { onProgress: (value) => heard.push(value) });
    expect([call.value, heard]).toEqual(["whole", ["half"]]);
    await outer.execute("");
    expect([wanted, heard]).toEqual([[true, false], ["half"]]);
    await dispose();
  });

  it("an item over the limit on the way fails the job, and closes the generator", async () => {
    const { stages, dispose } = await chain(length);
    const [outer, inner] = [stages[0] as Stage, stages.at(-1) as Stage];
    let closed = 0;
    await inner.worker(async function* () {
      try {
        yield "fine";
        yield "x".repeat(1_048_576 + 1);
      } finally {
        closed++;
      }
    });
    const stream = await streamOf(outer, "", { attempts: 1 });
    expect((await outer.settle(stream.next())).value).toBe("fine");
    await expect(outer.settle(stream.next())).rejects.toThrow("over");
    expect(closed).toBe(1);
    await dispose();
  });
});

describe("a worker breaks the protocol", () => {
  const item = (value: Payload): Message => ({ type: "ITEM", attemptId: 1, value });
  const result = (endsStream?: true): Message => ({
    type: "JOBRES",
    attemptId: 1,
    value: "",
    ...(endsStream === undefined ? {} : { endsStream }),
  });

  it.each<[string, Parameters<Stage["runner"]["open"]>[1] | undefined, Message[], string]>([
    ["with an item of a job that takes none", undefined, [item("x")], "an item without credit"],
    ["with an item over its credit", { streamWindow: 64 }, [item("x"), item("y")], "an item without credit"],
    ["with the end of a stream that is not taken", undefined, [result(true)], "is not taken"],
    ["with a result after items", {}, [item("x"), result()], "a result after items"],
    [
      "by handing back what has begun",
      {},
      [item("x"), { type: "REJECT", attemptId: 1, reason: "draining" }],
      "had begun",
    ],
    ["with an item of no attempt", {}, [{ type: "ITEM", attemptId: 7, value: "x" }], "never made"],
  ])("%s", async (_name, options, messages, text) => {
    const lost: unknown[] = [];
    await using set = await stage({ attempts: 1 });
    const peer = await set.peer({ features: SUPPORTED_FEATURES });
    const call = watch(options === undefined ? set.runner.execute("job") : set.runner.open("job", options));
    await set.clock.settle();
    expect(peer.last("JOB").credit).toBe(options === undefined ? undefined : (options.streamWindow ?? 65_536));
    peer.send(...messages);
    await set.clock.settle();
    expect(peer.last("ERROR")).toMatchObject({ code: "PROTOCOL", text: expect.stringContaining(text) as string });
    // With an item the stream has begun: its reader is told.
    const { value, error } = call;
    if (typeof value === "object" && "next" in value) {
      for (let step = watch(value.next()); ; step = watch(value.next())) {
        await set.clock.settle();
        if (step.state === "ok") continue;
        lost.push(step.error);
        break;
      }
    } else lost.push(error);
    expect(lost).toEqual([expect.any(WorkerLostError)]);
  });

  it("with an item of a job that waits for its turn", async () => {
    await using set = await stage({ attempts: 2, prefetch: 4 });
    const peer = await set.peer({ features: SUPPORTED_FEATURES, prefetchLimit: 4 });
    const calls = [watch(set.runner.open("a")), watch(set.runner.open("b"))];
    await set.clock.settle();
    expect(peer.jobs).toEqual(["a", "b"]);
    peer.send({ type: "ITEM", attemptId: 2, value: "x" });
    await set.clock.settle();
    expect(peer.last("ERROR").text).toContain("turn had not come");
    await set.settle(set.runner.stop());
    expect(calls.every(({ state }) => state === "failed")).toBe(true);
  });

  it("not with items of a cancelled attempt: they are dropped, and cost no strike", async () => {
    await using set = await stage({ maxStrikes: 0 });
    const peer = await set.peer({ features: SUPPORTED_FEATURES });
    const aborter = new AbortController();
    const call = watch(set.runner.open("job", { signal: aborter.signal }));
    await set.clock.settle();
    aborter.abort();
    peer.send(item("x"), item("y"), { type: "CANCELLED", attemptId: 1 });
    await set.clock.settle();
    expect(call.state).toBe("failed");
    expect([peer.all("ERROR"), peer.closed]).toEqual([[], undefined]);
  });
});
