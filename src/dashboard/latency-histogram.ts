/** How long jobs took, in buckets: any number of them in a fixed space, and what share took no longer than what. */

/** The shortest time that is told apart from none, in ms. */
const FINEST = 0.01;
/** Buckets for each doubling: a quantile is off by 4.5 % at most. */
const PER_DOUBLING = 8;
/** Up to 25 days; what takes longer is in the last one. */
const BUCKETS = 38 * PER_DOUBLING;

/** Counts durations. */
export class LatencyHistogram {
  readonly #counts = new Uint32Array(BUCKETS);
  #total = 0;

  /** How many were counted. */
  get total(): number {
    return this.#total;
  }

  /** Counts one, in ms. */
  add(ms: number): void {
    const bucket = ms <= FINEST ? 0 : Math.ceil(Math.log2(ms / FINEST) * PER_DOUBLING);
    const at = Math.min(bucket, BUCKETS - 1);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#total++;
  }

  /** The time in ms that so large a share (0 to 1) took at most, to the next bucket; null when nothing was counted. */
  quantile(share: number): number | null {
    if (this.#total === 0) return null;
    let left = Math.max(1, Math.ceil(this.#total * share));
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#counts[bucket] ?? 0;
      if (left <= 0) return FINEST * 2 ** (bucket / PER_DOUBLING);
    }
    return null;
  }

  /** Forgets them all. */
  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }
}
