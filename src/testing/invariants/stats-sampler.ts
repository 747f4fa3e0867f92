/** A runner's numbers, looked at once an event at most: making them costs as much as there are workers. */
import type { RunnerStats } from "../../core/stats.ts";
import type { Checker, ObservedRunner } from "./checker.ts";
import type { Observation } from "../history/observation.ts";

/** So many workers are looked at for each event; of a larger fleet the numbers are made less often. */
const WORKERS_AN_EVENT = 16;

interface Sample {
  readonly stats: RunnerStats;
  /** Events until the next look. */
  wait: number;
}

/** What the runners' numbers are. */
export class StatsSampler implements Checker {
  readonly #samples = new Map<string, Sample>();
  #dirty = true;

  /** The numbers, if they were just made; `undefined` when nothing has happened since, or it is not yet time. */
  fresh(view: ObservedRunner): RunnerStats | undefined {
    const sample = this.#samples.get(view.machine);
    return sample !== undefined && sample.wait === waitFor(sample.stats) ? sample.stats : undefined;
  }

  observe(seen: Observation): void {
    this.#dirty = true;
    if (seen.kind === "machine") this.#samples.delete(seen.machine);
  }

  betweenEvents(_now: number, runners: readonly ObservedRunner[]): void {
    for (const view of runners) this.#sample(view);
    this.#dirty = false;
  }

  #sample(view: ObservedRunner): void {
    const sample = this.#samples.get(view.machine);
    if (sample !== undefined) {
      sample.wait--;
      if (!this.#dirty || sample.wait >= 0) return;
    }
    const stats = view.stats();
    this.#samples.set(view.machine, { stats, wait: waitFor(stats) });
  }
}

function waitFor(stats: RunnerStats): number {
  return Math.floor(stats.workers.length / WORKERS_AN_EVENT);
}
