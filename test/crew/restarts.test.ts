import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Restarts } from "../../src/crew/restarts.ts";

const USELESS = { lived: 0, begun: false };
const limits = { restartMin: 100, restartMax: 1_000, maxCrashes: 6 };

/** Chance at its highest: the pauses are as long as they get. */
function longest(over: Partial<typeof limits> = {}): Restarts {
  return new Restarts({ ...limits, ...over }, { u32: () => 0xffff_ffff, id: () => "" });
}

const pauses = (restarts: Restarts, times: number): (number | undefined)[] =>
  Array.from({ length: times }, () => restarts.crashed(USELESS)).map((ms) => (ms === undefined ? ms : Math.round(ms)));

test("the pause doubles up to its bound, and then there are no more", () => {
  expect(pauses(longest(), 6)).toEqual([100, 200, 400, 800, 1_000, undefined]);
});

test.each([
  ["begun a job", { lived: 0, begun: true }],
  ["lived 10 s", { lived: 10_000, begun: false }],
])("a thread that has %s begins the count anew", (_what, life) => {
  const restarts = longest({ maxCrashes: 3 });
  expect(pauses(restarts, 2)).toEqual([100, 200]);
  expect(Math.round(restarts.crashed(life) ?? -1)).toBe(100);
  expect(restarts.inARow).toBe(0);
  expect(pauses(restarts, 3)).toEqual([100, 200, undefined]);
});

test("with a limit of one, a thread that was of use may crash all the same", () => {
  const restarts = longest({ maxCrashes: 1 });
  expect(restarts.crashed({ lived: 0, begun: true })).toBeDefined();
  expect(restarts.crashed(USELESS)).toBeUndefined();
});

test("a pause is anything from nothing to the bound", () => {
  const number = fc.integer({ min: 0, max: 0xffff_ffff });
  fc.assert(
    fc.property(fc.array(number, { minLength: 1, maxLength: 60 }), (chances) => {
      let next = 0;
      const entropy = { u32: () => chances[next++ % chances.length] ?? 0, id: () => "" };
      const restarts = new Restarts({ ...limits, maxCrashes: Number.POSITIVE_INFINITY }, entropy);
      chances.forEach((chance, index) => {
        const bound = Math.min(limits.restartMax, limits.restartMin * 2 ** index);
        expect(restarts.crashed(USELESS)).toBeCloseTo((chance / 2 ** 32) * bound, 6);
      });
    }),
  );
});
