/** A token bucket: limits the average rate and the burst of what it is asked for. Pure; time comes from outside. */

/** How fast a bucket fills. */
export interface TokenBucketRate {
  /** Tokens it holds at most; also what is in it at first. `Infinity`: no limit. */
  readonly burst: number;
  /** Tokens that are added, evenly, in each `interval`. */
  readonly refill: number;
  /** In ms; 1,000 when absent. */
  readonly interval?: number;
}

/** A bucket that fills steadily and is emptied one by one. */
export class TokenBucket {
  readonly #burst: number;
  readonly #refill: number;
  readonly #interval: number;
  #tokens: number;
  #filledAt: number;

  constructor({ burst, refill, interval = 1_000 }: TokenBucketRate, now: number) {
    this.#burst = burst;
    this.#refill = refill;
    this.#interval = interval;
    this.#tokens = burst;
    this.#filledAt = now;
  }

  /** Whether there is no token to take now. */
  isEmpty(now: number): boolean {
    if (this.#burst === Number.POSITIVE_INFINITY) return false;
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#filledAt) / this.#interval) * this.#refill);
    this.#filledAt = now;
    return this.#tokens < 1;
  }

  /** Takes a token; `false` when there is none. */
  spend(now: number): boolean {
    if (this.isEmpty(now)) return false;
    this.#tokens--;
    return true;
  }
}
