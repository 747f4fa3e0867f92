/** A lease whose worker goes: no job of it waits for a slot that never comes. */
import { describe, expect, it } from "vitest";
import { WorkerLostError } from "../../../src/core/errors.ts";
import { Workers } from "../../../src/core/pool/workers.ts";
import { WorkerRegistration } from "../../../src/core/runner/registration.ts";
import type { Session } from "../../../src/core/session/session.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { stage, watch } from "../../support/stage.ts";

describe("a lease whose worker is gone", () => {
  it("has no `release` of its own: the pool gives it back, and what ends it there has another name", async () => {
    await using set = await stage();
    await set.peer();
    const lease = await set.settle(set.runner.workers.acquire());
    expect(Reflect.get(lease, "release")).toBeUndefined();
    set.runner.workers.release(lease);
  });

  it("loses every job that was given to it, queued ones too, and the later ones", async () => {
    await using set = await stage();
    const peer = await set.peer();
    const lease = await set.settle(set.runner.workers.acquire());
    const patient = { acquireTimeout: Number.POSITIVE_INFINITY, timeout: Number.POSITIVE_INFINITY };
    const jobs = ["a", "b", "c", "d"].map((job) => watch(lease.execute(job, patient)));
    await set.clock.settle();
    peer.close();
    await set.clock.settle();
    expect(jobs.map(({ error }) => error)).toEqual(jobs.map(() => expect.any(WorkerLostError)));
    const late = watch(lease.execute("late", patient));
    await set.clock.settle();
    expect(late.error).toBeInstanceOf(WorkerLostError);
    await lease[Symbol.asyncDispose]();
    expect(set.runner.stats()).toMatchObject({ queued: 0, running: 0 });
  });
});

describe("a pool that is filled by a registration", () => {
  it("is one of `Workers`: what only looks like it is refused", () => {
    const alike = { add: () => undefined, delete: () => false };
    const make = (workers: unknown) => new WorkerRegistration({ workers, random: new SeededRandom(1) } as never);
    expect(() => make(alike)).toThrow(TypeError);
    expect(() => make(alike)).toThrow("a Workers");
    expect(() => make(new Workers<Session>())).not.toThrow();
  });
});
