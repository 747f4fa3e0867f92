import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BOUNDS_MS, Histogram, MAX_QUANTILE_FACTOR } from "../../src/dashboard/histogram.ts";

function filled(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.add(value);
  return histogram;
}

const [first = 0] = BOUNDS_MS;
const last = BOUNDS_MS.at(-1) ?? 0;
const inRange = fc.array(fc.double({ min: first, max: last, noNaN: true }), { minLength: 1, maxLength: 200 });
const anything = fc.array(fc.double({ noNaN: true }), { maxLength: 200 });
const share = fc.double({ min: 0, max: 1, noNaN: true });

describe("the bounds", () => {
  test("ascend, and no step is larger than the stated factor", () => {
    BOUNDS_MS.slice(1).forEach((bound, index) => {
      const below = BOUNDS_MS[index] ?? 0;
      expect(bound).toBeGreaterThan(below);
      expect(bound / below).toBeLessThanOrEqual(MAX_QUANTILE_FACTOR * (1 + Number.EPSILON * 4));
    });
  });

  test("have 1, 2.5 and 5 of each unit people use", () => {
    expect(BOUNDS_MS).toEqual(expect.arrayContaining([0.01, 0.25, 0.5, 1, 2.5, 5, 100, 250, 1_000, 60_000, 3_600_000]));
  });
});

describe("a quantile", () => {
  test("of nothing is null, and so after clear", () => {
    const histogram = filled([]);
    expect([histogram.quantile(0.5), histogram.count, histogram.sum]).toEqual([null, 0, 0]);
    histogram.add(3);
    histogram.clear();
    expect([histogram.quantile(0.99), histogram.count, histogram.sum]).toEqual([null, 0, 0]);
  });

  test("is never below the true quantile, and at most a tenth above", () => {
    fc.assert(
      fc.property(inRange, share, (values, part) => {
        const sorted = values.toSorted((a, b) => a - b);
        const truth = sorted[Math.max(1, Math.ceil(values.length * part)) - 1] ?? 0;
        const estimate = filled(values).quantile(part) ?? 0;
        expect(estimate).toBeGreaterThanOrEqual(truth);
        expect(estimate).toBeLessThanOrEqual(truth * MAX_QUANTILE_FACTOR * (1 + 1e-9));
      }),
    );
  });

  test("of values outside the bounds is the first or the last bound", () => {
    expect(filled([0, -1, 1e-9]).quantile(1)).toBe(first);
    expect(filled([1e300, Infinity]).quantile(0)).toBe(last);
  });
});

describe("the cumulative buckets", () => {
  test("never fall, and end with all values at infinity", () => {
    fc.assert(
      fc.property(anything, (values) => {
        const buckets = filled(values).cumulative();
        buckets.slice(1).forEach(({ le, count }, index) => {
          expect(le).toBeGreaterThan(buckets[index]?.le ?? 0);
          expect(count).toBeGreaterThanOrEqual(buckets[index]?.count ?? 0);
        });
        expect(buckets.at(-1)).toEqual({ le: Infinity, count: values.length });
      }),
    );
  });

  test("count exactly the values up to each bound, and the sum is theirs", () => {
    fc.assert(
      fc.property(inRange, fc.nat(BOUNDS_MS.length - 1), (values, bucket) => {
        const onBound = BOUNDS_MS[bucket] ?? 0;
        const histogram = filled([...values, onBound]);
        const expected = [...values, onBound].filter((value) => value <= onBound).length;
        expect(histogram.cumulative()[bucket]).toEqual({ le: onBound, count: expected });
        expect(histogram.sum).toBe([...values, onBound].reduce((sum, value) => sum + value, 0));
      }),
    );
  });

  test("count a negative time as none", () => {
    const histogram = filled([-5, 2]);
    expect([histogram.count, histogram.sum, histogram.cumulative()[0]?.count]).toEqual([2, 2, 1]);
  });
});
