/** Chance that can be had again: numbers from a seed. */

/** A stream of numbers, the same for the same seed (mulberry32). */
export class Chance {
  #state: number;

  /** @param seed - An integer; only its low 32 bits count. */
  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** From 0, up to 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }

  /** One of a list, which is not empty. */
  pick<T>(list: readonly T[]): T {
    const one = list[this.between(0, list.length - 1)];
    if (one === undefined) throw new Error("nothing to pick from");
    return one;
  }
}
