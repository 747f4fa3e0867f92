/**
 * Who waits for a time: any number of deadlines behind one timer. Knows the time by its clock, and nothing of what
 * the deadlines are for.
 */
import type { Clock } from "./clock.ts";
import { type HeapEntry, IndexedHeap } from "../collections/heap.ts";
import { Timer } from "./timer.ts";

/** One place in a {@link TimerQueue}. Whoever waits extends it, or owns an {@link CallbackEntry}; it is reused for each wait. */
export abstract class TimerEntry implements HeapEntry {
  /** When it is due, on the queue's clock; `Infinity` while it is not waiting. */
  due: number = Number.POSITIVE_INFINITY;
  /** @internal Breaks ties: the one set first is due first. */
  turn = 0;
  /** @internal Where it stands in the heap, or -1. */
  place = -1;
  /** @internal The lane it stands in, and between whom. */
  lane: DelayLane | undefined;
  /** @internal */
  sooner: TimerEntry | undefined;
  /** @internal */
  later: TimerEntry | undefined;

  /** Called when the time has come, with the milliseconds it comes late. */
  abstract fire(lateBy: number): void;
}

/** A deadline that calls a function. */
export class CallbackEntry extends TimerEntry {
  readonly #callback: (lateBy: number) => void;

  constructor(callback: (lateBy: number) => void) {
    super();
    this.#callback = callback;
  }

  override fire(lateBy: number): void {
    this.#callback(lateBy);
  }
}

/** An alarm of a queue, to be set and dropped on its own. */
export class AlarmTimer {
  readonly #queue: TimerQueue;
  readonly #alarm: CallbackEntry;

  constructor(queue: TimerQueue, callback: (lateBy: number) => void) {
    this.#queue = queue;
    this.#alarm = new CallbackEntry(callback);
  }

  /** Sets (or moves) it to `delay` ms from now. */
  set(delay: number): void {
    this.#queue.set(this.#alarm, delay);
  }

  /** Forgets it. */
  drop(): void {
    this.#queue.drop(this.#alarm);
  }
}

function before(a: TimerEntry, b: TimerEntry): boolean {
  return a.due < b.due || (a.due === b.due && a.turn < b.turn);
}

/**
 * Deadlines that were all set with the same delay, which are therefore due in the order they were set: joining and leaving
 * cost a few assignments. Nearly all deadlines are of this kind, the timeouts of the jobs.
 */
class DelayLane {
  readonly queue: TimerQueue;
  delay: number;
  first: TimerEntry | undefined;
  last: TimerEntry | undefined;

  constructor(queue: TimerQueue, delay: number) {
    this.queue = queue;
    this.delay = delay;
  }

  join(deadline: TimerEntry): void {
    const { last } = this;
    deadline.lane = this;
    deadline.sooner = last;
    if (last === undefined) this.first = deadline;
    else last.later = deadline;
    this.last = deadline;
  }

  leave(deadline: TimerEntry): void {
    const { sooner, later } = deadline;
    if (sooner === undefined) this.first = later;
    else sooner.later = later;
    if (later === undefined) this.last = sooner;
    else later.sooner = sooner;
    deadline.lane = undefined;
    deadline.sooner = undefined;
    deadline.later = undefined;
  }
}

/** As many different delays are common enough for a lane of their own. */
const MAX_LANES = 8;

/**
 * Any number of deadlines behind one timer: lanes for the delays that come again and again, and for all others a heap,
 * so that setting and dropping cost no allocation and no host call. Two queues differ only in
 * whether waiting keeps the process alive.
 */
export class TimerQueue {
  readonly #clock: Clock;
  readonly #timer: Timer;
  readonly #lanes: DelayLane[] = [];
  readonly #heap = new IndexedHeap<TimerEntry>(before);
  #size = 0;
  #turn = 0;

  constructor(clock: Clock, keepAlive: boolean) {
    this.#clock = clock;
    this.#timer = new Timer(clock, keepAlive, () => this.#fire());
  }

  /** How many deadlines wait. */
  get size(): number {
    return this.#size;
  }

  /** Sets (or moves) a deadline to `delay` ms from `now`, which a caller hands in if it has just looked; `Infinity` drops it. */
  set(deadline: TimerEntry, delay: number, now: number = this.#clock.now()): void {
    if (delay === Number.POSITIVE_INFINITY) return this.drop(deadline);
    this.#remove(deadline);
    const due = now + delay;
    deadline.due = due;
    deadline.turn = this.#turn++;
    this.#size++;
    const lane = this.#laneOf(delay, due);
    if (lane === undefined) this.#heap.push(deadline);
    else lane.join(deadline);
    if (due < this.#timer.due) this.#timer.setAt(due);
  }

  /** Forgets a deadline. Harmless when it does not wait. */
  drop(deadline: TimerEntry): void {
    this.#remove(deadline);
    // A timer left armed for a dropped deadline fires in vain and re-arms, which is cheaper than a host call for each
    // job; only the last one out must take it along, or it would keep the process alive.
    if (this.#size === 0) this.#timer.drop();
  }

  /** The lane for one that is due then, if there is one: a moment that was looked up late is no reason to jump the lane. */
  #laneOf(delay: number, due: number): DelayLane | undefined {
    let unused: DelayLane | undefined;
    for (const lane of this.#lanes) {
      if (lane.delay === delay) return lane.last === undefined || lane.last.due <= due ? lane : undefined;
      if (lane.first === undefined) unused ??= lane;
    }
    if (this.#lanes.length < MAX_LANES) {
      unused = new DelayLane(this, delay);
      this.#lanes.push(unused);
    }
    if (unused !== undefined) unused.delay = delay;
    return unused;
  }

  #remove(deadline: TimerEntry): void {
    const { lane } = deadline;
    if (lane !== undefined) {
      if (lane.queue !== this) return; // it waits in another queue
      lane.leave(deadline);
    } else if (!this.#heap.remove(deadline)) return; // or in none
    deadline.due = Number.POSITIVE_INFINITY;
    this.#size--;
  }

  /** Who is due next, if anybody. */
  #first(): TimerEntry | undefined {
    let { first } = this.#heap;
    for (const lane of this.#lanes) {
      if (lane.first !== undefined && (first === undefined || before(lane.first, first))) first = lane.first;
    }
    return first;
  }

  #fire(): void {
    const now = this.#clock.now();
    // Only what was set before: a deadline that sets itself to now, again and again, must not hold up the turn for ever.
    const turn = this.#turn;
    try {
      for (let first = this.#first(); first !== undefined && first.due <= now; first = this.#first()) {
        if (first.turn >= turn) break;
        const lateBy = now - first.due;
        this.#remove(first);
        first.fire(lateBy);
      }
    } finally {
      // Also when one throws, which is the host's to report: the others still wait.
      const next = this.#first();
      if (next === undefined) this.#timer.drop();
      else if (next.due < this.#timer.due) this.#timer.setAt(next.due);
    }
  }
}
