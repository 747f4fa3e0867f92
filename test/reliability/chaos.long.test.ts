import { describe, expect, it } from "vitest";
import { chaosRows } from "./chaos.ts";

/** Far more than a row takes: each ends its own waits, and says what it waited for. */
const TIMEOUT = 120_000; // ms

describe("chaos", () => {
  // One test a row, and not one a finding: what a row leaves behind is then this test's leak.
  it.each(chaosRows)("$name", { timeout: TIMEOUT }, async (row) => {
    const { findings, counts } = await row.run("test", () => undefined);
    expect(findings.filter(({ ok }) => !ok)).toEqual([]);
    expect(findings.length).toBeGreaterThan(3);
    expect(counts["jobs"]).toBeGreaterThan(0);
  });
});
