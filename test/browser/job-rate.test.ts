import * as fc from "fast-check";
import { expect, test } from "vitest";
import { JobRate } from "../../src/browser/job-rate.ts";

test("jobs a second over ten seconds, and over less while it is young", () => {
  const rate = new JobRate(500);
  expect(rate.at(500)).toBe(0);
  for (let i = 0; i < 4; i++) rate.count(600);
  expect(rate.at(600)).toBe(4);
  expect(rate.at(2_500)).toBe(2);
  rate.count(4_500);
  expect(rate.at(5_500)).toBe(1);
  expect(rate.at(10_500)).toBe(0.1); // the first four were in another ten seconds
  expect(rate.at(60_000)).toBe(0);
});

test("counts each job once, and none for longer than ten seconds", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 15_000 }), { maxLength: 30 }), (gaps) => {
      const rate = new JobRate(0);
      const ends: number[] = [];
      let now = 20_000;
      for (const gap of gaps) {
        now += gap;
        ends.push(now);
        rate.count(now);
        const second = Math.floor(now / 1_000);
        const recent = ends.filter((end) => second - Math.floor(end / 1_000) < 10);
        expect(rate.at(now)).toBeCloseTo(recent.length / 10);
      }
    }),
  );
});
