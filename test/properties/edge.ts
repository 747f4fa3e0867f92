/** P2: at the promise edge, whatever overlaps with whatever: everything settles, and once. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { edgePlan } from "./edge-plan.ts";
import { EdgeWorld } from "./edge-world.ts";
import { turn } from "./hand-clock.ts";
import type { Statement } from "./statement.ts";

/** Collects unhandled rejections, from one run to the next. */
class Unhandled {
  readonly seen: string[] = [];
  readonly #note = (reason: unknown): void => void this.seen.push(`unhandled rejection: ${String(reason)}`);

  begin(): void {
    process.on("unhandledRejection", this.#note);
  }

  /** Rejections are reported after the turn they were left in. */
  async end(): Promise<readonly string[]> {
    await turn();
    process.off("unhandledRejection", this.#note);
    return this.seen;
  }
}

/** P2. */
export const edge: readonly Statement[] = [
  {
    name: "P2: execute, map, hold, abort, delete, drain, stop and start in any order: all settle once, nothing is left",
    runs: 2_000,
    fullRuns: 50_000,
    meets: [
      ...["done", "TIMEOUT", "EXECUTION", "WORKER_LOST", "NO_WORKER", "QUEUE_FULL", "RUNNER_STOPPED", "ours"].map(
        (code) => `job: ${code}`,
      ),
      ...["done", "ours", "RUNNER_STOPPED"].map((end) => `map: ${end}`),
      ...["done", "ours", "TIMEOUT", "RUNNER_STOPPED"].map((end) => `hold: ${end}`),
      ...["done", "ours", "TIMEOUT"].map((end) => `acquire: ${end}`),
      ...["start", "stop", "drain", "dispose"].map((what) => `${what}: done`),
      "job-retried",
      "worker-gone",
    ],
    property: (tally) =>
      fc.asyncProperty(edgePlan, fc.scheduler(), async (plan, scheduler) => {
        const unhandled = new Unhandled();
        unhandled.begin();
        let faults: readonly string[] = [];
        try {
          faults = await new EdgeWorld(plan, scheduler, tally).run();
        } finally {
          faults = [...faults, ...(await unhandled.end())];
        }
        assert.deepEqual(faults, []);
      }),
  },
];
