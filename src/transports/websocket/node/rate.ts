/** A bounded rate: so many a second on average, so many at once. Browser-safe; time comes from outside. */
import type { Clock } from "../../../core/time/clock.ts";

/** A bucket that fills steadily and is emptied one by one. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #clock: Clock;
  #left: number;
  #at: number;

  /** @param burst - How many may come at once; also what is there at the beginning. */
  constructor(perSecond: number, burst: number, clock: Clock) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#clock = clock;
    this.#left = burst;
    this.#at = clock.now();
  }

  /** Whether there is none to take now. */
  get isEmpty(): boolean {
    if (this.#perSecond === Number.POSITIVE_INFINITY) return false;
    const now = this.#clock.now();
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#at) / 1_000) * this.#perSecond);
    this.#at = now;
    return this.#left < 1;
  }

  /** Takes one, or says that there is none. */
  take(): boolean {
    if (this.isEmpty) return false;
    this.#left--;
    return true;
  }
}
