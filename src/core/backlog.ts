/**
 * Does the peer read what it is sent? Decides from the bytes that have not left yet and nothing else; congestion.ts looks,
 * the session or the worker acts. Without it one paused peer would make the other end buffer without bound.
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

/** The limits as they hold, with room for two of the largest payloads. */
export function backlogLimits(given: {
  readonly highWater: number;
  readonly maxBuffered: number;
  readonly maxPayload: number;
}): { readonly highWater: number; readonly maxBuffered: number } {
  const maxBuffered = Math.max(given.maxBuffered, 2 * given.maxPayload);
  // A backlog is only looked at above the high-water mark: one above the hard limit would switch that off.
  return { maxBuffered, highWater: Math.min(given.highWater, maxBuffered) };
}

/** What a backlog means. */
export type BacklogVerdict = "clear" | "congested" | "overflow" | "stuck";

/** The unsent bytes of one peer over time. */
export class Backlog {
  readonly #rules: BacklogRules;
  #bytes = 0;
  #since = 0;
  #allowance = 0;
  /** Whether the peer was to get no new work when this was last looked at. */
  congested = false;

  constructor(rules: BacklogRules) {
    this.#rules = rules;
  }

  /**
   * Looks at the bytes that wait now.
   * @param isOverShare - Whether they are too many for what all peers hold together, though not for this one.
   */
  look(bytes: number, now: number, isOverShare = false): BacklogVerdict {
    const { highWater, maxBuffered, stallTimeout } = this.#rules;
    if (!this.congested || bytes < this.#bytes) this.#since = now;
    this.#bytes = bytes;
    const isHigh = bytes > highWater;
    this.congested = isHigh || isOverShare;
    if (!this.congested) {
      this.#allowance = 0;
      return "clear";
    }
    if (bytes > maxBuffered + this.#allowance) return "overflow";
    return isHigh && this.unchangedFor(now) >= stallTimeout ? "stuck" : "congested";
  }

  /** For how many ms it has not shrunk. */
  unchangedFor(now: number): number {
    return now - this.#since;
  }

  /** So many ms do not count: nothing could be taken meanwhile. */
  excuse(ms: number): void {
    this.#since += ms;
  }

  /** So many bytes more may wait until it is clear again: they were admitted before it was not. */
  allow(bytes: number): void {
    this.#allowance += bytes;
  }
}
