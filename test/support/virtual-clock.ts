/** A clock that moves only when told, and chance from a seed. */
import type { Clock, Entropy, TimerHandle } from "../../src/core/clock.ts";

interface Timer {
  due: number;
  turn: number;
  fn: () => void;
  live: boolean;
}

export class VirtualClock implements Clock {
  #now = 0;
  #turn = 0;
  #timers: Timer[] = [];
  #endOfTurn: (() => void)[] = [];
  #nextTurn: (() => void)[] = [];

  now(): number {
    return this.#now;
  }

  set(delay: number, fn: () => void): TimerHandle {
    if (!Number.isFinite(delay) || delay < 0) throw new RangeError(`bad delay ${delay}`);
    const timer: Timer = { due: this.#now + delay, turn: this.#turn++, fn, live: true };
    this.#timers.push(timer);
    return timer;
  }

  clear(handle: TimerHandle): void {
    const timer = handle as Timer;
    timer.live = false;
    this.#timers = this.#timers.filter((other) => other !== timer);
  }

  endOfTurn(fn: () => void): void {
    this.#endOfTurn.push(fn);
  }

  nextTurn(fn: () => void): void {
    this.#nextTurn.push(fn);
  }

  /** Timers still set. A test that ends with any has leaked one. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Moves the time without firing anything: what a process sees that was stopped, when it wakes. */
  jump(ms: number): void {
    this.#now += ms;
  }

  /** Runs everything that is due now, promise callbacks included, until nothing moves any more. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 12; quiet++) {
      await null;
      if (this.#step()) quiet = -1;
    }
  }

  /** Moves the time by `ms`, firing every timer on the way at its time, and settles at each stop. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.settle();
    for (;;) {
      const next = this.#nextTimer();
      if (next === undefined || next.due > end) break;
      this.#now = Math.max(this.#now, next.due);
      this.#fire(next);
      await this.settle();
    }
    this.#now = end;
    await this.settle();
  }

  #step(): boolean {
    const batch = this.#endOfTurn.length > 0 ? this.#endOfTurn.splice(0) : this.#nextTurn.splice(0);
    for (const fn of batch) fn();
    if (batch.length > 0) return true;
    const due = this.#nextTimer();
    if (due === undefined || due.due > this.#now) return false;
    this.#fire(due);
    return true;
  }

  #nextTimer(): Timer | undefined {
    return this.#timers.reduce<Timer | undefined>((first, timer) => {
      if (first === undefined || timer.due < first.due) return timer;
      return timer.due === first.due && timer.turn < first.turn ? timer : first;
    }, undefined);
  }

  #fire(timer: Timer): void {
    this.clear(timer);
    timer.fn();
  }
}

/** sfc32: small, fast, and the same on every engine. */
export class SeededEntropy implements Entropy {
  #a: number;
  #b = 0x9e37_79b9;
  #c = 0x243f_6a88;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed >>> 0;
    for (let i = 0; i < 12; i++) this.u32();
  }

  u32(): number {
    const sum = (this.#a + this.#b + this.#counter) >>> 0;
    this.#counter = (this.#counter + 1) >>> 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) >>> 0;
    return sum;
  }

  id(): string {
    let id = "";
    for (let i = 0; i < 4; i++) id += this.u32().toString(16).padStart(8, "0");
    return id;
  }
}
