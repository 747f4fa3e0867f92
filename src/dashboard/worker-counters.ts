/**
 * What each worker got done, from a runner's events. Bounded by the registered workers: a worker that leaves is dropped.
 */
import { SlidingRate } from "../core/time/sliding-rate.ts";
import type { AttemptOutcome, Clock, RunnerEvent } from "../index.ts";

/** The window of a worker's rate. */
const RATE_WINDOW_MS = 5_000;

/** One worker's numbers. */
export interface WorkerCounts {
  /** Jobs that succeeded there. */
  readonly done: number;
  /** Attempts that failed there. */
  readonly failed: number;
  /** Jobs that succeeded, a second, over the last seconds. */
  readonly rate: number;
}

interface Counts {
  done: number;
  failed: number;
  rate: number;
  readonly slidingRate: SlidingRate;
}

const NOTHING: WorkerCounts = Object.freeze({ done: 0, failed: 0, rate: 0 });
/** Outcomes that are not the worker's failure. */
const NOT_FAILURES: ReadonlySet<AttemptOutcome> = new Set(["rejected", "not-sent", "cancelled"]);

/** The numbers of all registered workers. */
export class WorkerCounters {
  readonly #clock: Clock;
  readonly #workers = new Map<string, Counts>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The numbers of a worker. */
  of(identity: string): WorkerCounts {
    return this.#workers.get(identity) ?? NOTHING;
  }

  /** Counts an event. */
  record(event: RunnerEvent): void {
    switch (event.type) {
      case "worker-joined":
        this.#workers.set(event.identity, {
          done: 0,
          failed: 0,
          rate: 0,
          slidingRate: new SlidingRate(RATE_WINDOW_MS, this.#clock.now()),
        });
        return;
      case "worker-gone":
        this.#workers.delete(event.identity);
        return;
      case "job-retried":
        if (!NOT_FAILURES.has(event.outcome)) this.#count(event.identity, false);
        return;
      case "job-settled":
        // A job that no handler had failed at no worker.
        if (event.attempts > 0) this.#count(event.identity, event.ok);
        return;
      default:
    }
  }

  /** Updates the rates. To be called once a second. */
  tick(): void {
    const now = this.#clock.now();
    for (const counts of this.#workers.values()) counts.rate = counts.slidingRate.sample(now, counts.done);
  }

  #count(identity: string | undefined, ok: boolean): void {
    const counts = identity === undefined ? undefined : this.#workers.get(identity);
    if (counts === undefined) return;
    if (ok) counts.done++;
    else counts.failed++;
  }
}
