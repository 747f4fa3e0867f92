/**
 * What each worker got done, from a runner's events, which name job and worker together only when an attempt starts. Bounded
 * by the registered workers and the running jobs: a worker that leaves is dropped.
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
  /** The last worker of each job that has not settled. */
  readonly #holders = new Map<number, string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The numbers of a worker. */
  of(identity: string): WorkerCounts {
    return this.#workers.get(identity) ?? NOTHING;
  }

  /** The last worker of a job that has not settled. */
  holder(jobId: number): string | undefined {
    return this.#holders.get(jobId);
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
      case "job-started":
        this.#holders.set(event.jobId, event.identity);
        return;
      case "job-retried":
        if (!NOT_FAILURES.has(event.outcome)) this.#count(event.jobId, false);
        return;
      case "job-settled":
        this.#count(event.jobId, event.ok);
        this.#holders.delete(event.jobId);
        return;
      default:
    }
  }

  /** Updates the rates. To be called once a second. */
  tick(): void {
    const now = this.#clock.now();
    for (const counts of this.#workers.values()) counts.rate = counts.slidingRate.sample(now, counts.done);
  }

  #count(jobId: number, ok: boolean): void {
    const counts = this.#workers.get(this.#holders.get(jobId) ?? "");
    if (counts === undefined) return;
    if (ok) counts.done++;
    else counts.failed++;
  }
}
