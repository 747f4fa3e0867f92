import { describe, expect, it } from "vitest";
import { BackpressureDetector } from "../../../src/core/health/backpressure.ts";

const rules = { highWater: 100, maxBuffered: 1_000, stallTimeout: 50 };

describe("a backlog", () => {
  it("is congested above the high-water mark and given up above the limit, not at it", () => {
    const backlog = new BackpressureDetector(rules);
    expect([0, 100, 101, 1_000, 1_001].map((bytes) => backlog.check(bytes, 0))).toEqual([
      "clear",
      "clear",
      "congested",
      "congested",
      "overflow",
    ]);
  });

  it("remembers whether it was congested", () => {
    const backlog = new BackpressureDetector(rules);
    expect(backlog.congested).toBe(false);
    backlog.check(101, 0);
    expect(backlog.congested).toBe(true);
    backlog.check(100, 1);
    expect(backlog.congested).toBe(false);
  });

  it("is stuck when it has not shrunk for the stall timeout", () => {
    const backlog = new BackpressureDetector(rules);
    backlog.check(50, 0);
    expect([1_000, 1_049, 1_050].map((now) => backlog.check(500, now))).toEqual(["congested", "congested", "stuck"]);
  });

  it("is not stuck while it shrinks, by however little", () => {
    const backlog = new BackpressureDetector(rules);
    for (let step = 0; step < 100; step++) expect(backlog.check(900 - step, step * 49)).toBe("congested");
  });

  it("is stuck although it grows", () => {
    const backlog = new BackpressureDetector(rules);
    expect([200, 300, 400].map((bytes, i) => backlog.check(bytes, i * 25))).toEqual([
      "congested",
      "congested",
      "stuck",
    ]);
  });

  it("starts to count anew each time it becomes congested", () => {
    const backlog = new BackpressureDetector(rules);
    backlog.check(200, 0);
    backlog.check(0, 40);
    expect([backlog.check(200, 60), backlog.check(200, 109), backlog.check(200, 110)]).toEqual([
      "congested",
      "congested",
      "stuck",
    ]);
  });
});
