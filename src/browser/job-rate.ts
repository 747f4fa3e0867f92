/** How many jobs ended a second, over the last seconds. */

/** Seconds it looks back. */
const SECONDS = 10;

/** Counts by the second. */
export class JobRate {
  /** Ends in each of the last seconds, by second modulo their number. */
  readonly #counts: number[] = Array.from({ length: SECONDS }, () => 0);
  readonly #since: number;
  #second: number;

  /** @param now - Milliseconds on any clock, the same one from here on. */
  constructor(now: number) {
    this.#since = now;
    this.#second = Math.floor(now / 1_000);
  }

  /** A job ended. */
  count(now: number): void {
    this.#forget(now);
    this.#counts[this.#second % SECONDS] = (this.#counts[this.#second % SECONDS] ?? 0) + 1;
  }

  /** Jobs a second; over less than ten seconds when it has not counted for so long. */
  at(now: number): number {
    this.#forget(now);
    const jobs = this.#counts.reduce((sum, count) => sum + count, 0);
    return jobs / Math.min(SECONDS, Math.max(1, (now - this.#since) / 1_000));
  }

  #forget(now: number): void {
    const second = Math.floor(now / 1_000);
    const passed = Math.min(SECONDS, second - this.#second);
    for (let i = 1; i <= passed; i++) this.#counts[(second - passed + i) % SECONDS] = 0;
    this.#second = second;
  }
}
