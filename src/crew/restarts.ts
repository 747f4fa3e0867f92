/** Decides when a crashed thread is replaced, and when that makes no sense any more. Counts; starts nothing. */
import { jitter } from "../core/clock.ts";
import type { Entropy } from "../index.ts";

/** A thread that has lived so long, in ms, did start well, whatever killed it. */
const LONG_LIFE = 10_000;

/** How often and how fast to try. */
export interface RestartLimits {
  readonly restartMin: number;
  readonly restartMax: number;
  readonly maxCrashes: number;
}

/** What a thread did before it crashed. */
export interface Life {
  /** Milliseconds from its registration; 0 if it never came so far. */
  readonly lived: number;
  /** Whether it was given a job: its death may be the job's doing, and how often a job may do so is limited elsewhere. */
  readonly begun: boolean;
}

/** The crashes of one place in the pool. */
export class Restarts {
  readonly #limits: RestartLimits;
  readonly #entropy: Entropy;
  #inARow = 0;

  constructor(limits: RestartLimits, entropy: Entropy) {
    this.#limits = limits;
    this.#entropy = entropy;
  }

  /** Crashes in a row of threads that were of no use. */
  get inARow(): number {
    return this.#inARow;
  }

  /** Milliseconds until the next thread is started; `undefined`: no more. */
  crashed({ lived, begun }: Life): number | undefined {
    const { restartMin, restartMax, maxCrashes } = this.#limits;
    this.#inARow = begun || lived >= LONG_LIFE ? 0 : this.#inARow + 1;
    if (this.#inARow >= maxCrashes) return undefined;
    const doublings = Math.min(Math.max(0, this.#inARow - 1), 30);
    const bound = Math.min(restartMax, restartMin * 2 ** doublings);
    return jitter(this.#entropy, bound);
  }
}
