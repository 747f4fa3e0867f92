/** The queue that hands out in the order of what came in, against an array. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Fifo } from "../../../src/core/collections/fifo.ts";

describe("a fifo", () => {
  it("is an array whose head is taken", () => {
    const steps = fc.array(fc.record({ push: fc.nat(5_000), shift: fc.nat(5_000) }), { maxLength: 12 });
    fc.assert(
      fc.property(steps, (list) => {
        const real = new Fifo<number>();
        const model: number[] = [];
        let next = 0;
        for (const step of list) {
          const { push, shift } = step;
          for (let n = push; n > 0; n--) {
            real.push(next);
            model.push(next++);
          }
          for (let n = shift; n > 0; n--) expect(real.shift()).toBe(model.shift());
          expect([real.length, real.first]).toEqual([model.length, model[0]]);
        }
        real.clear();
        expect([real.length, real.first, real.shift()]).toEqual([0, undefined, undefined]);
      }),
      { numRuns: 20 },
    );
  });
});
