/** The loads, small: every statement that the long form makes has to hold at this size too. */
import { describe, expect, it } from "vitest";
import { LOADS } from "./loads.ts";

describe("loads", () => {
  // Processes are started, by the dozen, on a machine that may be busy.
  it.each(LOADS)("$name", { timeout: 120_000 }, async (row) => {
    const said: string[] = [];
    const { findings } = await row.run("test", (line) => said.push(line));
    expect(findings).not.toEqual([]);
    expect(
      findings.filter(({ ok }) => !ok),
      said.join("\n"),
    ).toEqual([]);
  });
});
