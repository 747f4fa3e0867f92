import { describe, expect, it } from "vitest";
import { properties } from "./properties.ts";

describe("the properties, as a section of the evidence", async () => {
  const { findings, counts } = await properties.run("test", () => undefined);

  it.each(findings)("$what", ({ figure, ok }) => {
    expect(ok, figure).toBe(true);
    expect(figure).toMatch(/^0 of [1-9]/);
  });

  it("counts what was tried", () => {
    expect(Object.keys(counts)).toEqual(
      expect.arrayContaining(["P1", "P2", "P3", "P4", "P5", "P6"].map((p) => `${p} inputs`)),
    );
  });
});
