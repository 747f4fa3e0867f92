/** Streams that go on in another attempt, on virtual time: each item reaches the reader once, in order, whatever breaks off. */
import { describe, expect, it } from "vitest";
import { ExecutionError, WorkerLostError } from "../../../src/core/errors.ts";
import type { PayloadStream } from "../../../src/core/job/payload-stream.ts";
import type { Payload } from "../../../src/core/peer.ts";
import { FEATURE } from "../../../src/core/protocol/constants.ts";
import type { Handler } from "../../../src/core/worker/execution.ts";
import { type Stage, stage, watch } from "../../support/stage.ts";

async function opened(set: Stage, ...given: Parameters<Stage["runner"]["open"]>): Promise<PayloadStream> {
  const opening = watch(set.runner.open(...given));
  await set.clock.settle();
  const { value: result } = opening;
  if (typeof result !== "object" || !("next" in result)) throw new Error("no stream");
  return result;
}

/** Reads so many items, each within ten seconds: another attempt begins after a pause. */
async function read(set: Stage, stream: PayloadStream, count: number): Promise<unknown[]> {
  const got: unknown[] = [];
  for (let n = 0; n < count; n++) {
    const step = watch(stream.next());
    await set.clock.advance(10_000);
    const { value, done } = step.value ?? { value: step.error };
    got.push(done === true ? { done: value } : value);
  }
  return got;
}

/** Gives 0 to 9, and breaks off as an attempt does that is said to. */
function counting(seen: [attempt: number, delivered: number][], breaksOffAt: (attempt: number) => number): Handler {
  return async function* (_job, { attempt, delivered }): AsyncGenerator<Payload, Payload> {
    seen.push([attempt, delivered]);
    for (let n = delivered; n < 10; n++) {
      if (n === breaksOffAt(attempt)) throw Object.assign(new Error("broken"), { retryable: true });
      yield `${n}`;
    }
    return "the end";
  } as Handler;
}

describe("a call with `resume`", () => {
  it("goes on after what was read, and not after what had only arrived", async () => {
    await using set = await stage();
    const seen: [number, number][] = [];
    await set.worker(counting(seen, (attempt) => [5, 7][attempt - 1] ?? 99));
    const stream = await opened(set, "", { resume: true, streamWindow: 130 });
    // Items cost 65: two are sent ahead, and what was sent and not read is sent again.
    expect(await read(set, stream, 11)).toEqual([
      "0",
      "1",
      "2",
      "3",
      "4",
      "5",
      "6",
      "7",
      "8",
      "9",
      { done: "the end" },
    ]);
    expect(seen[0]).toEqual([1, 0]);
    expect(seen.slice(1).map(([, delivered]) => delivered)).toEqual([4, 6]);
    expect(set.runner.stats()).toMatchObject({ succeeded: 1, failed: 0, retries: 2 });
  });

  it("keeps a reader waiting over the loss of a worker", async () => {
    await using set = await stage();
    const peer = await set.peer({ features: FEATURE.streams });
    const opening = watch(set.runner.open("", { resume: true }));
    await set.clock.settle();
    const { attemptId, delivered } = peer.last("JOB");
    peer.send({ type: "ITEM", attemptId, value: "0" });
    await set.clock.settle();
    const { value: stream } = opening;
    if (typeof stream !== "object" || !("next" in stream)) throw new Error("no stream");
    expect(await read(set, stream, 1)).toEqual(["0"]);
    const waiting = watch(stream.next());
    await set.clock.settle();
    peer.close();
    const seen: [number, number][] = [];
    await set.worker(counting(seen, () => 99));
    await set.clock.advance(1_000);
    expect([delivered, waiting.value, seen]).toEqual([undefined, { done: false, value: "1" }, [[2, 1]]]);
    expect(await read(set, stream, 9)).toEqual(["2", "3", "4", "5", "6", "7", "8", "9", { done: "the end" }]);
  });

  it("keeps to the number of attempts and to what is no retry", async () => {
    await using set = await stage();
    const seen: [number, number][] = [];
    await set.worker(counting(seen, (attempt) => attempt));
    const stream = await opened(set, "", { resume: true, attempts: 2, streamWindow: 1 });
    expect(await read(set, stream, 1)).toEqual(["0"]);
    const next = watch(stream.next());
    await set.clock.advance(10_000);
    expect(next.value?.value).toBe("1");
    const last = watch(stream.next());
    await set.clock.advance(10_000);
    expect(last.error).toBeInstanceOf(ExecutionError);
    expect(seen.map(([attempt]) => attempt)).toEqual([1, 2]);
  });

  it("is what a stream is not without it", async () => {
    await using set = await stage();
    const seen: [number, number][] = [];
    await set.worker(counting(seen, () => 1));
    const stream = await opened(set, "", { streamWindow: 1 });
    expect(await read(set, stream, 1)).toEqual(["0"]);
    const next = watch(stream.next());
    await set.clock.advance(10_000);
    expect([next.error instanceof ExecutionError, seen.length]).toEqual([true, 1]);
  });

  it("tells the number through any relay's JOB, and 0 to a handler that begins", async () => {
    await using set = await stage();
    await set.worker((_job, { delivered }) => String(delivered));
    expect((await set.execute("", { resume: true })).value).toBe("0");
    expect((await set.execute("", { resume: 1 as never })).error).toBeInstanceOf(RangeError);
  });

  it("with an iterable that was begun has no other attempt", async () => {
    await using set = await stage();
    const peer = await set.peer({ features: FEATURE.streams | FEATURE.inputs });
    const opening = watch(set.runner.open("", { resume: true, input: ["a", "b"] }));
    await set.clock.settle();
    const { attemptId } = peer.last("JOB");
    peer.send({ type: "CREDIT", attemptId, bytes: 1 }, { type: "ITEM", attemptId, value: "0" });
    await set.clock.settle();
    const { value: stream } = opening;
    if (typeof stream !== "object" || !("next" in stream)) throw new Error("no stream");
    await read(set, stream, 1);
    const waiting = watch(stream.next());
    peer.close();
    await set.clock.advance(1_000);
    expect(waiting.error).toBeInstanceOf(WorkerLostError);
  });
});
