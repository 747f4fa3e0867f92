/** What both ends of a session say they speak, and what each refuses that was not agreed on. */
import { describe, expect, it } from "vitest";
import { HoledBytes } from "../../../src/core/job/holed-bytes.ts";
import { Job } from "../../../src/core/job/job.ts";
import { FEATURE, SUPPORTED_FEATURES } from "../../../src/core/protocol/constants.ts";
import { stage } from "../../support/stage.ts";
import { Scene } from "../worker/worker-scene.ts";

const ALL_BITS = 0xffff_ffff;
/** Both ends are in one process. */
const SUPPORTED_HERE = SUPPORTED_FEATURES | FEATURE.attachments;
const ROUTE = { origin: "outermost", deadline: Number.POSITIVE_INFINITY, priority: 0, labels: [], avoid: [] };
const JOB = { type: "JOB", attemptId: 1, attempt: 1, jobId: 1, ttl: 1_000, job: new Job("x"), route: ROUTE } as const;
const FAILED = {
  type: "FAILED",
  attemptId: 1,
  code: "lost",
  path: "thread-1",
  text: "",
  limit: 0,
  queued: 0,
  queuedBytes: 0,
} as const;

/** A result whose buffer stands apart. */
function apart(): HoledBytes {
  return new HoledBytes(Uint8Array.of(1), [{ at: 1, content: new Uint8Array(4) }]);
}

describe("a runner", () => {
  it("welcomes a worker of bits it does not know, and names those that both speak", async () => {
    await using set = await stage();
    const peer = await set.peer({ features: ALL_BITS });
    expect(peer.last("WELCOME").features).toBe(SUPPORTED_HERE);
  });

  it("names no feature to a worker that has none", async () => {
    await using set = await stage();
    expect((await set.peer()).last("WELCOME").features).toBe(0);
  });

  it("knows the largest job its worker takes", async () => {
    await using set = await stage();
    await set.peer({ maxPayload: 1_234 });
    expect(set.runner.workers.scheduler.find("scripted")?.worker.maxPayload).toBe(1_234);
  });

  it.each([
    FAILED,
    { type: "CAPACITY", capacity: 2, labels: [] } as const,
    { type: "WAITING", attemptId: 1 } as const,
    { type: "STARTED", attemptId: 1 } as const,
    { type: "ITEM", attemptId: 1, value: "x" } as const,
    { type: "PROGRESS", attemptId: 1, value: "x" } as const,
    { type: "JOBRES", attemptId: 1, value: "x", endsStream: true } as const,
    { type: "JOBRES", attemptId: 1, value: apart() } as const,
  ])("ends a session on a $type that was not agreed on", async (message) => {
    await using set = await stage();
    const peer = await set.peer();
    const call = await set.execute("x", { attempts: 1 });
    peer.send(message);
    await set.clock.settle();
    expect(peer.last("ERROR").code).toBe("PROTOCOL");
    expect(call.state).toBe("failed");
  });
});

describe("a worker", () => {
  it("says what it speaks and the largest job it takes", async () => {
    await using scene = new Scene((job) => job.data, { maxPayload: 4_321 });
    const runner = await scene.register();
    expect(runner.last("HELLO")).toMatchObject({ features: SUPPORTED_HERE, maxPayload: 4_321, isRelay: false });
  });

  it("takes no notice of bits it does not know", async () => {
    await using scene = new Scene((job) => job.data);
    const runner = await scene.register({ features: ALL_BITS });
    scene.board.job(1, "y");
    await scene.clock.settle();
    expect(runner.last("JOBRES").value).toBe("y");
  });

  it("ends a session on buffers that stand apart though that was not agreed on", async () => {
    await using scene = new Scene((job) => job.data);
    const runner = await scene.register();
    const { route: _, ...job } = JOB;
    runner.send({ ...job, job: new Job(apart()) });
    await scene.clock.settle();
    expect(runner.last("ERROR").code).toBe("PROTOCOL");
  });

  it("ends a session on a route that was not agreed on", async () => {
    await using scene = new Scene((job) => job.data);
    const runner = await scene.register();
    runner.send(JOB);
    await scene.clock.settle();
    expect(runner.last("ERROR").code).toBe("PROTOCOL");
  });
});
