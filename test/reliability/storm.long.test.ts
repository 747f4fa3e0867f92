import { expect, test } from "vitest";
import { describeInChromium } from "../support/chromium.ts";
import { stormSeconds } from "./storm.ts";
import { Trouble } from "./storm/faults.ts";
import { storm } from "./storm/run.ts";

describeInChromium("a mixed storm", (browser) => {
  test("ends with nothing lost, doubled or wrong", { timeout: 600_000 }, async () => {
    const said: string[] = [];
    const seconds = stormSeconds("test");
    const { findings, counts } = await storm({ seconds, browser: browser(), say: (line) => said.push(line) });
    expect(
      findings.filter(({ ok }) => !ok),
      said.join("\n"),
    ).toEqual([]);
    expect(counts["jobs"]).toBeGreaterThan(0);
    // Half a minute is enough for most of the deck.
    expect(Trouble.kinds.filter((kind) => (counts[kind] ?? 0) > 0).length).toBeGreaterThan(8);
  });
});
