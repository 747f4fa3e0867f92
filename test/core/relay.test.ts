/** A relay by itself: what it asks of the runner behind it, and what it makes of a failure there. */
import { describe, expect, it } from "vitest";
import { ExecutionError, TimeoutError } from "../../src/core/errors.ts";
import { Job } from "../../src/core/job/job.ts";
import { relay } from "../../src/core/relay.ts";
import type { JobContext } from "../../src/core/worker/execution.ts";
import { type Stage, stage, watch, type Watched } from "../support/stage.ts";

const CONTEXT: JobContext = {
  signal: new AbortController().signal,
  attempt: 1,
  jobId: "r:1",
  identity: "w",
  shuttingDown: new AbortController().signal,
};

function handOn(
  set: Stage,
  options?: Parameters<typeof relay>[1],
  context: Partial<JobContext> = {},
): Watched<string | Uint8Array> {
  const handler = relay(set.runner, options);
  return watch(Promise.resolve(handler(new Job("x"), { ...CONTEXT, ...context })));
}

describe("a relay", () => {
  it("tries once, without a limit of its own", async () => {
    await using set = await stage();
    const peer = await set.peer({ identity: "w", blocking: true });
    const call = handOn(set);
    await set.clock.settle();
    expect(peer.last("JOB").ttl).toBe(Infinity);
    peer.close();
    await set.clock.settle();
    expect(call.error).toMatchObject({ name: "WorkerLostError", retryable: true });
    expect(set.runner.stats().retries).toBe(0);
  });

  it("tries as often and as long as it is told", async () => {
    await using set = await stage();
    const peer = await set.peer({ identity: "w" });
    const call = handOn(set, { attempts: 2, timeout: 100 });
    await set.clock.settle();
    expect(peer.last("JOB").ttl).toBe(100);
    peer.close();
    const other = await set.peer({ identity: "other" });
    await set.clock.advance(100);
    other.answer("y");
    await set.clock.settle();
    expect(call.value).toBe("y");
  });

  it("asks for the job to be tried elsewhere when its fleet failed it, and says why", async () => {
    await using set = await stage();
    const call = handOn(set, { acquireTimeout: 10 });
    await set.clock.advance(10);
    expect(call.error).not.toBeInstanceOf(TimeoutError);
    expect(call.error).toMatchObject({ name: "TimeoutError", code: "TIMEOUT", retryable: true });
    const { cause, message } = call.error as Error;
    expect(cause).toBeInstanceOf(TimeoutError);
    expect(message).toBe((cause as Error).message);
  });

  it("passes on what a handler threw as it is", async () => {
    await using set = await stage();
    await set.worker(() => {
      throw new Error("broken");
    });
    const call = handOn(set);
    await set.clock.settle();
    expect(call.error).toBeInstanceOf(ExecutionError);
    expect(call.error).not.toHaveProperty("retryable");
  });

  it("passes on an abort, in both directions", async () => {
    await using set = await stage();
    const peer = await set.peer();
    const controller = new AbortController();
    const call = handOn(set, undefined, { signal: controller.signal });
    await set.clock.settle();
    const reason = new Error("enough");
    controller.abort(reason);
    await set.clock.settle();
    expect(peer.all("CANCEL")).toHaveLength(1);
    expect(call.error).toBe(reason);
    peer.send({ type: "CANCELLED", attemptId: 1 });
    await set.clock.settle();
  });
});
