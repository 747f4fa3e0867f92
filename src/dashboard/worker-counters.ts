/**
 * What each worker got done, from a runner's events: they name jobs and workers together only when an attempt starts.
 * Bounded by what is registered and what runs: who leaves is forgotten.
 */
import { SlidingRate } from "../core/time/sliding-rate.ts";
import type { AttemptOutcome, Clock, RunnerEvent } from "../index.ts";

/** What a worker's rate is taken over. */
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
  readonly meter: SlidingRate;
}

const NOTHING: WorkerCounts = Object.freeze({ done: 0, failed: 0, rate: 0 });
/** What a worker did not do wrong. */
const BLAMELESS: ReadonlySet<AttemptOutcome> = new Set(["rejected", "not-sent", "cancelled"]);

/** The numbers of all registered workers. */
export class WorkerCounters {
  readonly #clock: Clock;
  readonly #workers = new Map<string, Counts>();
  /** Who has which job. */
  readonly #holders = new Map<number, string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The numbers of a worker. */
  of(identity: string): WorkerCounts {
    return this.#workers.get(identity) ?? NOTHING;
  }

  /** Who had a job last, as long as it has not settled. */
  holder(jobId: number): string | undefined {
    return this.#holders.get(jobId);
  }

  /** Takes one event in. */
  note(event: RunnerEvent): void {
    switch (event.type) {
      case "worker-joined":
        this.#workers.set(event.identity, {
          done: 0,
          failed: 0,
          rate: 0,
          meter: new SlidingRate(RATE_WINDOW_MS, this.#clock.now()),
        });
        return;
      case "worker-gone":
        this.#workers.delete(event.identity);
        return;
      case "job-started":
        this.#holders.set(event.jobId, event.identity);
        return;
      case "job-retried":
        if (!BLAMELESS.has(event.outcome)) this.#count(event.jobId, false);
        return;
      case "job-settled":
        this.#count(event.jobId, event.ok);
        this.#holders.delete(event.jobId);
        return;
      default:
    }
  }

  /** A second has passed. */
  tick(): void {
    const now = this.#clock.now();
    for (const counts of this.#workers.values()) counts.rate = counts.meter.sample(now, counts.done);
  }

  #count(jobId: number, ok: boolean): void {
    const counts = this.#workers.get(this.#holders.get(jobId) ?? "");
    if (counts === undefined) return;
    if (ok) counts.done++;
    else counts.failed++;
  }
}
