import { expect, test } from "vitest";
import { backoffBound, backoffDelay } from "../../../src/core/time/backoff.ts";

test("a bound doubles from the first to the largest", () => {
  expect([-1, 0, 1, 2, 3, 4, 5_000].map((doublings) => backoffBound(50, 500, doublings))).toEqual([
    50, 50, 100, 200, 400, 500, 500,
  ]);
  expect(backoffBound(100, 50, 0)).toBe(50);
});

test("a delay is drawn once, from 0 to its bound", () => {
  const draws = [0, 0x8000_0000, 0xffff_ffff];
  const random = { u32: () => draws.shift() ?? 0, id: () => "" };
  expect(backoffDelay(random, 50, 500, 1)).toBe(0);
  expect(backoffDelay(random, 50, 500, 1)).toBe(50);
  expect(backoffDelay(random, 50, 500, 9)).toBeCloseTo(500);
  expect(draws).toEqual([]);
});
