import * as fc from "fast-check";
import { expect, test } from "vitest";
import { DoneLines, MAX_PLACE } from "../../../src/cli/run/done-lines.ts";

test("knows what a map would", () => {
  const place = fc.oneof(fc.nat(40), fc.integer({ min: MAX_PLACE - 40, max: MAX_PLACE }), fc.nat(MAX_PLACE));
  const mark = fc.nat(2 ** 32 - 1);
  fc.assert(
    fc.property(fc.array(fc.tuple(place, mark)), fc.array(place), (added, asked) => {
      const [lines, model] = [new DoneLines(), new Map<number, number>()];
      for (const [at, value] of added) {
        lines.add(at, value);
        model.set(at, value);
      }
      expect(lines.count).toBe(model.size);
      for (const at of [...model.keys(), ...asked]) expect(lines.markOf(at)).toBe(model.get(at));
    }),
  );
});

test.each([1, 2, 1_024, 65_536, 1_048_576])("100,000 lines, %i apart: at most 24 bytes each", (step) => {
  const count = Math.min(100_000, Math.floor(MAX_PLACE / step));
  const lines = new DoneLines();
  for (let line = 0; line < count; line++) lines.add(line * step, line);
  expect(lines.bytes).toBeLessThanOrEqual(Math.max(8 * 1_024, 24 * count));
  expect(lines.count).toBe(count);
  const lost = Array.from({ length: count }, (_, line) => line).filter((line) => lines.markOf(line * step) !== line);
  expect(lost).toEqual([]);
  expect(lines.markOf(count * step - 1 + (step === 1 ? 1 : 0))).toBeUndefined();
});

test("the last place of all takes no more than the first", () => {
  const lines = new DoneLines();
  lines.add(MAX_PLACE, 7);
  expect([lines.bytes, lines.markOf(MAX_PLACE), lines.markOf(0)]).toEqual([8 * 1_024, 7, undefined]);
});
