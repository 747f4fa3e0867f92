import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FailureDetector, frameGrace } from "../../../src/core/health/failure-detector.ts";

describe("a pulse", () => {
  it.each([
    [0, "healthy"],
    [199, "healthy"],
    [200, "suspect"],
    [299, "suspect"],
    [300, "dead"],
    [1e9, "dead"],
  ])("takes %i ms of silence at an interval of 100 for %s", (silence, verdict) => {
    expect(new FailureDetector(100, 1_000).health(1_000 + silence)).toBe(verdict);
  });

  it("waits longer for death, and not for suspicion, where a silence may be a large frame", () => {
    const pulse = new FailureDetector(100, 0, 5_000);
    expect([pulse.health(200), pulse.health(5_299), pulse.health(5_300)]).toEqual(["suspect", "suspect", "dead"]);
    expect([pulse.untilNext(150), pulse.untilNext(200)]).toEqual([50, 5_100]);
    pulse.extend(9_000);
    expect([pulse.health(9_099), pulse.health(9_100)]).toEqual(["suspect", "dead"]);
  });

  it.each([
    [false, 1_000_000, 0],
    [true, 32_768, 1_000],
    [true, 64_000_000, 120_000],
  ])("hidden parts %j, frames of %i bytes: %i ms more", (hidesParts, bytes, grace) => {
    expect(frameGrace(hidesParts, bytes)).toBe(grace);
  });

  it("counts from the last byte, and not from an older one told later", () => {
    const pulse = new FailureDetector(100, 0);
    pulse.onHeard(250);
    pulse.onHeard(120);
    expect([pulse.health(449), pulse.health(450), pulse.health(550)]).toEqual(["healthy", "suspect", "dead"]);
  });

  it("is quiet after one interval", () => {
    const pulse = new FailureDetector(100, 0);
    expect([pulse.quiet(99), pulse.quiet(100)]).toEqual([false, true]);
    pulse.onHeard(100);
    expect(pulse.quiet(199)).toBe(false);
  });

  it("says how long the verdict holds, to the millisecond", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), fc.nat(40_000), (interval, silence) => {
        const pulse = new FailureDetector(interval, 0);
        const before = pulse.health(silence);
        const wait = pulse.untilNext(silence);
        expect(wait).toBeGreaterThanOrEqual(1);
        if (before === "dead") return;
        expect(pulse.health(silence + wait)).not.toBe(before);
        expect(pulse.health(silence + wait - 1)).toBe(before);
      }),
    );
  });

  it("grants one more interval after a standstill, and only one", () => {
    const pulse = new FailureDetector(100, 0);
    pulse.extend(5_000);
    expect([pulse.health(5_000), pulse.health(5_099), pulse.health(5_100)]).toEqual(["suspect", "suspect", "dead"]);
  });

  it("does not make one that was heard of late look older", () => {
    const pulse = new FailureDetector(100, 0);
    pulse.onHeard(4_950);
    pulse.extend(5_000);
    expect([pulse.health(5_149), pulse.health(5_150)]).toEqual(["healthy", "suspect"]);
  });

  it("takes a timer that is over an interval late for a standstill", () => {
    const pulse = new FailureDetector(100, 0);
    expect([pulse.stalled(0), pulse.stalled(100), pulse.stalled(100.1)]).toEqual([false, false, true]);
  });
});

describe("the time until a verdict can change", () => {
  it("is what is left of two intervals, then of three, and at least a millisecond", () => {
    const pulse = new FailureDetector(1_000, 0);
    const times = [0, 1_999, 2_000, 2_999, 3_000, 9_000];
    expect(times.map((now) => pulse.untilNext(now))).toEqual([2_000, 1, 1_000, 1, 1, 1]);
  });
});
