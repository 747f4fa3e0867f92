/** Random numbers from a seed: the same numbers on every engine, and streams that do not disturb each other. */
import type { Random } from "../../core/time/clock.ts";

/** Draws thrown away first, so that seeds that differ by one bit do not begin alike. */
const WARM_UP = 12;

/** Mixes a text into a seed (FNV-1a). */
function mix(seed: number, name: string): number {
  let hash = (seed ^ 0x811c_9dc5) >>> 0;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x0100_0193) >>> 0;
  return hash;
}

/**
 * A {@link Random} that repeats itself: sfc32, small and fast.
 *
 * ```ts
 * const random = new SeededRandom(42);
 * const runner = new JobRunner({ random });
 * ```
 */
export class SeededRandom implements Random {
  readonly #seed: number;
  #a: number;
  #b = 0x9e37_79b9;
  #c = 0x243f_6a88;
  #counter = 1;

  /**
   * @param seed - Any whole number below 2^53. There are 2^32 different ones.
   * @throws RangeError when it is none.
   */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed)) throw new RangeError(`a seed is a whole number below 2^53, not ${String(seed)}`);
    // The high half is stirred in, so that neighbours beyond 2^32 are not what they are below it.
    this.#seed = (seed ^ Math.imul(Math.floor(seed / 0x1_0000_0000), 0x9e37_79b1)) >>> 0;
    this.#a = this.#seed;
    for (let i = 0; i < WARM_UP; i++) this.u32();
  }

  /** A uniform integer from 0 to 2^32 - 1. */
  u32(): number {
    const sum = (this.#a + this.#b + this.#counter) >>> 0;
    this.#counter = (this.#counter + 1) >>> 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) >>> 0;
    return sum;
  }

  /** A name of 128 bits: 32 hexadecimal digits. */
  id(): string {
    let id = "";
    for (let i = 0; i < 4; i++) id += this.u32().toString(16).padStart(8, "0");
    return id;
  }

  /** A uniform number from 0 (included) to 1 (excluded), as of `Math.random`. */
  random(): number {
    return this.u32() / 0x1_0000_0000;
  }

  /** A uniform whole number from 0 (included) to `limit` (excluded). */
  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  /** One of the items. @throws RangeError when there is none. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError("nothing to pick from");
    return items[this.below(items.length)] as T;
  }

  /** Another stream of the same seed: what is drawn from one does not shift the other. The same name gives the same stream. */
  stream(name: string): SeededRandom {
    return new SeededRandom(mix(this.#seed, name));
  }
}
