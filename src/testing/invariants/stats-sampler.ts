/** A runner's numbers, looked at once an event at most: making them costs as much as there are workers. */
import type { RunnerStats } from "../../core/stats.ts";
import type { Checker, RunnerView } from "./checker.ts";
import type { Observation } from "../history/observation.ts";

/** So many workers are looked at for each event; of a larger fleet the numbers are made less often. */
const WORKERS_AN_EVENT = 16;

interface Glance {
  readonly stats: RunnerStats;
  /** Events until the next look. */
  wait: number;
}

/** What the runners' numbers are. */
export class Glances implements Checker {
  readonly #glances = new Map<string, Glance>();
  #dirty = true;

  /** The numbers, if they were just made; `undefined` when nothing has happened since, or it is not yet time. */
  fresh(view: RunnerView): RunnerStats | undefined {
    const glance = this.#glances.get(view.machine);
    return glance !== undefined && glance.wait === waitFor(glance.stats) ? glance.stats : undefined;
  }

  observe(seen: Observation): void {
    this.#dirty = true;
    if (seen.kind === "machine") this.#glances.delete(seen.machine);
  }

  betweenEvents(_now: number, runners: readonly RunnerView[]): void {
    for (const view of runners) this.#look(view);
    this.#dirty = false;
  }

  #look(view: RunnerView): void {
    const glance = this.#glances.get(view.machine);
    if (glance !== undefined) {
      glance.wait--;
      if (!this.#dirty || glance.wait >= 0) return;
    }
    const stats = view.stats();
    this.#glances.set(view.machine, { stats, wait: waitFor(stats) });
  }
}

function waitFor(stats: RunnerStats): number {
  return Math.floor(stats.workers.length / WORKERS_AN_EVENT);
}
