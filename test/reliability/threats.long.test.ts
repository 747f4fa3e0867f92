/** Every row of the threat model, at the scale of a test. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findingsOf, THREATS, threatRows } from "./threats.ts";
import { Lab } from "./threats/lab.ts";
import { growthOf } from "../support/growth.ts";

describe("the threat model", () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.open();
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  it("has every row, once, in order", () => {
    expect(threatRows.map(({ name }) => name)).toEqual(Array.from({ length: THREATS }, (_, i) => `T${i + 1}`));
  });

  for (const row of threatRows) {
    it(`${row.name}: ${row.threat}`, { timeout: 120_000 }, async () => {
      const findings = await findingsOf(row, "test", lab);
      expect(findings.length).toBeGreaterThan(0);
      expect(findings.filter(({ ok }) => !ok)).toEqual([]);
    });
  }
});

describe("the stopwatch of T21", () => {
  it("sees a quadratic expression, and lets a linear one pass", () => {
    const on = (look: (text: string) => unknown) => (doublings: number) => {
      const text = `${" ".repeat(500 << doublings)}x`;
      return (): void => void look(text);
    };
    // Spaces at the end, looked for from each of the spaces.
    const quadratic = (text: string): boolean => /\s+$/.test(text);
    expect(growthOf(on(quadratic), 2.5)).toBeGreaterThan(2.5);
    expect(
      growthOf(
        on((text) => text.split(" ")),
        2.5,
      ),
    ).toBeLessThanOrEqual(2.5);
  });
});
