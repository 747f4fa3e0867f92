/**
 * Any number of entries that wait for a time, behind one timer of the host. The same design as Node's own timers: a list
 * for each delay, and a priority queue.
 */
import type { Clock } from "./clock.ts";
import { type HeapEntry, IndexedHeap } from "../collections/heap.ts";
import { Timer } from "./timer.ts";

/** One wait in a {@link TimerQueue}, reused for each. A class extends it, or owns a {@link CallbackEntry}. */
export abstract class TimerEntry implements HeapEntry {
  /** When it is due, on the queue's clock; `Infinity` while it is not waiting. */
  due: number = Number.POSITIVE_INFINITY;
  /** @internal Breaks ties: the one set first is due first. */
  turn = 0;
  /** @internal Where it stands in the heap, or -1. */
  place = -1;
  /** @internal The lane it is in, and its neighbours there. */
  lane: DelayLane | undefined;
  /** @internal */
  sooner: TimerEntry | undefined;
  /** @internal */
  later: TimerEntry | undefined;

  /** Called when the time has come, with the milliseconds it comes late. */
  abstract fire(lateBy: number): void;
}

/** An entry that calls a function. */
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

/** An entry with its queue: a timer that is set and dropped on its own. */
export class AlarmTimer {
  readonly #queue: TimerQueue;
  readonly #entry: CallbackEntry;

  constructor(queue: TimerQueue, callback: (lateBy: number) => void) {
    this.#queue = queue;
    this.#entry = new CallbackEntry(callback);
  }

  /** Sets (or moves) it to `delay` ms from now. */
  set(delay: number): void {
    this.#queue.set(this.#entry, delay);
  }

  /** Forgets it. */
  drop(): void {
    this.#queue.drop(this.#entry);
  }
}

function before(a: TimerEntry, b: TimerEntry): boolean {
  return a.due < b.due || (a.due === b.due && a.turn < b.turn);
}

/**
 * Entries that were all set with the same delay, and so are due in the order they were set: to join and to leave cost a few
 * assignments. Nearly all waits are of this kind, the timeouts of jobs. Why no LinkedQueue: a Call is in one at the same time.
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

  join(entry: TimerEntry): void {
    const { last } = this;
    entry.lane = this;
    entry.sooner = last;
    if (last === undefined) this.first = entry;
    else last.later = entry;
    this.last = entry;
  }

  leave(entry: TimerEntry): void {
    const { sooner, later } = entry;
    if (sooner === undefined) this.first = later;
    else sooner.later = later;
    if (later === undefined) this.last = sooner;
    else later.sooner = sooner;
    entry.lane = undefined;
    entry.sooner = undefined;
    entry.later = undefined;
  }
}

/** Delays that have a lane of their own at a time. */
const MAX_LANES = 8;

/**
 * Lanes for the delays that come again and again, and a heap for all others: to set and to drop cost no allocation and no
 * host call. Two queues differ only in whether waiting keeps the process alive.
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

  /** How many entries wait. */
  get size(): number {
    return this.#size;
  }

  /** Sets (or moves) an entry to `delay` ms from `now`, which a caller hands in if it has just looked; `Infinity` drops it. */
  set(entry: TimerEntry, delay: number, now: number = this.#clock.now()): void {
    if (delay === Number.POSITIVE_INFINITY) return this.drop(entry);
    this.#remove(entry);
    const due = now + delay;
    entry.due = due;
    entry.turn = this.#turn++;
    this.#size++;
    const lane = this.#laneOf(delay, due);
    if (lane === undefined) this.#heap.push(entry);
    else lane.join(entry);
    if (due < this.#timer.due) this.#timer.setAt(due);
  }

  /** Forgets a entry. Harmless when it does not wait. */
  drop(entry: TimerEntry): void {
    this.#remove(entry);
    // A timer left armed for a dropped entry fires in vain and re-arms, which is cheaper than a host call for each
    // job; only the last entry must drop it, or it would keep the process alive.
    if (this.#size === 0) this.#timer.drop();
  }

  /** The lane for an entry with that delay, if there is one. An entry that would be due before the lane's last gets none. */
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

  #remove(entry: TimerEntry): void {
    const { lane } = entry;
    if (lane !== undefined) {
      if (lane.queue !== this) return; // it waits in another queue
      lane.leave(entry);
    } else if (!this.#heap.remove(entry)) return; // or in none
    entry.due = Number.POSITIVE_INFINITY;
    this.#size--;
  }

  /** The entry that is due next. */
  #first(): TimerEntry | undefined {
    let { first } = this.#heap;
    for (const lane of this.#lanes) {
      if (lane.first !== undefined && (first === undefined || before(lane.first, first))) first = lane.first;
    }
    return first;
  }

  #fire(): void {
    const now = this.#clock.now();
    // Only what was set before: an entry that sets itself to now, again and again, must not hold up the turn for ever.
    const turn = this.#turn;
    try {
      for (let first = this.#first(); first !== undefined && first.due <= now; first = this.#first()) {
        if (first.turn >= turn) break;
        const lateBy = now - first.due;
        this.#remove(first);
        first.fire(lateBy);
      }
    } finally {
      // Also when an entry throws, which the host reports: the others still wait.
      const next = this.#first();
      if (next === undefined) this.#timer.drop();
      else if (next.due < this.#timer.due) this.#timer.setAt(next.due);
    }
  }
}
