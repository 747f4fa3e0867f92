/** Jobs and results whose buffers stand apart, in a session: what a hostile end may not claim, and when a job can be tried again. */
import { describe, expect, it } from "vitest";
import { EncodingError, WorkerLostError } from "../../../src/core/errors.ts";
import { HoledBytes } from "../../../src/core/job/holed-bytes.ts";
import { Job } from "../../../src/core/job/job.ts";
import { FEATURE, SUPPORTED_FEATURES } from "../../../src/core/protocol/constants.ts";
import { stage } from "../../support/stage.ts";
import { Scene } from "../worker/worker-scene.ts";

const FEATURES = SUPPORTED_FEATURES | FEATURE.attachments;
const RESULT = { type: "JOBRES", attemptId: 1, value: apart() } as const;
const WRONG: readonly [string, readonly ArrayBufferLike[] | undefined][] = [
  ["no buffer", undefined],
  ["an empty list of buffers", []],
  ["a buffer too many", [new ArrayBuffer(4), new ArrayBuffer(4)]],
  ["a buffer that is too short", [new ArrayBuffer(3)]],
];

/** Bytes of which four stand apart. */
function apart(content: Uint8Array = new Uint8Array(4)): HoledBytes {
  return new HoledBytes(Uint8Array.of(1, 2), [{ at: 1, content }]);
}

function jobOf(content: Uint8Array): Job {
  return new Job(content);
}

describe("a runner", () => {
  it.each(WRONG)("ends the session of a worker that sends a hole with %s", async (_what, attachments) => {
    await using set = await stage();
    const peer = await set.peer({ features: FEATURES });
    await set.execute("x", { attempts: 1 });
    peer.sendBeside(attachments, RESULT);
    await set.clock.settle();
    expect(peer.last("ERROR").code).toBe("PROTOCOL");
    expect(set.gone).toEqual(["scripted violation"]);
  });

  it("hands buffers over and gives its caller whole bytes", async () => {
    await using set = await stage();
    const peer = await set.peer({ features: FEATURES });
    const content = Uint8Array.of(5, 6, 7, 8);
    const call = await set.execute(jobOf(apart(content)));
    const [job] = peer.all("JOB");
    const sent = job?.job.content;
    expect(sent instanceof HoledBytes && sent.holes[0]?.content.buffer === content.buffer).toBe(true);
    peer.send({ ...RESULT, value: apart(content) });
    await set.clock.settle();
    expect(call.value).toEqual(Uint8Array.of(1, 5, 6, 7, 8, 2));
  });

  it("does not try a job again once its buffers were handed over, also if it was handed back", async () => {
    await using set = await stage();
    const first = await set.peer({ features: FEATURES });
    await set.peer({ features: FEATURES, identity: "other" });
    const call = await set.execute(jobOf(apart()), { attempts: 3 });
    first.send({ type: "REJECT", attemptId: 1, reason: "overloaded" });
    await set.clock.settle();
    expect(call.error).toBeInstanceOf(WorkerLostError);
    expect(set.runner.stats().workers.length).toBe(2);
  });

  it.each([
    ["whose buffers were copied", apart(), 0],
    ["whose memory is shared", apart(new Uint8Array(new SharedArrayBuffer(4))), FEATURES],
  ])("tries a job again %s", async (_what, content, features) => {
    await using set = await stage();
    const first = await set.peer({ features });
    const other = await set.peer({ features, identity: "other" });
    const call = await set.execute(jobOf(content), { attempts: 3 });
    first.send({ type: "REJECT", attemptId: 1, reason: "overloaded" });
    await set.clock.settle();
    other.answer("done");
    await set.clock.settle();
    expect(call.value).toBe("done");
  });

  it("sends no shared memory where it is to be copied: that fails the job alone", async () => {
    await using set = await stage();
    const peer = await set.peer({ features: 0 });
    const call = await set.execute(jobOf(apart(new Uint8Array(new SharedArrayBuffer(4)))));
    expect(call.error).toBeInstanceOf(EncodingError);
    const next = await set.execute("x");
    peer.answer("fine");
    await set.clock.settle();
    expect(next.value).toBe("fine");
  });

  it("counts the bytes of buffers that wait", async () => {
    await using set = await stage({ maxQueueBytes: 1_000 });
    const waiting = await set.execute(jobOf(apart(new Uint8Array(900))), { acquireTimeout: 50 });
    const full = await set.execute(jobOf(apart(new Uint8Array(900))));
    expect([waiting.state, full.state]).toEqual(["pending", "failed"]);
    await set.clock.advance(50);
  });
});

describe("a worker", () => {
  it.each(WRONG)("ends its session when a JOB has a hole with %s", async (_what, attachments) => {
    await using scene = new Scene((job) => job.data);
    const runner = await scene.register({ features: FEATURES });
    runner.sendBeside(attachments, {
      type: "JOB",
      attemptId: 1,
      attempt: 1,
      jobId: 1,
      ttl: 1_000,
      job: jobOf(apart()),
    });
    await scene.clock.settle();
    expect(runner.last("ERROR").code).toBe("PROTOCOL");
  });

  it("gives a handler whole bytes", async () => {
    await using scene = new Scene((job) => job.data);
    const runner = await scene.register({ features: FEATURES });
    scene.board.job(1, "", { job: jobOf(apart(Uint8Array.of(5, 6, 7, 8))) });
    await scene.clock.settle();
    expect(runner.last("JOBRES").value).toEqual(Uint8Array.of(1, 5, 6, 7, 8, 2));
  });
});
