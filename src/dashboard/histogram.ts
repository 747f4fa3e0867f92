/**
 * A histogram of durations in fixed buckets, such as the latencies of metrics.ts: any number of values in a fixed space. The
 * buckets are cumulative when read, as Prometheus wants them. Browser-safe.
 */

/** Upper bounds within a decade. The largest step between neighbours is 1.1, which bounds the error of a quantile. */
const STEPS = [
  1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.75, 1.9, 2, 2.2, 2.4, 2.5, 2.75, 3, 3.3, 3.6, 3.9, 4.2, 4.6, 5, 5.5, 6, 6.5, 7,
  7.5, 8, 8.75, 9.5,
] as const;
const FIRST_DECADE = -2;
const LAST_DECADE = 9;

/** The upper bounds of the buckets, in ms, ascending: from 10 µs to 110 days, with 1, 2, 2.5 and 5 in each decade. */
export const BOUNDS_MS: readonly number[] = Array.from(
  { length: (LAST_DECADE - FIRST_DECADE + 1) * STEPS.length },
  (_, index) => Number(`${STEPS[index % STEPS.length]}e${FIRST_DECADE + Math.floor(index / STEPS.length)}`),
);

/** The largest factor by which `quantile` is above the true quantile, for values from the first bound to the last. */
export const MAX_QUANTILE_FACTOR = 1.1;

/** The values up to a bound. */
export interface CumulativeBucket {
  /** The bound, in ms; `Infinity` for the last bucket. */
  readonly le: number;
  /** Values of at most `le`. */
  readonly count: number;
}

/** Counts durations, in ms. A negative one counts as 0. */
export class Histogram {
  /** One for each bound, and one for the values above the last. */
  readonly #counts = new Float64Array(BOUNDS_MS.length + 1);
  #count = 0;
  #sum = 0;

  /** The number of values. */
  get count(): number {
    return this.#count;
  }

  /** The sum of the values, in ms. */
  get sum(): number {
    return this.#sum;
  }

  /** Counts a value. */
  add(ms: number): void {
    const bucket = bucketOf(ms);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count++;
    this.#sum += Math.max(0, ms);
  }

  /** All buckets, ascending, with `le: Infinity` last. */
  cumulative(): readonly CumulativeBucket[] {
    let count = 0;
    return Array.from(this.#counts, (own, bucket) => {
      count += own;
      return { le: BOUNDS_MS[bucket] ?? Number.POSITIVE_INFINITY, count };
    });
  }

  /**
   * An estimate of the value, in ms, that a share (0 to 1) of all values does not exceed: the upper bound of its bucket. It
   * is never too low, and at most a tenth too high. Below the first bound it is the first, above the last the last. Null
   * when nothing was counted.
   */
  quantile(share: number): number | null {
    if (this.#count === 0) return null;
    let left = Math.max(1, Math.ceil(this.#count * share));
    const bucket = this.#counts.findIndex((own) => (left -= own) <= 0);
    return BOUNDS_MS[bucket] ?? BOUNDS_MS.at(-1) ?? null;
  }

  /** Forgets all values. */
  clear(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#sum = 0;
  }
}

/** The index of the first bound that is not below `ms`, by bisection; the number of bounds when all are. */
function bucketOf(ms: number): number {
  let [low, high] = [0, BOUNDS_MS.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((BOUNDS_MS[middle] ?? Number.POSITIVE_INFINITY) < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}
