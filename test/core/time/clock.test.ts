import { describe, expect, it } from "vitest";
import { jitter } from "../../../src/core/time/clock.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";

describe("jitter", () => {
  it("is from 0 to the limit, the limit excluded", () => {
    expect(jitter({ u32: () => 0, id: () => "" }, 50)).toBe(0);
    expect(jitter({ u32: () => 0xffff_ffff, id: () => "" }, 50)).toBeLessThan(50);
    expect(jitter({ u32: () => 0x8000_0000, id: () => "" }, 50)).toBe(25);
  });

  it("is spread over all of it", () => {
    const random = new SeededRandom(7);
    const tenths = new Set(Array.from({ length: 1_000 }, () => Math.floor(jitter(random, 10))));
    expect([...tenths].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});
