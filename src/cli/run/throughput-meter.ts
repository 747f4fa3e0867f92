/** How fast something counts up now: a rate over the last seconds, not since the beginning. */

const SPAN = 5_000; // ms
const STEP = 250; // ms between the samples kept

interface Sample {
  readonly at: number;
  readonly count: number;
}

/** Fed with a growing count now and then, tells how much it grew a second. */
export class ThroughputMeter {
  readonly #samples: Sample[] = [];

  /** @param now - In ms, as in all methods; 0 was counted then. */
  constructor(now: number) {
    this.#samples.push({ at: now, count: 0 });
  }

  /** The count at this moment. */
  note(now: number, count: number): void {
    const newest = this.#samples.at(-1);
    if (newest !== undefined && now - newest.at < STEP) return;
    this.#samples.push({ at: now, count });
    // One sample older than the span stays, to measure from.
    while (this.#samples.length > 2 && now - (this.#samples[1]?.at ?? now) > SPAN) this.#samples.shift();
  }

  /** Counts a second over the last seconds; 0 when no time has passed. */
  perSecond(now: number, count: number): number {
    const [oldest] = this.#samples;
    if (oldest === undefined || now <= oldest.at) return 0;
    return ((count - oldest.count) * 1_000) / (now - oldest.at);
  }
}
