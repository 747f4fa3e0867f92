/** P5: a table by number is a `Map`, also where its numbers collide. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { IntMap } from "../../src/core/collections/int-map.ts";
import type { Statement, Tally } from "./statement.ts";

/** Neighbours; numbers alike in their lower bits, which all have the same home; the largest ones. */
const number = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 1, max: 2 ** 21 - 1 }).map((n) => n * 2 ** 32),
  fc.integer({ min: 0, max: 30 }).map((n) => Number.MAX_SAFE_INTEGER - n),
  fc.tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom(16, 4_096, 2 ** 31, 2 ** 45)).map(([n, by]) => n * by),
);

const kind = fc.oneof(
  { weight: 50, arbitrary: fc.constant("set" as const) },
  { weight: 45, arbitrary: fc.constant("delete" as const) },
  { weight: 1, arbitrary: fc.constant("clear" as const) },
);

/** The numbers of one run are few, so that they are met again. */
const script = fc
  .array(number, { minLength: 1, maxLength: 40, size: "max" })
  .chain((numbers) =>
    fc.array(fc.tuple(kind, fc.constantFrom(...numbers)), { minLength: 1, maxLength: 120, size: "max" }),
  );

function play(steps: readonly (readonly ["set" | "delete" | "clear", number])[], tally: Tally): void {
  const table = new IntMap<string>();
  const model = new Map<number, string>();
  for (const [i, [step, n]] of steps.entries()) {
    if (step === "set") {
      table.set(n, `${n}/${i}`);
      model.set(n, `${n}/${i}`);
    } else if (step === "delete") assert.equal(table.delete(n), model.delete(n), `delete(${n})`);
    else {
      table.clear();
      model.clear();
    }
    assert.equal(table.size, model.size);
    tally.add(step);
  }
  for (const [, n] of steps) {
    assert.equal(table.get(n), model.get(n), `get(${n})`);
    assert.equal(table.has(n), model.has(n), `has(${n})`);
  }
  const inOrder = [...model].sort(([a], [b]) => a - b).map(([, value]) => value);
  assert.deepEqual(table.values(), inOrder);
}

/** P5, of the table by number. */
export const numberTable: readonly Statement[] = [
  {
    name: "P5: a table by number is a map, whatever is set and deleted, and wherever the numbers collide",
    runs: 5_000,
    fullRuns: 200_000,
    meets: ["set", "delete", "clear"],
    property: (tally) =>
      fc.property(script, (steps) => {
        play(steps, tally);
      }),
  },
];
