/** Faults of worlds whose jobs and workers come through all of them. */
import type { InjectedFault } from "../../../src/testing/simulation/fault-schedule.ts";

/** What is done to connections and machines. */
export const FAULTS: readonly InjectedFault[] = [
  "cut",
  "half-open",
  "partition",
  "crash",
  "stall-worker",
  "stall-runner",
  "worker-clock",
];
