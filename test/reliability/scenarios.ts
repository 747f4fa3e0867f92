/** Small worlds drawn by fast-check, for failures that shrink to what they need; and what prefetching gains and costs. */
import * as fc from "fast-check";
import { prefetchFindings } from "./scenarios-prefetch.ts";
import type { Findings, Scale, Section } from "./section.ts";
import { planArbitrary } from "./simulated/plan-arbitrary.ts";
import { runPlan } from "./simulated/run-plan.ts";

const RUNS: Readonly<Record<Scale, number>> = { test: 100, quick: 300, full: 10_000 };

async function run(scale: Scale, say: (line: string) => void): Promise<Findings> {
  const numRuns = RUNS[scale];
  const property = fc.asyncProperty(planArbitrary, (plan) => runPlan(plan));
  const details = await fc.check(property, { numRuns });
  if (details.failed) say(fc.defaultReportMessage(details) ?? "a counterexample without a report");
  const finding = {
    what: "scenarios of jobs, workers and faults that break a promise",
    figure: `${details.failed ? 1 : 0} of ${details.numRuns.toLocaleString("en")} (seed ${details.seed})`,
    wanted: "0",
    ok: !details.failed,
  };
  const prefetch = await prefetchFindings(scale);
  return { findings: [finding, ...prefetch], counts: { scenarios: details.numRuns } };
}

export const scenarios: Section = {
  name: "scenarios",
  title: "Scenarios that shrink",
  about:
    "Worlds as fast-check draws them: when one fails, jobs, workers and faults are left out until only those it takes remain. " +
    "Below it: whole loads handed in at once, with jobs prefetched by measure and without, on virtual time with 30 µs each way.",
  run,
};
