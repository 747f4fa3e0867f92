import { expect, test } from "vitest";
import { counted, grouped, showDuration, threeDigits } from "../../src/dashboard/format.ts";

test("numbers as people read them", () => {
  expect([0, 999, 1_000, 1_234_567].map(grouped)).toEqual(["0", "999", "1,000", "1,234,567"]);
  expect([counted(0, "job"), counted(1, "job"), counted(2, "job")]).toEqual(["0 jobs", "1 job", "2 jobs"]);
  expect([0, 0.424, 3.4, 36.64, 999.6, 12_345].map(threeDigits)).toEqual([
    "0",
    "0.42",
    "3.40",
    "36.6",
    "1,000",
    "12,345",
  ]);
});

test("durations are shown with the unit that fits", () => {
  const spans = [0.000_5, 0.004_2, 0.5, 1, 12.34, 999, 1_000, 59_000, 60_000, 200_000, 7_500_000, 360_000_000];
  expect(spans.map(showDuration)).toEqual([
    "500 ns",
    "4.2 µs",
    "500 µs",
    "1.0 ms",
    "12 ms",
    "999 ms",
    "1.0 s",
    "59.0 s",
    "1 min 0 s",
    "3 min 20 s",
    "2 h 5 min",
    "4 d 4 h",
  ]);
});
