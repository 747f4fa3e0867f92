/**
 * Decides when a crashed thread is replaced, and when its place is given up. Pure. A module that crashes again and again is
 * given up, and tried but now and then. Where descriptors, memory or threads have run out, starts are tried for ever, at longer and longer intervals.
 */
import { backoffDelay } from "../core/time/backoff.ts";
import type { WithDefaults } from "../core/options.ts";
import type { Random } from "../index.ts";

/** A thread that has lived so long, in ms, did start well: its crash is not counted. */
const STABLE_AFTER_MS = 10_000;

/** A place that is given up is tried again after so long at most, in ms, and after half of it at least. */
const SLOW_RETRY_MS = 60_000;

/** When a thread is started again. All durations in ms. */
export interface RestartOptions {
  /**
   * A thread's place is given up after so many crashes in a row, none of which had begun a job or lived 10 s; default 10. From
   * then on it is tried once a minute, or each `restartMax` if that is longer.
   * For want of descriptors or memory it is never given up: threads are tried until one is of use.
   */
  readonly maxCrashes?: number | undefined;
  /** The first pause after a crash is random up to this; it doubles with each further one; default 100. */
  readonly restartMin?: number | undefined;
  /** The pauses' upper bound; default 30,000. */
  readonly restartMax?: number | undefined;
  /** How long a thread may take to load the module and register; default 30,000. */
  readonly startTimeout?: number | undefined;
}

/** How often and how fast to try. */
export type RestartLimits = WithDefaults<Omit<RestartOptions, "startTimeout">>;

/** What a thread did before it crashed. */
export interface ThreadHistory {
  /** Milliseconds from its registration; 0 if it never came so far. */
  readonly lived: number;
  /** Whether it was given a job: its death may be the job's doing, and how often a job may do so is limited elsewhere. */
  readonly begun: boolean;
  /** Whether it died for want of something that had run out: that says nothing about its module. */
  readonly scarce: boolean;
}

/** What follows a crash. */
export interface Restart {
  /** Milliseconds until the next thread is started. */
  readonly after: number;
  /** Whether the place is given up, and the next thread comes late. */
  readonly isGivenUp: boolean;
  /** Whether a time in which something has run out began with it. */
  readonly isScarce: boolean;
}

/** The crashes of one place in the pool. */
export class RestartPolicy {
  readonly #limits: RestartLimits;
  readonly #random: Random;
  /** Crashes in a row of threads that were of no use, whatever they died of. */
  #useless = 0;
  /** The last of those, as far as nothing had run out. */
  #inARow = 0;
  /** Something has run out, and no thread has been of use since. */
  #isScarce = false;

  constructor(limits: RestartLimits, random: Random) {
    this.#limits = limits;
    this.#random = random;
  }

  /** Crashes in a row of threads that were of no use, and not for want of anything. */
  get inARow(): number {
    return this.#inARow;
  }

  /** What follows the crash of a thread that lived so. */
  onCrash({ lived, begun, scarce }: ThreadHistory): Restart {
    if (begun || lived >= STABLE_AFTER_MS) {
      this.#useless = 0;
      this.#inARow = 0;
      this.#isScarce = false;
    } else {
      this.#useless++;
      // What crashes in between may do so for the same want, in other words.
      this.#inARow = scarce ? 0 : this.#inARow + 1;
    }
    const isNews = scarce && !this.#isScarce;
    if (scarce) this.#isScarce = true;
    const { restartMin, restartMax, maxCrashes } = this.#limits;
    const isGivenUp = this.#inARow >= maxCrashes;
    const pause = Math.max(SLOW_RETRY_MS, restartMax) / 2;
    const after = isGivenUp
      ? pause + backoffDelay(this.#random, pause, pause, 0)
      : backoffDelay(this.#random, restartMin, restartMax, this.#useless - 1);
    return { after, isGivenUp, isScarce: isNews };
  }
}
