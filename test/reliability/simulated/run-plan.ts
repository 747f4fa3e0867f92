/** One plan in a world of its own. For worlds that fast-check draws. */
import { simulate } from "../../../src/testing/simulation/simulate.ts";
import type { Plan } from "./plan.ts";
import { playPlan } from "./play.ts";

/** Plays it; rejects with a SimulationError that shows the last that happened. */
export async function runPlan(plan: Plan): Promise<void> {
  await simulate({ from: 1, seeds: 1, verify: 0 }, (sim) => playPlan(sim, plan));
}
