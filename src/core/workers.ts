/**
 * Workers: who is free and who waits. Works over anything with an `identity` and a `close`; knows nothing of sockets (see
 * session.ts) nor of jobs (see call.ts). Everything happens at once: a freed slot goes to the longest waiter in the same
 * step, so no slot is ever free while somebody who could use it waits.
 */
import { type Abortable, AbortIndex } from "./abort-index.ts";
import { Acquisition } from "./acquisition.ts";
import type { Clock } from "./clock.ts";
import { Alarm, DeadlineQueue } from "./deadline.ts";
import { TimeoutError } from "./errors.ts";
import { hostClock } from "./host.ts";
import { Line } from "./line.ts";
import { abortSignal, callable, checkOptions, duration, integer, type Rules, shape } from "./options.ts";
import { Seat, SeatIndex, type Standing } from "./seats.ts";
import type { Waiter } from "./waiter.ts";

/** What can be pooled. */
export interface PooledWorker {
  /** Its name, unique in the pool. */
  readonly identity: string;
  /** How many leases it takes at a time; 1 when absent. */
  readonly capacity?: number;
  /** Called when it leaves the pool by `delete`. May be called twice. */
  close(): void;
}

/** Options of {@link Workers.acquire} and {@link Workers.getContext}. */
export interface AcquireOptions {
  /** How long to wait for a free worker in all, in ms; default 5,000; `Infinity`: as long as it takes. */
  readonly timeout?: number | undefined;
  /** Gives up waiting, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How a pool hands its workers out; by default the worker itself is the lease. */
export interface Leasing<W, L> {
  /** Makes the lease for one slot. */
  wrap(worker: W): L;
  /** The holder gave it back: call `free` once the slot is really free. */
  unwrap(lease: L, free: () => void): void;
}

/** Options of {@link Workers}. */
export interface WorkersOptions<W, L> {
  /** Where the time comes from; the host's by default. */
  readonly clock?: Clock | undefined;
  /** @internal */
  readonly leasing?: Leasing<W, L> | undefined;
  /** @internal Called when the first usable worker came (true) or the last one went (false). */
  readonly onFleet?: ((usable: boolean) => void) | undefined;
  /** @internal How many jobs a worker can be sent ahead of a free slot now; absent: none. */
  readonly ahead?: ((worker: W) => number) | undefined;
  /** @internal Called when a slot is free, nobody waits for it, and jobs that were sent ahead wait elsewhere. */
  readonly onSpare?: (() => void) | undefined;
}

const ACQUIRE_TIMEOUT = 5_000;

const RULES: Rules<WorkersOptions<PooledWorker, unknown>> = {
  clock: shape("a Clock", "now", "set", "clear", "endOfTurn", "nextTurn"),
  leasing: shape("a Leasing", "wrap", "unwrap"),
  onFleet: callable,
  ahead: callable,
  onSpare: callable,
};

const isWorker = shape("a worker with an `identity` and a `close`", "close");

/** A pool of workers: idle first, longest idle before others, waiters served in the order they came. */
export class Workers<W extends PooledWorker, L = W> {
  readonly #seats = new Map<string, Seat<W>>();
  readonly #index: SeatIndex<W>;
  /** Those with jobs that were sent ahead. */
  readonly #crowded = new Set<Seat<W>>();
  readonly #waiting = new Line<Waiter<W>>();
  readonly #leases = new Map<L, Seat<W>[]>();
  readonly #timers: DeadlineQueue;
  readonly #aborts = new AbortIndex();
  readonly #leasing: Leasing<W, L> | undefined;
  readonly #onFleet: ((usable: boolean) => void) | undefined;
  readonly #onSpare: (() => void) | undefined;
  readonly #clock: Clock;
  /** Whose slot was freed last: a frame brings many answers of one worker. */
  #recent: Seat<W> | undefined;
  #usable = 0;
  #slots = 0;
  #serving = false;
  #shut: { readonly error: unknown } | undefined;

