/**
 * The rule for when a silent peer is suspect and when it is dead, by the time of the last byte received and nothing else. Pure,
 * and the same at both ends. Pinging and closing are done by session.ts and runner-connection.ts.
 */

/** What the silence of a peer means: `suspect` after two intervals, `dead` after three. */
export type PeerHealth = "healthy" | "suspect" | "dead";

/** One peer's signs of life. */
export class FailureDetector {
  readonly #interval: number;
  #last: number;

  /**
   * @param interval - The heartbeat interval in ms.
   * @param now - The time it starts from.
   */
  constructor(interval: number, now: number) {
    this.#interval = interval;
    this.#last = now;
  }

  /** A byte arrived. */
  onHeard(now: number): void {
    if (now > this.#last) this.#last = now;
  }

  /** What the silence means now. */
  health(now: number): PeerHealth {
    const silence = now - this.#last;
    if (silence >= 3 * this.#interval) return "dead";
    return silence >= 2 * this.#interval ? "suspect" : "healthy";
  }

  /** Whether nothing was heard for one interval: time to ask. */
  quiet(now: number): boolean {
    return now - this.#last >= this.#interval;
  }

  /** Milliseconds until the health can change if the silence lasts. */
  untilNext(now: number): number {
    const silence = now - this.#last;
    const next = silence < 2 * this.#interval ? 2 : 3;
    return Math.max(1, next * this.#interval - silence);
  }

  /**
   * This process stood still (a long collection, a laptop's sleep, SIGSTOP) and has not read what came in meanwhile: it has
   * no right to judge yet. Grants one more interval, else a single pause would cost every worker its session.
   */
  extend(now: number): void {
    this.#last = Math.max(this.#last, now - 2 * this.#interval);
  }

  /** Whether a liveness timer came so late that this process must have stood still. */
  stalled(lateBy: number): boolean {
    return lateBy > this.#interval;
  }
}
