/** Chance from a seed: known numbers, streams that do not disturb each other, and seeds that do not begin alike. */
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";

function draws(entropy: SeededRandom, count: number): number[] {
  return Array.from({ length: count }, () => entropy.u32());
}

describe("the numbers of a seed", () => {
  it("are these, on every engine", () => {
    expect(draws(new SeededRandom(1), 4)).toEqual([3739678614, 2725338478, 3923878172, 2212199553]);
    expect(new SeededRandom(42).id()).toBe("ac1d074d88adc8dba1ea770154ecd86e");
    expect(draws(new SeededRandom(42).stream("network"), 2)).toEqual([2999782537, 774341960]);
  });

  it("differ from those of every other seed, beyond 32 bits too", () => {
    const seeds = [0, 1, 2, 3, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 40, 2 ** 52, 2 ** 53 - 1];
    expect(new Set(seeds.map((seed) => new SeededRandom(seed).id())).size).toBe(seeds.length);
  });

  it("begin with no trace of the seed: neighbours differ in about half of their bits", () => {
    for (let seed = 0; seed < 64; seed++) {
      const [a = 0, b = 0] = [seed, seed + 1].map((one) => new SeededRandom(one).u32());
      const differing = (a ^ b).toString(2).replace("-", "").split("1").length - 1;
      expect(differing, `seeds ${seed} and ${seed + 1}`).toBeGreaterThan(4);
    }
  });

  it("are spread over the whole range", () => {
    const entropy = new SeededRandom(7);
    const buckets = Array.from({ length: 16 }, () => 0);
    for (let i = 0; i < 16_000; i++) {
      const bucket = entropy.below(16);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    expect(Math.min(...buckets)).toBeGreaterThan(850);
    expect(Math.max(...buckets)).toBeLessThan(1_150);
  });
});

describe("streams", () => {
  it("are the same for the same name, whatever was drawn from the others", () => {
    const [one, other] = [new SeededRandom(5), new SeededRandom(5)];
    draws(other, 100);
    draws(other.stream("faults"), 100);
    expect(draws(one.stream("network"), 10)).toEqual(draws(other.stream("network"), 10));
  });

  it("differ by name, and from the seed's own numbers", () => {
    const seed = new SeededRandom(5);
    const names = ["network", "faults", "workload", "order", "w1 1", "w1 2", "w11 1"];
    const ids = [...names.map((name) => seed.stream(name).id()), new SeededRandom(5).id()];
    expect(new Set(ids).size).toBe(ids.length);
  });
});

it.each([1.5, Number.NaN, 2 ** 53, "7" as never, undefined as never])("a seed is a whole number, not %s", (seed) => {
  expect(() => new SeededRandom(seed)).toThrow(RangeError);
});

describe("what is drawn", () => {
  it("stays in its range", () => {
    const entropy = new SeededRandom(3);
    for (let i = 0; i < 1_000; i++) {
      const random = entropy.random();
      expect(random >= 0 && random < 1).toBe(true);
      expect([0, 1, 2]).toContain(entropy.below(3));
      expect(entropy.id()).toMatch(/^[0-9a-f]{32}$/);
    }
  });

  it("picks each of several, and complains of none", () => {
    const entropy = new SeededRandom(3);
    const picked = new Set(Array.from({ length: 100 }, () => entropy.pick(["a", "b", "c"])));
    expect(picked).toEqual(new Set(["a", "b", "c"]));
    expect(() => entropy.pick([])).toThrow(RangeError);
  });
});
