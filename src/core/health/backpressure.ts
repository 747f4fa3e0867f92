/**
 * Where the send buffer of one session is bounded: watches how many bytes its peer has not read, and reports above the
 * high-water mark, above the limit, and when nothing was read for too long. Polls while there is a backlog, as a socket tells
 * how much waits but not when it has left. Both ends have one; session.ts and runner-connection.ts act. For all sessions:
 * send-budget.ts.
 */
import type { Clock } from "../time/clock.ts";
import type { BudgetHolder, SendBudget } from "./send-budget.ts";

const POLL_INTERVAL_MS = 5;

/** Waits for the next review. */
export interface ReviewTimer {
  /** Sets (or moves) it to `delay` ms from now. */
  set(delay: number): void;
  /** Forgets it. */
  drop(): void;
}

/** What it is given. */
export interface CongestionContext {
  readonly clock: Clock;
  /** Makes the timer of one session; it tells how late it is, in ms. */
  readonly reviewTimer: (review: (lateBy: number) => void) => ReviewTimer;
  readonly rules: BackpressureRules;
  /** What all sessions may hold together; absent: there is but this one. */
  readonly budget?: SendBudget | undefined;
}

/** The session it watches. */
export interface BackpressureOwner {
  /** Bytes that have not left yet. */
  readonly bufferedBytes: number;
  /**
   * Whether the peer has to read whatever else it does. If not, bytes only hold back new work: on a port they wait for an
   * event loop that is busy, and so they do for a worker that runs its handlers on the event loop that would read.
   */
  readonly mustRead: boolean;
  /** New work is to be held back, or no longer. */
  onCongested(isCongested: boolean): void;
  /** The peer does not read. The owner calls {@link BackpressureMonitor.stop}. */
  onSlowConsumer(message: string): void;
}

/** The backlog of one peer. */
export class BackpressureMonitor implements BudgetHolder {
  /** What the budget has counted for it. */
  counted = 0;
  readonly #context: CongestionContext;
  readonly #owner: BackpressureOwner;
  readonly #detector: BackpressureDetector;
  readonly #timer: ReviewTimer;

  constructor(context: CongestionContext, owner: BackpressureOwner) {
    this.#context = context;
    this.#owner = owner;
    this.#detector = new BackpressureDetector(context.rules);
    this.#timer = context.reviewTimer((lateBy) => this.review(lateBy));
  }

  /** Whether more waited than may at the last check. */
  get isCongested(): boolean {
    return this.#detector.congested;
  }

  /** Bytes that have not left yet. */
  get bufferedBytes(): number {
    return this.#owner.bufferedBytes;
  }

