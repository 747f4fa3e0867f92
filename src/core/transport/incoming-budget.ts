/**
 * One budget in bytes for the frames that all connections of a runner are receiving. A frame reserves its whole length before
 * its body is read; one that does not fit waits, unread, until others are done. The transport pauses and resumes reading.
 *
 * Invariants: the oldest reservation is always granted, so reading never comes to a standstill; the others are granted in the
 * order they asked. So the bytes reserved never exceed the limit plus one frame.
 */
import type { Clock, TimerHandle } from "../time/clock.ts";
import type { IncomingBytes, IncomingOwner, IncomingReservation } from "./socket.ts";

/** Bytes that frames may reserve together, and how long one may bring in nothing while others wait, in ms. */
export const INCOMING_DEFAULTS: { readonly maxIncomingBytes: number; readonly stallTimeout: number } = Object.freeze({
  maxIncomingBytes: 268_435_456,
  stallTimeout: 10_000,
});

/** What a reservation has to bring in between two reviews while others wait: so much, and such a part of what it holds. */
const MIN_PROGRESS_BYTES = 16_384;
const MIN_PROGRESS_PART = 1 / 16;

class Reservation implements IncomingReservation {
  readonly owner: IncomingOwner;
  readonly #budget: IncomingBudget;
  /** Bytes it holds. */
  granted = 0;
  /** Bytes it asks for beyond those. */
  wanted = 0;
  /** Bytes of its frame that have arrived, now and at the last review. */
  received = 0;
  seen = 0;
  /** Whether it was granted since the last review, and is not checked at the next one. */
  isFresh = false;

  constructor(budget: IncomingBudget, owner: IncomingOwner) {
    this.#budget = budget;
    this.owner = owner;
  }

  get isWaiting(): boolean {
    return this.wanted > 0;
  }

  get isStalled(): boolean {
    if (this.isFresh || this.isWaiting || this.granted === 0) return false;
    return this.received - this.seen < Math.max(MIN_PROGRESS_BYTES, this.granted * MIN_PROGRESS_PART);
  }

  /** What arrives from now on is counted at the next review. */
  mark(): void {
    this.seen = this.received;
    this.isFresh = false;
  }

  reserve(bytes: number, received: number): boolean {
    this.received = received;
    this.wanted = Math.max(0, bytes - this.granted);
    return this.wanted === 0 || this.#budget.ask(this);
  }

  progress(received: number): void {
    this.received = received;
  }

  release(): void {
    if (this.granted > 0 || this.wanted > 0) this.#budget.drop(this);
  }
}

/** The budget of one runner. */
export class IncomingBudget implements IncomingBytes {
  readonly #limit: number;
  readonly #stallTimeout: number;
  readonly #clock: Clock;
  /** All that hold or wait, the oldest first. */
  readonly #all = new Set<Reservation>();
  /** Those that wait, in the order they asked. */
  readonly #waiting = new Set<Reservation>();
  #held = 0;
  #timer: TimerHandle;

  /** @param stallTimeout - How long a reservation may bring in nothing while others wait, in ms. */
  constructor(limit: number, stallTimeout: number, clock: Clock) {
    this.#limit = limit;
    this.#stallTimeout = stallTimeout;
    this.#clock = clock;
  }

  /** Bytes that are reserved. */
  get held(): number {
    return this.#held;
  }

  /** Reservations that wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  reservation(owner: IncomingOwner): IncomingReservation {
    return new Reservation(this, owner);
  }

  /** @internal Grants what a reservation wants, or lets it wait. */
  ask(one: Reservation): boolean {
    this.#all.add(one);
    if (this.#isOldest(one) || (this.#waiting.size === 0 && this.#fits(one))) {
      this.#grantNow(one);
      return true;
    }
    this.#waiting.add(one);
    if (this.#timer === undefined) this.#watch();
    return false;
  }

  /** @internal Takes back what a reservation holds, and grants it to those that wait. */
  drop(one: Reservation): void {
    this.#forget(one);
    this.#grant();
  }

  #isOldest(one: Reservation): boolean {
    const [oldest] = this.#all;
    return oldest === one;
  }

  #fits(one: Reservation): boolean {
    return this.#held + one.wanted <= this.#limit;
  }

  #grantNow(one: Reservation): void {
    this.#waiting.delete(one);
    this.#held += one.wanted;
    one.granted += one.wanted;
    one.wanted = 0;
    one.isFresh = true;
  }

  #forget(one: Reservation): void {
    this.#all.delete(one);
    this.#waiting.delete(one);
    this.#held -= one.granted;
    one.granted = one.wanted = one.received = one.seen = 0;
  }

  #grant(): void {
    const [oldest] = this.#all;
    const granted: Reservation[] = [];
    if (oldest?.isWaiting === true) granted.push(oldest);
    for (const one of granted) this.#grantNow(one);
    for (const one of this.#waiting) {
      if (!this.#fits(one)) break;
      this.#grantNow(one);
      granted.push(one);
    }
    if (this.#waiting.size === 0) this.#unwatch();
    for (const one of granted) if (one.granted > 0) one.owner.onGranted();
  }

  #watch(): void {
    for (const one of this.#all) one.mark();
    this.#setTimer();
  }

  #unwatch(): void {
    if (this.#timer === undefined) return;
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }

  #setTimer(): void {
    const due = this.#clock.now() + this.#stallTimeout;
    this.#timer = this.#clock.set(this.#stallTimeout, () => this.#review(this.#clock.now() - due), false);
  }

  /** Reservations that bring in too little make room, the largest first, until the first that waits fits. */
  #review(lateBy: number): void {
    const [first] = this.#waiting;
    if (first === undefined) return;
    // This process stood still and has not read what came meanwhile: what it saw says nothing.
    const evicted = lateBy > this.#stallTimeout / 2 ? [] : this.#victims(this.#held + first.wanted - this.#limit);
    for (const one of evicted) this.#forget(one);
    for (const one of this.#all) one.mark();
    this.#setTimer();
    const message = `a frame came too slowly while others waited, in ${this.#stallTimeout} ms`;
    for (const one of evicted) one.owner.onEvicted(message);
    this.#grant();
  }

  /** Stalled reservations that hold `missing` bytes together, as far as there are any. */
  #victims(missing: number): Reservation[] {
    const stalled = [...this.#all].filter(({ isStalled }) => isStalled);
    stalled.sort((one, other) => other.granted - one.granted);
    const victims: Reservation[] = [];
    for (const one of stalled) {
      if (missing <= 0) break;
      victims.push(one);
      missing -= one.granted;
    }
    return victims;
  }
}
