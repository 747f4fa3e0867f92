/**
 * One wait on a clock, however long, with a timer of the host for each. As many waits as there are jobs share one:
 * timer-queue.ts.
 */
import { type Clock, MAX_DURATION, type TimerHandle } from "./clock.ts";

/** A timer that can be set, moved and dropped any number of times. */
export class Timer {
  readonly #clock: Clock;
  readonly #keepAlive: boolean;
  readonly #callback: (lateBy: number) => void;
  #due = Number.POSITIVE_INFINITY;
  #handle: TimerHandle;

  /** @param keepAlive - Whether waiting is a reason for the process to stay. */
  constructor(clock: Clock, keepAlive: boolean, callback: (lateBy: number) => void) {
    this.#clock = clock;
    this.#keepAlive = keepAlive;
    this.#callback = callback;
  }

  /** When it is due, on its clock; `Infinity` while it is not set. */
  get due(): number {
    return this.#due;
  }

  /** Sets (or moves) it to `delay` ms from now; `Infinity` drops it. */
  set(delay: number): void {
    this.setAt(this.#clock.now() + delay);
  }

  /** Sets (or moves) it to that time of the clock; `Infinity` drops it. */
  setAt(due: number): void {
    this.drop();
    if (due === Number.POSITIVE_INFINITY) return;
    this.#due = due;
    this.#wait();
  }

  /** Forgets it. Harmless when it is not set. */
  drop(): void {
    if (this.#due === Number.POSITIVE_INFINITY) return;
    this.#due = Number.POSITIVE_INFINITY;
    this.#clock.clear(this.#handle);
    this.#handle = undefined;
  }

  #wait(): void {
    // Rounded up: hosts round timers down to whole milliseconds and would fire before the time, once for nothing. A wait
    // beyond the longest host timer, which a peer may ask for, is taken in several steps: hosts would fire at once.
    const delay = Math.min(MAX_DURATION, Math.max(0, Math.ceil(this.#due - this.#clock.now())));
    this.#handle = this.#clock.set(delay, this.#fire, this.#keepAlive);
  }

  readonly #fire = (): void => {
    const lateBy = this.#clock.now() - this.#due;
    if (lateBy < 0) return this.#wait();
    this.#due = Number.POSITIVE_INFINITY;
    this.#handle = undefined;
    this.#callback(lateBy);
  };
}
