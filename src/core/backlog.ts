/**
 * Does the peer read what it is sent? Decides from the bytes that have not left yet and nothing else; session.ts looks and
 * acts. Without it one paused peer would make the runner buffer without bound.
 */

/** The limits of a backlog. */
export interface BacklogRules {
  /** Above so many unsent bytes the peer gets no new work. */
  readonly highWater: number;
  /** Above so many unsent bytes it is given up. */
  readonly maxBuffered: number;
  /** It is given up, too, when the backlog has not shrunk for so many ms. */
  readonly stallTimeout: number;
}

/** What a backlog means. */
export type BacklogVerdict = "clear" | "congested" | "overflow" | "stuck";

/** The unsent bytes of one peer over time. */
export class Backlog {
  readonly #rules: BacklogRules;
  #bytes = 0;
  #since = 0;
  /** Whether it was over the high-water mark when last looked at. */
  congested = false;

  constructor(rules: BacklogRules) {
    this.#rules = rules;
  }

  /** Looks at the bytes that wait now. */
  look(bytes: number, now: number): BacklogVerdict {
    if (!this.congested || bytes < this.#bytes) this.#since = now;
    this.#bytes = bytes;
    this.congested = bytes > this.#rules.highWater;
    if (!this.congested) return "clear";
    if (bytes > this.#rules.maxBuffered) return "overflow";
    return now - this.#since >= this.#rules.stallTimeout ? "stuck" : "congested";
  }
}
