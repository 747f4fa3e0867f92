import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SetMap } from "../../../src/core/collections/set-map.ts";

describe("sets by key", () => {
  it("are lists that are searched, in the order their values came, and gone when they are empty", () => {
    const step = fc.record({ op: fc.constantFrom("add", "add", "delete"), key: fc.nat(3), value: fc.nat(4) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const map = new SetMap<number, number>();
        let model: (readonly [number, number])[] = [];
        for (const { op, key, value } of steps) {
          const isIn = model.some(([k, v]) => k === key && v === value);
          if (op === "add") {
            map.add(key, value);
            if (!isIn) model.push([key, value]);
          } else {
            map.delete(key, value);
            model = model.filter(([k, v]) => k !== key || v !== value);
          }
          for (let k = 0; k <= 3; k++) {
            const values = model.filter(([other]) => other === k).map(([, v]) => v);
            expect([...(map.get(k) ?? [])]).toEqual(values);
            expect([map.count(k), map.get(k) === undefined]).toEqual([values.length, values.length === 0]);
          }
          expect(new Set([...map].map(([k]) => k))).toEqual(new Set(model.map(([k]) => k)));
        }
      }),
    );
  });
});
