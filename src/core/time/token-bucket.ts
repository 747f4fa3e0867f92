/** How many PINGs a peer may send: an answer costs this end work that the peer gets for free. */

const BURST = 10;
const PER_INTERVAL = 4;

/** A token bucket: ten at once, then four per heartbeat interval. An honest worker sends one. */
export class TokenBucket {
  readonly #interval: number;
  #tokens = BURST;
  #last: number;

  constructor(interval: number, now: number) {
    this.#interval = interval;
    this.#last = now;
  }

  /** Takes one; `false` when there is none left. */
  spend(now: number): boolean {
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#last) / this.#interval) * PER_INTERVAL);
    this.#last = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
