/**
 * A clock for models: time passes within one call, without a turn of the event loop, so that hundreds of thousands of
 * scripts fit into seconds. Promise callbacks do not run in between, which only code without promises can live with.
 */
import type { Clock, TimerHandle } from "../../src/core/time/clock.ts";

interface Timer {
  readonly due: number;
  readonly fn: () => void;
}

/** Virtual time that passes at once. */
export class HandClock implements Clock {
  /** What was asked of it that no host could do. */
  readonly faults: string[] = [];
  #now = 0;
  #timers: Timer[] = [];

  now(): number {
    return this.#now;
  }

  set(delay: number, fn: () => void): TimerHandle {
    if (!Number.isInteger(delay) || delay < 0) this.faults.push(`a timer of ${delay} ms`);
    const timer: Timer = { due: this.#now + delay, fn };
    this.#timers.push(timer);
    return timer;
  }

  clear(handle: TimerHandle): void {
    this.#timers = this.#timers.filter((timer) => timer !== handle);
  }

  endOfTurn(): void {
    throw new Error("no turns here");
  }

  nextTurn(): void {
    throw new Error("no turns here");
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Moves the time without firing anything. */
  jump(ms: number): void {
    this.#now += ms;
  }

  /** Moves the time, firing each timer at its time, or now when that has passed. */
  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const first = this.#timers.reduce<Timer | undefined>(
        (earliest, timer) => (earliest === undefined || timer.due < earliest.due ? timer : earliest),
        undefined,
      );
      if (first === undefined || first.due > end) break;
      this.#now = Math.max(this.#now, first.due);
      this.clear(first);
      first.fn();
    }
    this.#now = end;
  }
}

/** A turn of the event loop: every promise callback that what was done led to has run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
