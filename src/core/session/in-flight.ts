/**
 * The attempts one session has in flight: those that have a slot at the worker, and behind them, in a queue, the prefetched
 * ones. What an answer means is in attempt-table.ts.
 *
 * A worker begins its jobs in the order in which they were sent, so no message has to say whose turn it is: whenever an attempt
 * that has a slot is over, the first of the queue has begun. Only a worker of several runners has to: the jobs of the others may
 * have its slots, and then it parks an attempt until it says that it has begun.
 */
import type { Attempt } from "./attempt.ts";
import { LinkedQueue } from "../collections/linked-queue.ts";
import { IntMap } from "../collections/int-map.ts";

/** Attempts by id, of which at most `capacity` have a slot. */
export class InFlight<S> {
  readonly #attempts = new IntMap<Attempt<S>>();
  readonly #waiting = new LinkedQueue<Attempt<S>>();
  readonly #parked = new LinkedQueue<Attempt<S>>();

  /** All of them, cancelled ones without a confirmation included. */
  get size(): number {
    return this.#attempts.size;
  }

  /** Prefetched and parked ones: they have not begun. */
  get waiting(): number {
    return this.#waiting.length + this.#parked.length;
  }

  /** Those that were sent to a slot which a job of another runner has. */
  get parked(): number {
    return this.#parked.length;
  }

  /** Those that have a slot. */
  get running(): number {
    return this.#attempts.size - this.waiting;
  }

  /** Calls `fn` for each that has a slot, in no order. */
  forEachRunning(fn: (attempt: Attempt<S>) => void): void {
    this.#attempts.forEach((attempt) => !attempt.waits && fn(attempt));
  }

  /** The attempt of that id, if it is in flight. */
  get(id: number): Attempt<S> | undefined {
    return this.#attempts.get(id);
  }

  /** Adds one that was sent: to a slot if one is free, else to the end of the queue. */
  add(attempt: Attempt<S>, capacity: number): void {
    if (this.running >= capacity) this.#waiting.push(attempt);
    this.#attempts.set(attempt.id, attempt);
  }

  /** Takes one out that is over at the worker. Returns the attempt that has its slot now. */
  delete(attempt: Attempt<S>, capacity: number): Attempt<S> | undefined {
    this.#attempts.delete(attempt.id);
    return this.#parked.remove(attempt) || this.#waiting.remove(attempt) ? undefined : this.begin(capacity);
  }

  /** The worker says that one which was sent to a slot has none yet. `false` when it waits already. */
  park(attempt: Attempt<S>): boolean {
    if (attempt.waits) return false;
    this.#parked.push(attempt);
    return true;
  }

  /** Whether the worker says that it waits for a slot of another runner's job. */
  isParked(attempt: Attempt<S>): boolean {
    return attempt.list === this.#parked;
  }

  /** The parked ones, the oldest first. */
  parkedOnes(): Iterable<Attempt<S>> {
    return this.#parked;
  }

  /** The worker says that a parked one has begun. `false` when it is not parked. */
  unpark(attempt: Attempt<S>): boolean {
    return this.#parked.remove(attempt);
  }

  /** Gives a free slot, if there is one, to the first prefetched attempt. Returns that attempt. */
  begin(capacity: number): Attempt<S> | undefined {
    const next = this.#waiting.first;
    if (next === undefined || this.running >= capacity) return undefined;
    this.#waiting.remove(next);
    return next;
  }

  /** Takes all out. Returns them in the order in which they were sent. */
  clear(): Attempt<S>[] {
    const attempts = this.#attempts.values();
    this.#attempts.clear();
    for (const attempt of attempts) if (!this.#waiting.remove(attempt)) this.#parked.remove(attempt);
    return attempts;
  }

  /**
   * Recalls `count` of those that wait for which `isUseful` holds, the latest first. `ask` is called for each that was not
   * recalled before. Returns how many such stay.
   */
  recall(count: number, isUseful: (attempt: Attempt<S>) => boolean, ask: (attempt: Attempt<S>) => void): number {
    let seen = 0;
    for (const queue of [this.#waiting, this.#parked]) {
      for (let attempt = queue.last; attempt !== undefined; attempt = attempt.previous) {
        if (attempt.cancelled !== undefined || !isUseful(attempt)) continue;
        if (++seen > count || attempt.recalled) continue;
        attempt.recalled = true;
        ask(attempt);
      }
    }
    return Math.max(0, seen - count);
  }
}