  /** A frame was sent. */
  sent(): void {
    const bytes = this.#owner.bufferedBytes;
    this.#context.budget?.count(this, bytes);
    const isTooMuch = this.#isTooMuch(bytes);
    if (isTooMuch === this.#detector.congested) return;
    // Giving up waits a step: this runs inside the hand-over of a job, which must not find its session gone.
    this.#timer.set(0);
    if (!isTooMuch) return;
    this.#check(bytes);
    this.#owner.onCongested(true);
  }

  /** A frame arrived: a peer that answers may have read, and need not wait until that is polled for. */
  heard(): void {
    if (this.#detector.congested && !this.#isTooMuch(this.#owner.bufferedBytes)) this.review(0);
  }

  /** So many bytes were admitted before the backlog: they are no reason to give the peer up while it lasts. */
  allow(bytes: number): void {
    this.#detector.allow(bytes);
  }

  /** Checks again, which may end the session. @param lateBy - So much later than was planned, in ms. */
  review(lateBy: number): void {
    // This process stood still, and so did what brings the bytes away.
    if (lateBy > POLL_INTERVAL_MS) this.#detector.excuse(lateBy);
    const { congested } = this.#detector;
    const bytes = this.#owner.bufferedBytes;
    this.#context.budget?.count(this, bytes);
    const state = this.#check(bytes);
    if (state === "overflow" || state === "stuck") return this.#giveUp(bytes);
    // What is only over its share is reviewed by the budget.
    if (bytes > this.#context.rules.highWater) this.#timer.set(POLL_INTERVAL_MS);
    else this.#timer.drop();
    if (congested !== this.#detector.congested) this.#owner.onCongested(!congested);
  }

  /** Whether the peer has read nothing for the longest time it may. */
  isStuck(now: number): boolean {
    return this.#owner.mustRead && this.#detector.unchangedFor(now) >= this.#context.rules.stallTimeout;
  }

  /** Gives the peer up: it holds most of what is too much for all. */
  evict(): void {
    this.#giveUp(this.#owner.bufferedBytes);
  }

  /** Watches no longer. */
  stop(): void {
    this.#timer.drop();
    this.#context.budget?.count(this, 0);
  }

  #isTooMuch(bytes: number): boolean {
    const { rules, budget } = this.#context;
    return bytes > rules.highWater || budget?.isOverShare(bytes) === true;
  }

  #check(bytes: number): BackpressureState {
    const { clock, budget } = this.#context;
    const now = clock.now();
    const { mustRead } = this.#owner;
    if (!mustRead) this.#detector.excuse(this.#detector.unchangedFor(now));
    const state = this.#detector.check(bytes, now, budget?.isOverShare(bytes));
    return mustRead || state === "clear" ? state : "congested";
  }

  #giveUp(bytes: number): void {
    this.#owner.onSlowConsumer(`it does not read: ${bytes} bytes wait`);
  }
}

/** The limits of a backlog. */
export interface BackpressureRules {
  /** Above so many unsent bytes the peer gets no new work. */
  readonly highWater: number;
  /** Above so many unsent bytes it is given up. */
  readonly maxBuffered: number;
  /** It is given up, too, when the backlog has not shrunk for so many ms. */
  readonly stallTimeout: number;
}

/** The limits as they hold, with room for two of the largest payloads. */
export function backlogLimits(given: {
  readonly highWater: number;
  readonly maxBuffered: number;
  readonly maxPayload: number;
}): { readonly highWater: number; readonly maxBuffered: number } {
  const maxBuffered = Math.max(given.maxBuffered, 2 * given.maxPayload);
  // A backlog is only checked above the high-water mark: one above the hard limit would switch that off.
  return { maxBuffered, highWater: Math.min(given.highWater, maxBuffered) };
}

/** What a backlog means. */
export type BackpressureState = "clear" | "congested" | "overflow" | "stuck";

/** The unsent bytes of one peer over time. */
export class BackpressureDetector {
  readonly #rules: BackpressureRules;
  #bytes = 0;
  #since = 0;
  #allowance = 0;
  /** Whether the peer was to get no new work at the last check. */
  congested = false;

  constructor(rules: BackpressureRules) {
    this.#rules = rules;
  }

  /**
   * Takes in the bytes that wait now.
   * @param isOverShare - Whether they are too many for what all peers hold together, though not for this one.
   */
  check(bytes: number, now: number, isOverShare = false): BackpressureState {
    const { highWater, maxBuffered, stallTimeout } = this.#rules;
    if (!this.congested || bytes < this.#bytes) this.#since = now;
    this.#bytes = bytes;
    const isHigh = bytes > highWater;
    this.congested = isHigh || isOverShare;
    if (!this.congested) {
      this.#allowance = 0;
      return "clear";
    }
    if (bytes > maxBuffered + this.#allowance) return "overflow";
    return isHigh && this.unchangedFor(now) >= stallTimeout ? "stuck" : "congested";
  }

  /** For how many ms it has not shrunk. */
  unchangedFor(now: number): number {
    return now - this.#since;
  }

  /** So many ms do not count: nothing could be taken meanwhile. */
  excuse(ms: number): void {
    this.#since += ms;
  }

  /** So many bytes more may wait until it is clear again: they were admitted before it was not. */
  allow(bytes: number): void {
    this.#allowance += bytes;
  }
}
