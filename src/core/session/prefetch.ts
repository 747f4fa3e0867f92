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

/** Tasks whose pace is known at most, unless a worker announces more: the last ones. */
const MAX_PACES = 256;

/** What the jobs of one task take, or those that name none. */
export class Pace {
  /** How many of its jobs take no longer than a round trip, beyond the slots: none, before enough were measured. */
  limit = 0;
  /** Its jobs that are with the worker; not counted of those that name no task. */
  inFlight = 0;
  #jobs = 0;
  #mean = 0;
  #variance = 0;

  /** Whether enough jobs were measured. */
  get isKnown(): boolean {
    return this.#jobs >= MIN_JOBS;
  }

  /** What one is expected to take, in ms. */
  get expectedMs(): number {
    return this.#mean + DEVIATION_WEIGHT * Math.sqrt(this.#variance);
  }

  /** The mean and variance of the first jobs; from then on the older ones fade. */
  learn(durationMs: number): void {
    this.#jobs++;
    const part = 1 / Math.min(this.#jobs, MEMORY_JOBS);
    const off = durationMs - this.#mean;
    this.#mean += part * off;
    this.#variance = (1 - part) * (this.#variance + part * off * off);
  }
}

/**
 * Measures one worker's jobs, those of each task for themselves: short ones beside long ones are prefetched as if they were alone, and
 * nothing is prefetched behind a long one.
 */
export class PrefetchController {
  /** Whether the durations of its jobs are used. */
  readonly measures: boolean;
  readonly #max: number;
  readonly #maxPaces: number;
  #capacity: number;
  #roundTrip = Number.POSITIVE_INFINITY;
  /** That of jobs without a task. */
  readonly #plain = new Pace();
  /** Absent until a job names a task. */
  #paces: Map<string, Pace> | undefined;
  /** Those that have jobs with the worker, and how many jobs that is. */
  readonly #busy = new Set<Pace>();
  #busyJobs = 0;
  /** That of the job that was answered last. */
  #latest = this.#plain;

  /**
   * @param prefetch - What was asked for.
   * @param hello - How many jobs the worker runs at a time, how many more it takes, and the labels of its tasks.
   */
  constructor(
    prefetch: Prefetch,
    hello: Pick<HelloMessage, "capacity" | "prefetchLimit"> & Partial<Pick<HelloMessage, "labels">>,
  ) {
    // With enough slots to bridge the round trip there is nothing to gain.
    const { capacity, prefetchLimit: limit = 0, labels = [] } = hello;
    this.measures = prefetch === "auto" && capacity <= MAX_MEASURED_PREFETCH && limit > 0;
    this.#capacity = capacity;
    this.#max = Math.min(limit, prefetch === "auto" ? MAX_MEASURED_PREFETCH : prefetch);
    this.#maxPaces = Math.max(MAX_PACES, labels.length);
    if (prefetch !== "auto") this.#plain.limit = this.#max;
  }

  /** How many may be with the worker beyond its slots now. */
  get limit(): number {
    return this.#plain.limit;
  }

  /** The same while so many jobs are with it: as many as of the longest of their tasks. */
  limitWith(jobs: number): number {
    if (this.#paces === undefined) return this.#plain.limit;
    if (jobs === 0) return this.#latest.limit;
    let limit = jobs > this.#busyJobs ? this.#plain.limit : Number.POSITIVE_INFINITY;
    for (const pace of this.#busy) limit = Math.min(limit, pace.limit);
    return limit;
  }

  /** A job of a task is with the worker from now on. `end` follows. Absent: nothing is measured. */
  begin(task: string): Pace | undefined {
    if (!this.measures) return undefined;
    const pace = this.#paceOf(task);
    if (pace.inFlight++ === 0) this.#busy.add(pace);
    this.#busyJobs++;
    return pace;
  }

  /** The job is over. */
  end(pace: Pace): void {
    if (--pace.inFlight === 0) this.#busy.delete(pace);
    this.#busyJobs--;
  }

  /** The worker has so many slots from now on. */
  resize(capacity: number): void {
    this.#capacity = capacity;
  }

  /**
   * A job was answered. Both in ms.
   * @param durationMs - What it took at the worker, if the worker says.
   * @param took - From its hand-over to its answer, if it found a free slot.
   * @param pace - That of its task, if it names one.
   */
  observe(durationMs: number | undefined, took: number | undefined, pace: Pace = this.#plain): void {
    if (!this.measures || durationMs === undefined) return;
    pace.learn(durationMs);
    if (took !== undefined) this.#learnRoundTrip(Math.max(0, took - durationMs));
    pace.limit = pace.isKnown ? this.#measuredLimit(pace.expectedMs) : 0;
    this.#latest = pace;
  }

  #paceOf(task: string): Pace {
    const paces = (this.#paces ??= new Map());
    const known = paces.get(task);
    if (known !== undefined && paces.size < this.#maxPaces) return known;
    const pace = known ?? new Pace();
    // The last used come last.
    paces.delete(task);
    const [oldest] = paces.keys();
    if (paces.size >= this.#maxPaces && oldest !== undefined) paces.delete(oldest);
    paces.set(task, pace);
    return pace;
  }

  /** As many jobs as are expected to take no longer than a round trip. The slots beyond the first count as such. */
  #measuredLimit(expected: number): number {
    // No round trip was measured yet, or a job is longer than one.
    if (this.#roundTrip === Number.POSITIVE_INFINITY || expected >= this.#roundTrip) return 0;
    const jobs = Math.floor(
      (this.#roundTrip + CLOCK_RESOLUTION_MS) / Math.max(expected, this.#roundTrip / MAX_MEASURED_PREFETCH),
    );
    return Math.max(0, Math.min(this.#max, jobs - Math.max(0, this.#capacity - 1)));
  }

  #learnRoundTrip(ms: number): void {
    if (ms < this.#roundTrip) this.#roundTrip = ms;
    else this.#roundTrip += RTT_DECAY * (ms - this.#roundTrip);
  }
}
