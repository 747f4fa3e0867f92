import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TokenBucket } from "../../../src/core/time/token-bucket.ts";

function spendAll(budget: TokenBucket, now: number): number {
  let spent = 0;
  while (spent < 1_000 && budget.spend(now)) spent++;
  return spent;
}

describe("a token bucket", () => {
  it("lets ten through at once, then four an interval of a second unless told otherwise", () => {
    const budget = new TokenBucket({ burst: 10, refill: 4 }, 0);
    expect(spendAll(budget, 0)).toBe(10);
    expect(spendAll(budget, 249)).toBe(0);
    expect(spendAll(budget, 250)).toBe(1);
    expect(spendAll(budget, 1_250)).toBe(4);
  });

  it("saves up no more than ten", () => {
    const budget = new TokenBucket({ burst: 10, refill: 4 }, 0);
    expect(spendAll(budget, 1e9)).toBe(10);
  });

  it("is never empty without a limit", () => {
    const limit = Number.POSITIVE_INFINITY;
    const budget = new TokenBucket({ burst: limit, refill: limit }, 0);
    for (const now of [0, 0, 1, 1]) expect([budget.isEmpty(now), budget.spend(now)]).toEqual([false, true]);
  });

  it("always lets an honest peer through, and never more than burst and rate allow", () => {
    const gaps = fc.array(fc.nat(500), { minLength: 1, maxLength: 200, size: "max" });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 1_000 }), (pauses, interval) => {
        const honest = new TokenBucket({ burst: 10, refill: 4, interval }, 0);
        const flooded = new TokenBucket({ burst: 10, refill: 4, interval }, 0);
        let now = 0;
        let through = 0;
        for (const [beat, pause] of pauses.entries()) {
          expect(honest.spend(beat * interval)).toBe(true);
          now += pause;
          if (flooded.spend(now)) through++;
          // A billionth more: tokens are added up in fractions.
          expect(through).toBeLessThanOrEqual(10 + (4 * now) / interval + 1e-9);
        }
      }),
    );
  });
});

describe("a token bucket beside a count in whole parts", () => {
  it("lets through what the parts allow, however they come", () => {
    const gaps = fc.array(fc.oneof(fc.constant(0), fc.nat(600)), { minLength: 1, maxLength: 120, size: "max" });
    fc.assert(
      // Powers of two, so that fractions of a token are exact.
      fc.property(gaps, fc.constantFrom(64, 256, 1_024), (pauses, interval) => {
        let now = 1_000;
        const budget = new TokenBucket({ burst: 10, refill: 4, interval }, now);
        let parts = 10 * interval;
        for (const pause of pauses) {
          now += pause;
          parts = Math.min(10 * interval, parts + 4 * pause);
          const isEnough = parts >= interval;
          if (isEnough) parts -= interval;
          expect(budget.spend(now)).toBe(isEnough);
        }
      }),
    );
  });
});
