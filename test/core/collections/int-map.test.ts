import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IntMap } from "../../../src/core/collections/int-map.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";

/** Does one step to a table or a `Map`, and says all that can be seen of it. */
function does(table: IntMap<string> | Map<number, string>, step: string, number: number): unknown[] {
  let result: unknown;
  if (step === "set") table.set(number, `${number}/${table.size}`);
  else if (step === "delete") result = table.delete(number);
  else if (step === "clear") table.clear();
  return [result, table.get(number), table.has(number), table.size, [...table.values()].toSorted()];
}

describe("a table by number", () => {
  it("is a map, whatever is set and deleted", () => {
    const kind = fc.oneof(
      { weight: 60, arbitrary: fc.constant("set") },
      { weight: 39, arbitrary: fc.constant("delete") },
      { weight: 1, arbitrary: fc.constant("clear") },
    );
    // Neighbours, and numbers that are alike in their lower bits.
    const strides = fc.constantFrom(1, 16, 4096, 2 ** 32, 2 ** 45);
    const steps = fc.array(fc.tuple(kind, fc.nat({ max: 100 })), { maxLength: 300 });
    fc.assert(
      fc.property(steps, strides, (taken, stride) => {
        const table = new IntMap<string>();
        const model = new Map<number, string>();
        for (const [step, n] of taken) {
          expect(does(table, step, 1 + n * stride)).toEqual(does(model, step, 1 + n * stride));
        }
      }),
    );
  });

  it("finds an old one among ten thousand that came and went", () => {
    const table = new IntMap<number>();
    for (let number = 1; number <= 100; number++) table.set(number, number);
    for (let number = 101; number <= 10_000; number++) {
      table.set(number, number);
      table.delete(number - 99);
    }
    expect(table.get(1)).toBe(1);
    expect(table.size).toBe(100);
  });

  it("hands out values in order, which stay as they are while the table changes", () => {
    const table = new IntMap<string>();
    for (const number of [3, 1, 2]) table.set(number, `${number}`);
    const seen: string[] = [];
    for (const value of table.values()) {
      table.clear();
      seen.push(value);
    }
    expect(seen).toEqual(["1", "2", "3"]);
  });

  it("hands out values in the order of their numbers, whatever that of their coming", () => {
    const table = new IntMap<number>();
    const numbers = Array.from({ length: 60 }, (_, i) => 1 + ((i * 37) % 61));
    for (const number of numbers) table.set(number, number);
    expect(table.values()).toEqual(numbers.toSorted((a, b) => a - b));
  });

  it("finds all that are left behind a hole, wherever it is", () => {
    const chance = new SeededRandom(5);
    const table = new IntMap<number>();
    const left = new Set<number>();
    let wrong = 0;
    for (let step = 0; step < 20_000; step++) {
      const number = 1 + (chance.u32() % 40);
      if (left.delete(number)) table.delete(number);
      else if (left.size < 7) table.set(number, left.add(number).size);
      if (table.size !== left.size) wrong++;
      for (const other of left) if (!table.has(other)) wrong++;
    }
    expect(wrong).toBe(0);
  });
});
