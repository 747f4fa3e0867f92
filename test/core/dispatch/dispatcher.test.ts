/** The calls that have not settled stand in a list: beside an array, whichever settles. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jobNumber, stage } from "../../support/stage.ts";

describe("the calls that have not settled", () => {
  it(
    "are told of the end in the order they were submitted, whichever have settled before",
    { timeout: 120_000 },
    async () => {
      const step = fc.record({ op: fc.constantFrom("submit", "submit", "settle"), n: fc.nat(99) });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30, size: "max" }), async (steps) => {
          const set = await stage();
          let left: { readonly id: number; readonly aborter: AbortController }[] = [];
          const settled: number[] = [];
          let ids = 0;
          for (const { op, n } of steps) {
            if (op === "submit") {
              const aborter = new AbortController();
              left.push({ id: ++ids, aborter });
              await set.execute(`${ids}`, { signal: aborter.signal });
              continue;
            }
            for (const { id, aborter } of left.splice(n % Math.max(1, left.length), 1)) {
              settled.push(id);
              aborter.abort(new Error("not wanted"));
            }
          }
          await set.clock.settle();
          expect(set.runner.stats().queued).toBe(left.length);
          settled.push(...left.map(({ id }) => id));
          left = [];
          await set[Symbol.asyncDispose]();
          expect(set.of("job-settled").map(jobNumber)).toEqual(settled);
        }),
        { numRuns: 60 },
      );
    },
  );
});
