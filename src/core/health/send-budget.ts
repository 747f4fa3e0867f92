/**
 * Bounds what all sessions of a runner hold unsent together. Over the budget, a session with more than a fair share gets no new
 * work; when that does not help in time, sessions that read nothing are ended, the largest first. Counts what each session held
 * when it last sent or was reviewed: constant work for each frame. Reviews all holders only while they seem to hold too much.
 * For one session: backpressure.ts.
 */
import type { Clock } from "../time/clock.ts";
import { CallbackEntry, type TimerQueue } from "../time/timer-queue.ts";

const REVIEW_INTERVAL_MS = 20;

/** One session's part in it. */
export interface BudgetHolder {
  /** Bytes that were counted for it. Belongs to the budget. */
  counted: number;
  /** Bytes that it holds now. */
  readonly bufferedBytes: number;
  /** Checks itself again; it may end. */
  review(lateBy: number): void;
  /** Whether nothing of it was read for the longest time that may be. */
  isStuck(now: number): boolean;
  /** Gives the peer up. */
  evict(): void;
}

/** Bytes of many sessions under one limit. */
export class SendBudget {
  readonly #clock: Clock;
  readonly #timers: TimerQueue;
  readonly #limit: number;
  readonly #holders = new Set<BudgetHolder>();
  readonly #timer: CallbackEntry = new CallbackEntry((lateBy) => this.#review(lateBy));
  #total = 0;

  /** @param limit - In bytes. */
  constructor(clock: Clock, timers: TimerQueue, limit: number) {
    this.#clock = clock;
    this.#timers = timers;
    this.#limit = limit;
  }

  /** Bytes counted for all. At least what they hold, and more when some have read since. */
  get total(): number {
    return this.#total;
  }

  /** A session holds so many bytes now. */
  count(holder: BudgetHolder, bytes: number): void {
    const { counted } = holder;
    if (bytes === counted) return;
    holder.counted = bytes;
    this.#total += bytes - counted;
    if (bytes === 0) this.#leave(holder);
    else if (counted === 0) this.#holders.add(holder);
    if (this.#total > this.#limit && this.#timer.due === Number.POSITIVE_INFINITY) this.#timers.set(this.#timer, 0);
  }

  /** Whether that is more than a fair share, while all together hold too much. One of them does: the shares make the limit. */
  isOverShare(bytes: number): boolean {
    return this.#total > this.#limit && bytes * this.#holders.size > this.#limit;
  }

  #leave(holder: BudgetHolder): void {
    this.#holders.delete(holder);
    if (this.#holders.size === 0) this.#timers.drop(this.#timer);
  }

  #review(lateBy: number): void {
    // First what they hold by now: what is a fair share depends on all.
    const holders = [...this.#holders];
    for (const holder of holders) this.count(holder, holder.bufferedBytes);
    for (const holder of holders) holder.review(lateBy);
    if (this.#total > this.#limit) this.#evict();
    if (this.#total > this.#limit) this.#timers.set(this.#timer, REVIEW_INTERVAL_MS);
    else this.#release();
  }

  /** Ends what does not shrink, the largest first, until the rest is no longer too much. */
  #evict(): void {
    const now = this.#clock.now();
    const stuck = [...this.#holders].filter((holder) => this.isOverShare(holder.counted) && holder.isStuck(now));
    for (const holder of stuck.toSorted((a, b) => b.counted - a.counted)) {
      if (this.#total <= this.#limit) return;
      if (holder.counted > 0) holder.evict();
    }
  }

  /** Sessions that were held back for the sake of the others no longer are. */
  #release(): void {
    this.#timers.drop(this.#timer);
    const holders = [...this.#holders];
    for (const holder of holders) if (holder.counted > 0) holder.review(0);
  }
}
