/**
 * Time and chance as the core sees them, and the one queue of deadlines in it. The real ones are in host.ts; a test
 * passes its own. Nothing else in the core may name a timer, a date or a random source.
 */
import { MAX_DURATION } from "./options.ts";

/** What `Clock.set` returned. Opaque to everyone but the clock that made it. */
export type TimerHandle = unknown;

/** The core's only source of time. All durations are milliseconds. */
export interface Clock {
  /** A monotonic reading in milliseconds, from an arbitrary start. */
  now(): number;
  /** Calls `fn` once, not before `delay` ms have passed. `keepAlive` says whether waiting for it is a reason for the process to stay. */
  set(delay: number, fn: () => void, keepAlive: boolean): TimerHandle;
  /** Forgets a timer. Harmless when it has fired. */
  clear(handle: TimerHandle): void;
  /** Calls `fn` once when the code that runs now, and what follows from it at once, is done: where a batch is sent. */
  endOfTurn(fn: () => void): void;
  /** Calls `fn` once in a later turn of the event loop, after pending input: how frames move inside one process. */
  nextTurn(fn: () => void): void;
}

/** The core's only source of chance. */
export interface Entropy {
  /** A uniform integer from 0 to 2^32 - 1. */
  u32(): number;
  /** A fresh random name of 128 bits: 32 hexadecimal digits. */
  id(): string;
}

/** A uniform number from 0 (included) to `limit` (excluded): the "full jitter" of a backoff. */
export function jitter(entropy: Entropy, limit: number): number {
  return (entropy.u32() / 0x1_0000_0000) * limit;
}

/** One place in a {@link DeadlineQueue}. Whoever waits extends it, or owns an {@link Alarm}; it is reused for each wait. */
export abstract class Deadline {
  /** When it is due, on the queue's clock; `Infinity` while it is not waiting. */
  due: number = Number.POSITIVE_INFINITY;
  /** @internal Where it stands in the heap, or -1. */
  place = -1;
  /** @internal Breaks ties: the one set first is due first. */
  turn = 0;

  /** Called when the time has come, with the milliseconds it comes late. */
  abstract fire(lateBy: number): void;
}

/** A deadline that calls a function. */
export class Alarm extends Deadline {
  readonly #ring: (lateBy: number) => void;

  constructor(ring: (lateBy: number) => void) {
    super();
    this.#ring = ring;
  }

  override fire(lateBy: number): void {
    this.#ring(lateBy);
  }
}

/**
 * Any number of deadlines behind one host timer: a heap that knows each entry's place, so that setting and dropping cost
 * no allocation and no host call. Two queues differ only in whether waiting keeps the process alive.
 */
export class DeadlineQueue {
  readonly #clock: Clock;
  readonly #keepAlive: boolean;
  readonly #heap: Deadline[] = [];
  #turn = 0;
  #timer: TimerHandle;
  #timerDue = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, keepAlive: boolean) {
    this.#clock = clock;
    this.#keepAlive = keepAlive;
  }

  /** How many deadlines wait. */
  get size(): number {
    return this.#heap.length;
  }

  /** Sets (or moves) a deadline to `delay` ms from `now`, which a caller hands in if it has just looked; `Infinity` drops it. */
  set(deadline: Deadline, delay: number, now: number = this.#clock.now()): void {
    if (delay === Number.POSITIVE_INFINITY) return this.drop(deadline);
    deadline.due = now + delay;
    deadline.turn = this.#turn++;
    if (deadline.place < 0) {
      deadline.place = this.#heap.length;
      this.#heap.push(deadline);
      this.#up(deadline);
    } else {
      this.#up(deadline);
      this.#down(deadline);
    }
    this.#arm();
  }

  /** Forgets a deadline. Harmless when it does not wait. */
  drop(deadline: Deadline): void {
    this.#remove(deadline);
    // A timer left armed for a dropped deadline fires in vain and re-arms, which is cheaper than a host call for each
    // job; only the last one out must take it along, or it would keep the process alive.
    if (this.#heap.length === 0) this.#disarm();
  }

  #remove(deadline: Deadline): void {
    const place = deadline.place;
    if (place < 0 || this.#heap[place] !== deadline) return; // it waits in another queue, or in none
    deadline.place = -1;
    deadline.due = Number.POSITIVE_INFINITY;
    const last = this.#heap.pop();
    if (last === undefined || last === deadline) return;
    this.#heap[place] = last;
    last.place = place;
    this.#up(last);
    this.#down(last);
  }

  #arm(): void {
    const first = this.#heap[0];
    if (first === undefined) return this.#disarm();
    if (first.due >= this.#timerDue) return;
    this.#disarm();
    this.#timerDue = first.due;
    // Rounded up: hosts round timers down to whole milliseconds and would fire before the time, once for nothing. A wait
    // beyond the longest host timer, which a peer may ask for, is taken in several steps: hosts would fire at once.
    const delay = Math.min(MAX_DURATION, Math.max(0, Math.ceil(first.due - this.#clock.now())));
    this.#timer = this.#clock.set(delay, this.#fire, this.#keepAlive);
  }

  #disarm(): void {
    if (this.#timerDue === Number.POSITIVE_INFINITY) return;
    this.#timerDue = Number.POSITIVE_INFINITY;
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }

  readonly #fire = (): void => {
    this.#timerDue = Number.POSITIVE_INFINITY;
    this.#timer = undefined;
    const now = this.#clock.now();
    // Only what was set before: a deadline that sets itself to now, again and again, must not hold up the turn for ever.
    const turn = this.#turn;
    try {
      for (let first = this.#heap[0]; first !== undefined && first.due <= now; first = this.#heap[0]) {
        if (first.turn >= turn) break;
        const lateBy = now - first.due;
        this.#remove(first);
        first.fire(lateBy);
      }
    } finally {
      this.#arm(); // also when one throws, which is the host's to report: the others still wait
    }
  };

  #before(a: Deadline, b: Deadline): boolean {
    return a.due < b.due || (a.due === b.due && a.turn < b.turn);
  }

  #up(deadline: Deadline): void {
    let place = deadline.place;
    while (place > 0) {
      const parentPlace = (place - 1) >> 1;
      const parent = this.#heap[parentPlace];
      if (parent === undefined || !this.#before(deadline, parent)) break;
      this.#heap[place] = parent;
      parent.place = place;
      place = parentPlace;
    }
    this.#heap[place] = deadline;
    deadline.place = place;
  }

  #down(deadline: Deadline): void {
    let place = deadline.place;
    for (;;) {
      let childPlace = 2 * place + 1;
      let child = this.#heap[childPlace];
      if (child === undefined) break;
      const right = this.#heap[childPlace + 1];
      if (right !== undefined && this.#before(right, child)) {
        child = right;
        childPlace++;
      }
      if (!this.#before(child, deadline)) break;
      this.#heap[place] = child;
      child.place = place;
      place = childPlace;
    }
    this.#heap[place] = deadline;
    deadline.place = place;
  }
}
