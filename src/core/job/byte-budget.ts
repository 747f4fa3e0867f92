/**
 * A budget in bytes for jobs under way and what waits to be taken away. Pure: counts, and says whether one more may be
 * admitted. The size of a result is unknown while its job runs, so each job in flight reserves an estimate.
 *
 * Invariants: the budget gates admission only, and what is admitted keeps its bytes until they are released. When nothing
 * is held, one item is admitted whatever its size. So the bytes held never exceed limit + jobs in flight × largest result.
 */

/** The estimate loses this part with each result: after a large one it halves within about 90 small ones. */
const DECAY = 1 / 128;

/** Bytes held against one limit. */
export class ByteBudget {
  /** What may be held, in bytes. */
  readonly limit: number;
  #held = 0;
  #inFlight = 0;
  #estimate = 0;
  #largest = 0;

  /** @param limit - In bytes. */
  constructor(limit: number) {
    this.limit = limit;
  }

  /** Bytes that are known to be held. */
  get held(): number {
    return this.#held;
  }

  /** Jobs whose result is still to come. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** What one job in flight is expected to add, in bytes: the largest of the recent results, which fades. */
  get estimate(): number {
    return this.#estimate;
  }

  /** The largest result of all, in bytes. */
  get largest(): number {
    return this.#largest;
  }

  /** Whether an item of `bytes` may be admitted now. Its result is reserved too when `isJob`. */
  admits(bytes: number, isJob: boolean = true): boolean {
    if (this.#held === 0 && this.#inFlight === 0) return true;
    const reserved = this.#estimate * (this.#inFlight + (isJob ? 1 : 0));
    return this.#held + bytes + reserved <= this.limit;
  }

  /** Admits a job of `bytes`. They are held until released. */
  begin(bytes: number): void {
    this.#held += bytes;
    this.#inFlight++;
  }

  /** A job has settled: the `bytes` of what it left are held, too, and are learned from. */
  settle(bytes: number): void {
    this.#held += bytes;
    this.#inFlight--;
    const faded = this.#estimate - this.#estimate * DECAY;
    this.#estimate = bytes > faded ? bytes : faded;
    if (bytes > this.#largest) this.#largest = bytes;
  }

  /** Holds bytes that belong to no job in flight. */
  hold(bytes: number): void {
    this.#held += bytes;
  }

  /** Bytes that were held are let go. */
  release(bytes: number): void {
    this.#held -= bytes;
  }
}
