/**
 * A clock that moves only when asked to. It owns the order of events: one at a time, each followed by every promise callback it
 * leads to, before the next. What the events do is their owners' business.
 */
import type { Clock, Random, TimerHandle } from "../../core/time/clock.ts";
import { inTurns } from "./event-loop.ts";

/** The time of a simulated world: to be read, and to set timers by. It cannot be moved. */
export interface SimulationClock extends Clock {
  /** Timers that are set, on every machine and between them. */
  readonly pending: number;
  /** When the next timer is due; `undefined` when none is set. */
  readonly next: number | undefined;
}

interface Timer {
  readonly due: number;
  /** Orders timers that are due at the same time. */
  readonly tie: number;
  readonly turn: number;
  readonly fn: () => void;
  live: boolean;
}

/** Options of a {@link VirtualClock}. */
export interface VirtualClockOptions {
  /** Draws the order of timers that are due at the same instant, to find code that depends on it; else the first set is first. */
  readonly shuffle?: Random | undefined;
  /** Called before each event and once after the last, when everything that the event before led to has happened. What it throws ends the run. */
  readonly betweenEvents?: (() => void) | undefined;
}

function before(a: Timer, b: Timer): boolean {
  if (a.due !== b.due) return a.due < b.due;
  return a.tie === b.tie ? a.turn < b.turn : a.tie < b.tie;
}

/**
 * Virtual time for a JobRunner and its workers, in milliseconds from 0. Nothing happens by itself:
 *
 * ```ts
 * const clock = new VirtualClock();
 * const runner = new JobRunner({ clock });
 * const starting = runner.start();
 * await clock.settle();
 * const result = runner.execute("4*2"); // no worker is there
 * await clock.advance(5_000); // rejects: TimeoutError
 * ```
 */
export class VirtualClock implements SimulationClock {
  readonly #options: VirtualClockOptions;
  readonly #heap: Timer[] = [];
  #now = 0;
  #timersSet = 0;
  #pending = 0;
  #ends: (() => void)[] = [];
  #turns: (() => void)[] = [];
  /** The last move of the clock: moves follow one another. */
  #lastMove: Promise<void> = Promise.resolve();
  #runs = false;
  #outside = false;

  /** @param options - See {@link VirtualClockOptions}. */
  constructor(options: VirtualClockOptions = {}) {
    this.#options = options;
  }

  /** Milliseconds since the clock was made. */
  now(): number {
    return this.#now;
  }

  /** Calls `fn` once, `delay` ms from now. @throws RangeError when the delay is negative or no finite number. */
  set(delay: number, fn: () => void): TimerHandle {
    if (!Number.isFinite(delay) || delay < 0) throw new RangeError(`a delay is a number of ms from 0, not ${delay}`);
    const turn = this.#timersSet++;
    const timer: Timer = { due: this.#now + delay, tie: this.#options.shuffle?.u32() ?? turn, turn, fn, live: true };
    this.#pending++;
    this.#push(timer);
    return timer;
  }

  /** Forgets a timer. Harmless when it has fired. */
  clear(handle: TimerHandle): void {
    const timer = handle as Timer | undefined;
    if (timer?.live !== true) return;
    timer.live = false;
    this.#pending--;
  }

  /** Calls `fn` once, after the event that runs now and all it led to. */
  endOfTurn(fn: () => void): void {
    this.#ends.push(fn);
  }

  /** Calls `fn` once, as an event of its own at the same time; in the order asked for. */
  nextTurn(fn: () => void): void {
    this.#turns.push(fn);
  }

  /** Timers still set. A test that ends with any has leaked one. */
  get pending(): number {
    return this.#pending;
  }

  /** Whether something is left to do at this very time, timers aside. */
  get busy(): boolean {
    return this.#ends.length > 0 || this.#turns.length > 0;
  }

  /** @internal Whether the host does something of its own now, between two events: a real timer, real I/O. */
  get outside(): boolean {
    return this.#outside;
  }

  /** When the next timer is due; `undefined` when none is set. */
  get next(): number | undefined {
    return this.#first()?.due;
  }

  /** Moves the time by `ms` without firing anything: what a process sees that was stopped, when it wakes. */
  jump(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`a clock does not go back: ${ms}`);
    this.#now += ms;
  }

  /** Runs everything that is due now, promise callbacks included, until nothing moves any more. Rejects with what an event throws. */
  settle(): Promise<void> {
    return this.#move(() => this.#step());
  }

  /** Moves the time by `ms`, firing every timer on the way at its time. Rejects with what an event throws. */
  advance(ms: number): Promise<void> {
    if (!(ms >= 0 && ms < Number.POSITIVE_INFINITY))
      return Promise.reject(new RangeError(`cannot advance by ${ms} ms`));
    let end: number | undefined;
    return this.#move(() => {
      end ??= this.#now + ms; // from when its turn has come
      if (this.#step()) return true;
      if (this.#skip(end)) return true;
      this.#now = Math.max(this.#now, end);
      return false;
    });
  }

  /**
   * Goes from event to event until `done` returns `true`, looked at between events. `idle` is asked, when nothing is due
   * now, before the time moves to the next timer: it may throw, to end a run that leads nowhere.
   */
  async run(done: () => boolean, idle: (next: number | undefined) => void = (): void => undefined): Promise<void> {
    const moved = this.#move(() => {
      if (done()) return false;
      if (this.#step()) return true;
      idle(this.next);
      return this.#skip(Number.POSITIVE_INFINITY);
    });
    this.#runs = true;
    try {
      await moved;
    } finally {
      this.#runs = false;
    }
  }

  /** One mover at a time: calls that overlap are carried out in the order they were made. */
  #move(step: () => boolean): Promise<void> {
    if (this.#runs)
      return Promise.reject(new Error("the clock runs by itself here: wait with `sleep` instead of moving it"));
    const { betweenEvents } = this.#options;
    const moved = this.#lastMove.then(() =>
      inTurns(
        () => {
          betweenEvents?.();
          return step();
        },
        (isOutside) => (this.#outside = isOutside),
      ),
    );
    this.#lastMove = moved.catch(() => undefined);
    return moved;
  }

  /** One event, or one thing left for the end of the last; `false` when nothing is due now. */
  #step(): boolean {
    const event = this.#ends.shift() ?? this.#turns.shift() ?? this.#take(this.#now)?.fn;
    event?.();
    return event !== undefined;
  }

  /** Moves the time to the next timer, if that is due by `end`. */
  #skip(end: number): boolean {
    const first = this.#first();
    if (first === undefined || first.due > end) return false;
    this.#now = Math.max(this.#now, first.due);
    return true;
  }

  #take(now: number): Timer | undefined {
    const first = this.#first();
    if (first === undefined || first.due > now) return undefined;
    this.#pop();
    first.live = false;
    this.#pending--;
    return first;
  }

  /** The first live timer. The dead are thrown out as they surface. */
  #first(): Timer | undefined {
    while (this.#heap[0]?.live === false) this.#pop();
    return this.#heap[0];
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let place = heap.push(timer) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || before(parent, timer)) break;
      heap[place] = parent;
      place = above;
    }
    heap[place] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      let child = heap[below];
      if (child === undefined) break;
      const right = heap[below + 1];
      if (right !== undefined && before(right, child)) {
        child = right;
        below++;
      }
      if (before(last, child)) break;
      heap[place] = child;
      place = below;
    }
    heap[place] = last;
  }
}
