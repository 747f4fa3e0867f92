/** How fast a count grows now: over the last seconds, not since the beginning. Holds about twenty samples. */

/** The shortest span a rate is taken over, in ms: less would show a burst as a speed. */
const MIN_SPAN_MS = 1_000;
const SAMPLES_PER_WINDOW = 20;

interface Sample {
  readonly at: number;
  readonly count: number;
}

/** Is given a growing count again and again, and tells by how much it grew a second. */
export class SlidingRate {
  readonly #windowMs: number;
  #oldest: Sample;
  #newest: Sample;
  /** Those after the oldest. */
  #samples: Sample[] = [];

  /** @param now - In ms on any clock, the same one from here on. The count was 0 then. */
  constructor(windowMs: number, now: number) {
    this.#windowMs = windowMs;
    this.#oldest = { at: now, count: 0 };
    this.#newest = this.#oldest;
  }

  /** Takes in the count at this moment, and returns how much it grew a second over the window. */
  sample(now: number, count: number): number {
    const since = now - this.#newest.at;
    if (since > this.#windowMs) {
      // All growth since the last sample counts as that of the last window.
      this.#oldest = { at: now - this.#windowMs, count: this.#newest.count };
      this.#samples = [];
    }
    if (since >= this.#windowMs / SAMPLES_PER_WINDOW) this.#push({ at: now, count });
    return ((count - this.#oldest.count) * 1_000) / Math.max(MIN_SPAN_MS, now - this.#oldest.at);
  }

  /** One sample older than the window stays, to measure from. */
  #push(sample: Sample): void {
    this.#newest = sample;
    this.#samples.push(sample);
    for (
      let [next] = this.#samples;
      next !== undefined && sample.at - next.at > this.#windowMs;
      [next] = this.#samples
    ) {
      this.#oldest = next;
      this.#samples.shift();
    }
  }
}
