/**
 * The rule for when a silent peer is suspect and when it is dead, by the time of the last byte received and nothing else. Pure,
 * and the same at both ends. Pinging and closing are done by session.ts and runner-connection.ts.
 */

/** What the silence of a peer means: `suspect` after two intervals, `dead` after three. */
export type PeerHealth = "healthy" | "suspect" | "dead";

/** Bytes a second that a line carries at least, as far as a frame that is seen only whole is waited for. */
const SLOW_LINE_BYTES = 32_768;
/** The longest wait for such a frame, in ms. */
const MAX_FRAME_GRACE_MS = 120_000;

/** How much longer a silence may be, in ms: where frames are seen only whole, it may be a large one on a slow line. */
export function frameGrace(hidesParts: boolean, maxFrameBytes: number): number {
  if (!hidesParts) return 0;
  return Math.min(MAX_FRAME_GRACE_MS, Math.ceil((maxFrameBytes / SLOW_LINE_BYTES) * 1_000));
}

/** One peer's signs of life. */
export class FailureDetector {
  readonly #interval: number;
  /** The silence that means death, in ms. */
  readonly longestSilence: number;
  #last: number;

  /**
   * @param interval - The heartbeat interval in ms.
   * @param now - The time it starts from.
   * @param grace - How much longer than three intervals a silence may be, in ms.
   */
  constructor(interval: number, now: number, grace = 0) {
    this.#interval = interval;
    this.longestSilence = 3 * interval + grace;
    this.#last = now;
  }

  /** A byte arrived. */
  onHeard(now: number): void {
    if (now > this.#last) this.#last = now;
  }

  /** What the silence means now. */
  health(now: number): PeerHealth {
    const silence = now - this.#last;
    if (silence >= this.longestSilence) return "dead";
    return silence >= 2 * this.#interval ? "suspect" : "healthy";
  }

  /** Whether nothing was heard for one interval: time to ask. */
  quiet(now: number): boolean {
    return now - this.#last >= this.#interval;
  }

  /** Milliseconds until the health can change if the silence lasts. */
  untilNext(now: number): number {
    const silence = now - this.#last;
    const suspectAfter = 2 * this.#interval;
    return Math.max(1, (silence < suspectAfter ? suspectAfter : this.longestSilence) - silence);
  }

  /**
   * This process stood still (a long collection, a laptop's sleep, SIGSTOP) and has not read what came in meanwhile: it has
   * no right to judge yet. Grants one more interval, else a single pause would cost every worker its session.
   */
  extend(now: number): void {
    this.#last = Math.max(this.#last, now - this.longestSilence + this.#interval);
  }

  /** Whether a liveness timer came so late that this process must have stood still. */
  stalled(lateBy: number): boolean {
    return lateBy > this.#interval;
  }
}
