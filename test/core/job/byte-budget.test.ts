import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ByteBudget } from "../../../src/core/job/byte-budget.ts";

test("one item over the budget is admitted alone, and nothing beside it until all of it is released", () => {
  const budget = new ByteBudget(100);
  expect(budget.admits(500)).toBe(true);
  budget.begin(500);
  expect(budget.admits(0)).toBe(false);
  budget.settle(0);
  expect(budget.admits(0)).toBe(false);
  budget.release(500);
  expect(budget.admits(500)).toBe(true);
});

test("each job in flight reserves the largest of the recent results", () => {
  const budget = new ByteBudget(100);
  budget.begin(0);
  budget.settle(20);
  budget.release(20);
  let admitted = 0;
  for (; budget.admits(0); admitted++) budget.begin(0);
  expect(admitted).toBe(5);
  expect(budget.admits(0, false)).toBe(true);
  expect(budget.admits(1, false)).toBe(false);
});

test("a large result is forgotten over hundreds of small ones, not over a few", () => {
  const budget = new ByteBudget(100);
  const run = (bytes: number): void => {
    budget.begin(0);
    budget.settle(bytes);
    budget.release(bytes);
  };
  run(1_000);
  for (let i = 0; i < 10; i++) run(1);
  expect(budget.estimate).toBeGreaterThan(900);
  for (let i = 0; i < 1_000; i++) run(1);
  expect(budget.estimate).toBeLessThan(10);
});

test("whatever comes: at most the limit and a largest result for each job in flight, and no standstill", () => {
  const LARGEST = 50;
  const item = fc.record({ bytes: fc.nat(LARGEST), result: fc.nat(LARGEST), pick: fc.nat(), waits: fc.nat(3) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.array(item, { maxLength: 200 }), (limit, items) => {
      const budget = new ByteBudget(limit);
      const inFlight: { bytes: number; result: number }[] = [];
      const settled: number[] = [];
      /** One step of what was admitted: the budget is never asked. */
      const step = (pick: number): void => {
        const [job] = inFlight.splice(pick % Math.max(1, inFlight.length), 1);
        if (job === undefined) return budget.release(settled.shift() ?? 0);
        budget.settle(job.result);
        settled.push(job.bytes + job.result);
      };
      for (const { bytes, result, pick, waits } of items) {
        while (!budget.admits(bytes)) {
          expect(inFlight.length + settled.length).toBeGreaterThan(0);
          step(pick);
        }
        const most = Math.max(limit, bytes) + LARGEST * (inFlight.length + 1);
        budget.begin(bytes);
        inFlight.push({ bytes, result });
        expect(budget.held + budget.inFlight * LARGEST).toBeLessThanOrEqual(most);
        for (let i = 0; i < waits; i++) step(pick);
      }
      while (inFlight.length + settled.length > 0) step(0);
      expect([budget.held, budget.inFlight]).toEqual([0, 0]);
    }),
  );
});
