/**
 * What each worker got done, from a runner's events: they name jobs and workers together only when an attempt starts.
 * Bounded by what is registered and what runs: who leaves is forgotten.
 */
import type { AttemptOutcome, RunnerEvent } from "../index.ts";
import { Ring } from "./ring.ts";

/** Seconds over which a worker's rate is taken. */
const WINDOW = 5;

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
  /** `done` at the end of each of the last seconds. */
  readonly seconds: Ring<number>;
}

const NOTHING: WorkerCounts = Object.freeze({ done: 0, failed: 0, rate: 0 });
/** What a worker did not do wrong. */
const BLAMELESS: ReadonlySet<AttemptOutcome> = new Set(["rejected", "not-sent", "cancelled"]);

/** The numbers of all registered workers. */
export class WorkerCounters {
  readonly #workers = new Map<string, Counts>();
  /** Who has which job. */
  readonly #holders = new Map<number, string>();

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
        this.#workers.set(event.identity, { done: 0, failed: 0, rate: 0, seconds: new Ring(WINDOW + 1) });
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
    for (const counts of this.#workers.values()) {
      counts.seconds.push(counts.done);
      const seconds = counts.seconds.toArray();
      const [before = counts.done] = seconds;
      counts.rate = seconds.length < 2 ? 0 : (counts.done - before) / (seconds.length - 1);
    }
  }

  #count(jobId: number, ok: boolean): void {
    const counts = this.#workers.get(this.#holders.get(jobId) ?? "");
    if (counts === undefined) return;
    if (ok) counts.done++;
    else counts.failed++;
  }
}
