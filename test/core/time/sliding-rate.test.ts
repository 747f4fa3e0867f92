import * as fc from "fast-check";
import { expect, test } from "vitest";
import { SlidingRate } from "../../../src/core/time/sliding-rate.ts";

test("a rate is that of the last seconds", () => {
  const rate = new SlidingRate(5_000, 0);
  for (let at = 0; at <= 20_000; at += 100) rate.sample(at, Math.min(at, 10_000));
  expect(rate.sample(20_000, 10_000)).toBe(0);
  const steady = new SlidingRate(5_000, 0);
  expect(steady.sample(0, 0)).toBe(0);
  for (let at = 0; at <= 20_000; at += 100) steady.sample(at, at * 2);
  expect(steady.sample(20_000, 40_000)).toBeCloseTo(2_000);
});

test("a young rate is taken over a second at least, and over less than the window", () => {
  const rate = new SlidingRate(10_000, 500);
  expect(rate.sample(500, 0)).toBe(0);
  expect(rate.sample(600, 4)).toBe(4);
  expect(rate.sample(2_500, 4)).toBe(2);
});

test("growth after a pause counts as that of the last window, and fades", () => {
  const rate = new SlidingRate(10_000, 0);
  rate.sample(1_000, 40);
  expect(rate.sample(3_600_000, 41)).toBeCloseTo(0.1);
  expect(rate.sample(3_605_000, 41)).toBeGreaterThan(0);
  expect(rate.sample(3_611_000, 41)).toBe(0);
  expect(rate.sample(3_611_500, 42)).toBeGreaterThan(0);
});

test("counts all growth of the last window, and nothing that is two windows old", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(1_500), fc.nat(20)), { maxLength: 60 }), (steps) => {
      const window = 1_000;
      const rate = new SlidingRate(window, 0);
      const growths: { at: number; by: number }[] = [];
      const grown = (since: number): number =>
        growths.filter(({ at }) => at > since).reduce((sum, { by }) => sum + by, 0);
      let [now, count] = [0, 0];
      for (const [gap, by] of steps) {
        now += gap;
        count += by;
        growths.push({ at: now, by });
        const perSecond = rate.sample(now, count);
        expect(perSecond).toBeGreaterThanOrEqual(grown(now - window) / 3);
        expect(perSecond).toBeLessThanOrEqual(grown(now - 3 * window));
      }
    }),
  );
});
