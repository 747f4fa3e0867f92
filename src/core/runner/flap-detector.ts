/**
 * Detects two workers that share a name: each registration ends the other session, again and again, unless one is refused.
 */
import type { Clock } from "../time/clock.ts";

const WINDOW_MS = 60_000;
const SWEEP_ABOVE = 1_024;

/** How often each identity was replaced in the last minute. */
export class FlapDetector {
  readonly #clock: Clock;
  readonly #allowed: number;
  readonly #times = new Map<string, number[]>();

  /** @param clock - Where the time comes from. @param allowed - How many a minute are let through. */
  constructor(clock: Clock, allowed: number) {
    this.#clock = clock;
    this.#allowed = allowed;
  }

  /** How many identities it has records of. */
  get size(): number {
    return this.#times.size;
  }

  /** Records a replacement; returns 0, or the ms after which the next one would be let through when there have been too many. */
  record(identity: string): number {
    const now = this.#clock.now();
    const recent = (this.#times.get(identity) ?? []).filter((time) => time > now - WINDOW_MS);
    const oldest = recent[0];
    if (oldest !== undefined && recent.length >= this.#allowed) return oldest + WINDOW_MS - now;
    recent.push(now);
    this.#times.set(identity, recent);
    if (this.#times.size > SWEEP_ABOVE) this.#sweep(now);
    return 0;
  }

  #sweep(now: number): void {
    for (const [identity, times] of this.#times)
      if ((times.at(-1) ?? 0) <= now - WINDOW_MS) this.#times.delete(identity);
  }
}
