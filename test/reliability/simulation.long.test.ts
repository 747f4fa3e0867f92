/** Simulated worlds by the thousand; `npm run reliability` plays more. */
import { expect, it } from "vitest";
import { simulation } from "./simulation.ts";

it("simulated worlds: every promise holds, every rare thing happens", { timeout: 600_000 }, async () => {
  const said: string[] = [];
  const { findings, counts } = await simulation.run("test", (line) => said.push(line));
  const broken = findings.filter(({ ok }) => !ok).map(({ what, figure }) => `${what}: ${figure}`);
  expect(broken, said.join("\n")).toEqual([]);
  expect(counts["jobs"]).toBeGreaterThan(190_000);
});
