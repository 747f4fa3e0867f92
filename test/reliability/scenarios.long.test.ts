/** Small worlds drawn by fast-check. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { scenarios } from "./scenarios.ts";
import { planArbitrary } from "./simulated/plan-arbitrary.ts";
import { runPlan } from "./simulated/run-plan.ts";

it("no scenario breaks a promise", { timeout: 120_000 }, async () => {
  const said: string[] = [];
  const { findings } = await scenarios.run("test", (line) => said.push(line));
  expect(findings.length).toBeGreaterThan(1);
  expect(
    findings.filter(({ ok }) => !ok),
    said.join("\n"),
  ).toEqual([]);
});

it("a scenario that breaks one shrinks to what it takes", { timeout: 120_000 }, async () => {
  // As if crashes were not to be survived: found, and shrunk to a world with one worker, no jobs and one crash.
  const property = fc.asyncProperty(planArbitrary, async (plan) => {
    await runPlan({ ...plan, calls: plan.calls.slice(0, 2) });
    if (plan.faults.some(({ kind }) => kind === "crash")) throw new Error("a crash");
  });
  const details = await fc.check(property, { seed: 7, numRuns: 200 });
  expect(details.failed).toBe(true);
  expect(details.counterexample?.[0]).toMatchObject({ calls: [], faults: [{ kind: "crash" }] });
});
