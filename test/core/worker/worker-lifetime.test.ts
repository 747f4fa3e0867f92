import { describe, expect, it } from "vitest";
import { WorkerLifetime, type LifetimeRules } from "../../../src/core/worker/worker-lifetime.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";

const NEVER = Number.POSITIVE_INFINITY;

function tenure(rules: Partial<LifetimeRules>, chance = 0) {
  const clock = new VirtualClock();
  const over: number[] = [];
  const random = { u32: () => Math.floor(chance * 0x1_0000_0000), id: () => "" };
  const made = new WorkerLifetime({ maxJobs: NEVER, maxAge: NEVER, ...rules }, clock, random, () =>
    over.push(clock.now()),
  );
  return { clock, over, tenure: made };
}

describe("a tenure", () => {
  it("is over with the last of its jobs, and says so once", () => {
    const { over, tenure: one } = tenure({ maxJobs: 3 });
    one.begin();
    one.onRegistered();
    one.count();
    one.count();
    expect(over).toEqual([]);
    one.count();
    expect(over).toEqual([0]);
    expect(one.isOver).toBe(true);
    one.count();
    expect(over).toEqual([0]);
  });

  it("that is over by its jobs is not over by its age as well", async () => {
    const { clock, over, tenure: one } = tenure({ maxJobs: 1, maxAge: 1_000 });
    expect(one.isOver, "none has begun").toBe(true);
    one.begin();
    one.onRegistered();
    expect(one.isOver).toBe(false);
    await clock.advance(10);
    one.count();
    expect(clock.pending).toBe(0);
    await clock.advance(2_000);
    expect(over).toEqual([10]);
  });

  it("counts anew when it begins anew", () => {
    const { over, tenure: one } = tenure({ maxJobs: 2 });
    one.begin();
    one.onRegistered();
    one.count();
    one.begin();
    one.onRegistered();
    one.count();
    expect(over).toEqual([]);
    one.count();
    expect(over).toEqual([0]);
  });

  it("has no end without limits, and sets no timer", () => {
    const { clock, over, tenure: one } = tenure({});
    one.begin();
    one.onRegistered();
    for (let n = 0; n < 10_000; n++) one.count();
    expect([over, clock.pending]).toEqual([[], 0]);
  });

  it.each([
    ["no chance", 0, undefined, 1_000],
    ["a tenth by chance", 0.5, undefined, 1_050],
    ["as much as it was told by chance", 0.5, 400, 1_200],
    ["no chance because it was told so", 0.5, 0, 1_000],
  ])("is over at its age, with %s", async (_name, chance, maxAgeJitter, age) => {
    const { clock, over, tenure: one } = tenure({ maxAge: 1_000, maxAgeJitter }, chance);
    one.begin();
    one.onRegistered();
    await clock.advance(age - 1);
    expect(over).toEqual([]);
    await clock.advance(1_000);
    expect(over).toEqual([age]);
    expect(clock.pending).toBe(0);
  });

  it("does not age before a runner has let it in, and then from the first time on", async () => {
    const { clock, over, tenure: one } = tenure({ maxAge: 1_000 });
    one.onRegistered();
    one.begin();
    await clock.advance(5_000);
    expect(over).toEqual([]);
    one.onRegistered();
    await clock.advance(900);
    one.onRegistered();
    await clock.advance(100);
    expect(over).toEqual([6_000]);
  });

  it("is young again when it begins anew", async () => {
    const { clock, over, tenure: one } = tenure({ maxAge: 1_000 });
    one.begin();
    one.onRegistered();
    await clock.advance(900);
    one.begin();
    one.onRegistered();
    await clock.advance(999);
    expect(over).toEqual([]);
    await clock.advance(1);
    expect(over).toEqual([1_900]);
  });

  it("is not over once it was stopped", async () => {
    const { clock, over, tenure: one } = tenure({ maxAge: 1_000 });
    one.stop();
    one.begin();
    one.onRegistered();
    one.stop();
    expect(clock.pending).toBe(0);
    await clock.advance(2_000);
    expect(over).toEqual([]);
  });
});
