/**
 * How many jobs are prefetched to one worker, so that it does not stand still for the round trip between two short jobs. Decides
 * from what the worker says its jobs take and what their round trips took. Which jobs are prefetched is decided in scheduler.ts,
 * what becomes of them in attempt-table.ts.
 */
import type { HelloMessage } from "../protocol/message.ts";
import { MAX_MEASURED_PREFETCH } from "../protocol/constants.ts";

/** How jobs are prefetched: as measured, or so many for each worker; 0: never. */
export type Prefetch = "auto" | number;

/** Jobs before the first is prefetched: fewer do not show how long the rare ones take. */
const MIN_JOBS = 32;
/** The means are over about so many jobs: a long job in a hundred is among them ten times. */
const MEMORY_JOBS = 1_024;
/** A job is expected to take the mean and this part of the standard deviation. */
const DEVIATION_WEIGHT = 1 / 8;
/** A shorter round trip counts at once, a longer one by this part. */
const RTT_DECAY = 1 / 64;

/** Workers measure in whole microseconds. */
const CLOCK_RESOLUTION_MS = 0.001;

/** Measures one worker's jobs. */
export class PrefetchController {
  /** Whether the durations of its jobs are used. */
  readonly measures: boolean;
  /** How many may be with the worker beyond its slots now. */
  limit: number;
  readonly #max: number;
  #capacity: number;
  #jobs = 0;
  #mean = 0;
  #variance = 0;
  #roundTrip = Number.POSITIVE_INFINITY;

  /**
   * @param prefetch - What was asked for.
   * @param hello - How many jobs the worker runs at a time, and how many more it takes.
   */
  constructor(prefetch: Prefetch, hello: Pick<HelloMessage, "capacity" | "prefetchLimit">) {
    // With enough slots to bridge the round trip there is nothing to gain.
    const { capacity, prefetchLimit: limit = 0 } = hello;
    this.measures = prefetch === "auto" && capacity <= MAX_MEASURED_PREFETCH && limit > 0;
    this.#capacity = capacity;
    this.#max = Math.min(limit, prefetch === "auto" ? MAX_MEASURED_PREFETCH : prefetch);
    this.limit = prefetch === "auto" ? 0 : this.#max;
  }

  /** The worker has so many slots from now on. */
  resize(capacity: number): void {
    this.#capacity = capacity;
  }

  /**
   * A job was answered. Both in ms.
   * @param durationMs - What it took at the worker, if the worker says.
   * @param took - From its hand-over to its answer, if it found a free slot.
   */
  observe(durationMs: number | undefined, took: number | undefined): void {
    if (!this.measures || durationMs === undefined) return;
    this.#learnDuration(durationMs);
    if (took !== undefined) this.#learnRoundTrip(Math.max(0, took - durationMs));
    this.limit = this.#jobs < MIN_JOBS ? 0 : this.#measuredLimit();
  }

  /** As many jobs as are expected to take no longer than a round trip. The slots beyond the first count as such. */
  #measuredLimit(): number {
    const expected = this.#mean + DEVIATION_WEIGHT * Math.sqrt(this.#variance);
    // No round trip was measured yet, or a job is longer than one.
    if (this.#roundTrip === Number.POSITIVE_INFINITY || expected >= this.#roundTrip) return 0;
    const jobs = Math.floor(
      (this.#roundTrip + CLOCK_RESOLUTION_MS) / Math.max(expected, this.#roundTrip / MAX_MEASURED_PREFETCH),
    );
    return Math.max(0, Math.min(this.#max, jobs - Math.max(0, this.#capacity - 1)));
  }

  /** The mean and variance of the first jobs; from then on the older ones fade. */
  #learnDuration(durationMs: number): void {
    this.#jobs++;
    const part = 1 / Math.min(this.#jobs, MEMORY_JOBS);
    const off = durationMs - this.#mean;
    this.#mean += part * off;
    this.#variance = (1 - part) * (this.#variance + part * off * off);
  }

  #learnRoundTrip(ms: number): void {
    if (ms < this.#roundTrip) this.#roundTrip = ms;
    else this.#roundTrip += RTT_DECAY * (ms - this.#roundTrip);
  }
}