  /** @param options - See {@link WorkersOptions}. */
  constructor(options: WorkersOptions<W, L> = {}) {
    checkOptions("Workers", options, RULES);
    this.#clock = options.clock ?? hostClock;
    this.#timers = new DeadlineQueue(this.#clock, true);
    this.#index = new SeatIndex(options.ahead);
    this.#leasing = options.leasing;
    this.#onFleet = options.onFleet;
    this.#onSpare = options.onSpare;
  }

  /** How many workers are in the pool, whatever their standing. */
  get size(): number {
    return this.#seats.size;
  }

  /** How many of them can be given work, now or as soon as a slot is free. */
  get usable(): number {
    return this.#usable;
  }

  /** @internal The slots of the usable ones, free or not. */
  get slots(): number {
    return this.#slots;
  }

  /** @internal How many jobs the workers can be given: to the slots, and ahead of them. */
  get room(): number {
    return this.#slots + this.#index.extra;
  }

  /** How many wait for a slot. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** @internal How many slots are leased by `acquire` or `getContext`. */
  get leased(): number {
    let leased = 0;
    for (const seats of this.#leases.values()) leased += seats.length;
    return leased;
  }

  /** Whether a worker, or one of that identity, is in the pool. */
  has(worker: W | string): boolean {
    return this.#seatOf(worker) !== undefined;
  }

  /**
   * Adds a worker. Adding it twice changes nothing; it takes the place of another of the same identity, which is closed.
   * @throws TypeError when it has no identity or no `close`, RangeError when its capacity is not a whole number of at least 1.
   */
  add(worker: W): void {
    const expected = isWorker(worker);
    if (expected !== undefined || typeof worker.identity !== "string")
      throw new TypeError(`Workers.add: expected ${expected ?? "an identity"}`);
    const { capacity = 1 } = worker;
    checkOptions("Workers.add", { capacity }, { capacity: integer(1) });
    this.admit(worker, capacity);
  }

  /** @internal Adds a worker with another capacity than its own. */
  admit(worker: W, capacity: number): void {
    const present = this.#seats.get(worker.identity);
    if (present?.worker === worker) return;
    if (present !== undefined) this.#remove(present);
    const seat = new Seat(worker, capacity);
    this.#seats.set(worker.identity, seat);
    this.#count(1, capacity);
    this.#index.place(seat);
    try {
      // Not before the newcomer stands in its place: this is foreign code, which may throw or come back into the pool.
      present?.worker.close();
    } finally {
      this.#serve();
    }
  }

  /** Takes a worker out of the pool and closes it, whoever holds it. `false` when it was not in the pool. */
  delete(worker: W | string): boolean {
    const seat = this.#seatOf(worker);
    if (seat === undefined) return false;
    this.#remove(seat);
    seat.worker.close();
    return true;
  }

  /**
   * Waits for a free worker and leases one slot of it; give it back with {@link Workers.release}.
   * @throws TimeoutError (kind `acquire`) when `timeout` passes first, or the signal's reason.
   */
  async acquire(options: AcquireOptions = {}): Promise<L> {
    checkOptions("acquire", options, { timeout: duration, signal: abortSignal });
    const { timeout = ACQUIRE_TIMEOUT, signal } = options;
    if (signal?.aborted === true) throw signal.reason;
    if (this.#shut !== undefined) throw this.#shut.error;
    const acquisition = new Acquisition<W, L>((worker) => this.#lease(worker));
    // Whoever gives up leaves the line in the same step: a slot granted to somebody who has left would never come back.
    const giveUp = (error: unknown): void => {
      if (this.#waiting.leave(acquisition)) acquisition.granted.reject(error);
    };
    const alarm = new Alarm(() => {
      const message = `Could not get a worker in ${timeout} ms (${this.size} registered)`;
      giveUp(new TimeoutError(message, "acquire", timeout));
    });
    const abortable: Abortable = { aborted: giveUp };
    if (signal !== undefined) this.#aborts.watch(signal, abortable);
    this.#timers.set(alarm, timeout);
    this.wait(acquisition);
    try {
      return await acquisition.granted.promise;
    } finally {
      this.#timers.drop(alarm);
      if (signal !== undefined) this.#aborts.forget(signal, abortable);
    }
  }

  /**
   * Gives a lease back. A second call changes nothing, unless the same worker has been leased again since: plain workers
   * are their own leases, and only `getContext` gives each back exactly once.
   */
  release(lease: L): void {
    const seats = this.#leases.get(lease);
    // The oldest: a late release of a worker that was deleted and added again must not free the slot of its new holder.
    const seat = seats?.shift();
    if (seat === undefined) return;
    if (seats?.length === 0) this.#leases.delete(lease);
    if (this.#leasing === undefined) this.#giveBack(seat);
    else this.#leasing.unwrap(lease, () => this.#giveBack(seat));
  }

  /** Holds a worker while `use` runs, and gives it back whatever comes of it. Resolves to what `use` returns. */
  async getContext<T>(use: (lease: L) => T | Promise<T>, options?: AcquireOptions): Promise<T> {
    const lease = await this.acquire(options);
    try {
      return await use(lease);
    } finally {
      this.release(lease);
    }
  }

  /** @internal Takes a worker out without closing it: it finishes what it has. */
  withdraw(worker: W): void {
    const seat = this.#seatOf(worker);
    if (seat !== undefined) this.#remove(seat);
  }

  /** @internal Leases a slot to a waiter: at once when one is free and nobody is before it, else in its turn. */
  wait(waiter: Waiter<W>, atHead = false, now?: number): void {
    // Most find a slot and nobody before them, and need not stand in line for it.
    const seat = this.#serving || this.#waiting.length > 0 ? undefined : this.#seatFor(waiter);
    if (seat === undefined) {
      this.#waiting.join(waiter, atHead);
      return this.#serve(now);
    }
    this.#serving = true;
    try {
      this.#grant(seat, waiter, now ?? this.#clock.now());
    } finally {
      this.#serving = false;
    }
    this.#serve(now);
  }

  /**
   * @internal Lets somebody wait again who got nothing for his place: at the head, but behind those there who came before him.
   * Several come back one after the other, in any order.
   */
  comeBack(waiter: Waiter<W> & { readonly id: number }, now?: number): void {
    let next = this.#waiting.first;
    while (next?.id !== undefined && next.id < waiter.id) next = next.behind;
    this.#waiting.joinBefore(waiter, next);
    this.#serve(now);
  }

  /** @internal Gives up waiting. */
  leave(waiter: Waiter<W>): boolean {
    return this.#waiting.leave(waiter);
  }

  /** @internal Rejects everybody who waits in `acquire`, and whoever asks until `reopen`. */
  shut(error: unknown): void {
    this.#shut = { error };
    for (const waiter of this.#waiting) {
      if (waiter instanceof Acquisition && this.#waiting.leave(waiter)) waiter.granted.reject(error);
    }
  }

  /** @internal Lets `acquire` work again. */
  reopen(): void {
    this.#shut = undefined;
  }

  /** @internal Gives back a slot that a waiter took. A worker that is gone from the pool is ignored. */
  free(worker: W, now?: number): void {
    const seat = this.#recent?.worker === worker ? this.#recent : this.#seats.get(worker.identity);
    if (seat?.worker !== worker) return;
    this.#recent = seat;
    this.#free(seat, now);
  }

  /**
   * @internal Asks workers for jobs that were sent ahead to them, if a slot is free for one. Each is asked for half of them,
   * and for what it would not be sent now: that is all of them once it was asked before and has not finished a job since.
   * Returns whether there is reason to ask again.
   */
  recall(ask: (worker: W, count: number) => void): boolean {
    if (this.#index.first() === undefined) return false;
    let kept = 0;
    for (const seat of this.#crowded) {
      const sent = -seat.spare;
      const count = Math.max(sent - seat.extra, Math.ceil(sent / 2));
      ask(seat.worker, count);
      this.#index.place(seat);
      kept += sent - count;
    }
    return kept > 0;
  }

  /** @internal Changes whether a worker may be given work. */
  setStanding(worker: W, standing: Standing): void {
    const seat = this.#seatOf(worker);
    if (seat === undefined || seat.standing === standing) return;
    const change = Number(isUsable(standing)) - Number(isUsable(seat.standing));
    seat.standing = standing;
    this.#index.place(seat);
    if (change !== 0) this.#count(change, seat.capacity);
    this.#serve();
  }

  #seatOf(worker: W | string): Seat<W> | undefined {
    const seat = this.#seats.get(typeof worker === "string" ? worker : worker.identity);
    return typeof worker === "string" || seat?.worker === worker ? seat : undefined;
  }

  #remove(seat: Seat<W>): void {
    this.#seats.delete(seat.worker.identity);
    if (this.#recent === seat) this.#recent = undefined;
    this.#index.delete(seat);
    this.#crowded.delete(seat);
    if (isUsable(seat.standing)) this.#count(-1, seat.capacity);
  }

  #lease(worker: W): L {
    const seat = this.#seatOf(worker);
    const lease = this.#leasing === undefined ? (worker as W & L) : this.#leasing.wrap(worker);
    if (seat === undefined) return lease;
    seat.held++;
    // It was placed before it was known who takes it: whoever holds it has it alone.
    this.#index.place(seat);
    const seats = this.#leases.get(lease);
    if (seats === undefined) this.#leases.set(lease, [seat]);
    else seats.push(seat);
    return lease;
  }

  #giveBack(seat: Seat<W>): void {
    if (seat.held > 0) seat.held--;
    if (this.#seats.get(seat.worker.identity) === seat) this.#free(seat);
  }

  #free(seat: Seat<W>, now?: number): void {
    if (seat.leases === 0) return;
    seat.leases--;
    if (seat.spare === 0) this.#crowded.delete(seat);
    this.#index.place(seat);
    this.#serve(now);
  }

  #count(change: number, capacity: number): void {
    const before = this.#usable;
    this.#usable += change;
    this.#slots += change * capacity;
    if ((before === 0) !== (this.#usable === 0)) this.#onFleet?.(this.#usable > 0);
  }

  /** Matches waiters with slots until one of the two runs out. A waiter may change the pool: the outer loop sees it. */
  #serve(now?: number): void {
    if (this.#serving) return;
    this.#serving = true;
    try {
      for (let waiter = this.#waiting.first; waiter !== undefined; waiter = this.#waiting.first) {
        const seat = this.#seatFor(waiter);
        if (seat === undefined) break;
        this.#waiting.leave(waiter);
        now ??= this.#clock.now();
        this.#grant(seat, waiter, now);
      }
    } finally {
      this.#serving = false;
    }
    if (this.#crowded.size > 0 && this.#waiting.length === 0 && this.#index.first() !== undefined) this.#onSpare?.();
  }

  #grant(seat: Seat<W>, waiter: Waiter<W>, now: number): void {
    seat.leases++;
    if (seat.spare === -1) this.#crowded.add(seat);
    this.#index.place(seat);
    waiter.take(seat.worker, now);
  }

  /** One with a free slot; else, for whoever agrees to that, one that can be sent something ahead. */
  #seatFor(waiter: Waiter<W>): Seat<W> | undefined {
    const { avoid } = waiter;
    const free = avoid === undefined ? this.#index.first() : this.#index.firstExcept(avoid);
    if (free !== undefined) return free;
    const ahead = this.#index.firstAhead();
    return ahead !== undefined && waiter.maySendAhead === true ? ahead : undefined;
  }
}

function isUsable(standing: Standing): boolean {
  return standing !== "suspect";
}
