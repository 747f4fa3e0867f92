/**
 * Workers: who is free and who waits, and who gets whom. Works over anything with an `identity` and a `close`; knows nothing of
 * sockets (see session.ts) nor of jobs (see call.ts). Everything happens at once: a freed slot goes in the same step to who has
 * waited longest of those whom its worker fits, so no slot is ever free while somebody who could use it waits.
 */
import { type Abortable, AbortIndex } from "../async/abort-listeners.ts";
import type { Clock } from "../time/clock.ts";
import { Alarm, DeadlineQueue } from "../time/timer-queue.ts";
import { because, TimeoutError } from "../errors.ts";
import { hostClock } from "../time/system.ts";
import { type Demand, type Demanded, demandFor, inWords } from "./worker-selector.ts";
import { Fleet } from "./worker-index.ts";
import { labelList } from "../identifiers.ts";
import { Acquisition, Leases, type Leasing } from "./leases.ts";
import { abortSignal, callable, checkedCopy, checkOptions, duration, integer, type Rules, shape } from "../options.ts";
import { Queue, type WaitingLine } from "./wait-queue.ts";
import { Seat, type Standing } from "./least-loaded-index.ts";
import type { Waiter } from "./waiter.ts";

/** What can be pooled. */
export interface PooledWorker extends Demanded {
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
  /** Labels that the worker must have, all of them: at most 32; default none. */
  readonly require?: readonly string[] | undefined;
}

/** Options of {@link Workers}. */
export interface WorkersOptions<W, L> {
  /** Where the time comes from; the host's by default. */
  readonly clock?: Clock | undefined;
  /** @internal */
  readonly leasing?: Leasing<W, L> | undefined;
  /** @internal How many jobs a worker can be sent ahead of a free slot now; absent: none. */
  readonly ahead?: ((worker: W) => number) | undefined;
  /** @internal Called when a slot is free, nobody waits for it, and jobs that were sent ahead wait elsewhere. */
  readonly onSpare?: (() => void) | undefined;
  /** @internal Why workers are missing, as far as it is known. */
  readonly trouble?: (() => Error | undefined) | undefined;
  /** @internal How many workers a search passes over before those that fit are kept in an order of their own; default 64. */
  readonly patience?: number | undefined;
}

const ACQUIRE_TIMEOUT = 5_000;

const RULES: Rules<WorkersOptions<PooledWorker, unknown>> = {
  clock: shape("a Clock", "now", "set", "clear", "endOfTurn", "nextTurn"),
  leasing: shape("a Leasing", "wrap", "unwrap"),
  ahead: callable,
  onSpare: callable,
  trouble: callable,
  patience: integer(0),
};

const isWorker = shape("a worker with an `identity` and a `close`", "close");

/** A pool of workers: idle first, longest idle before others, waiters served in the order they came. */
export class Workers<W extends PooledWorker, L = W> {
  readonly #fleet: Fleet<W>;
  /** Those with jobs that were sent ahead. */
  readonly #crowded = new Set<Seat<W>>();
  readonly #queue: Queue<W>;
  readonly #leases = new Leases<W, L>();
  readonly #timers: DeadlineQueue;
  readonly #aborts = new AbortIndex();
  readonly #leasing: Leasing<W, L> | undefined;
  readonly #onSpare: (() => void) | undefined;
  readonly #trouble: (() => Error | undefined) | undefined;
  readonly #clock: Clock;
  /** Whose slot was freed last: a frame brings many answers of one worker. */
  #recent: Seat<W> | undefined;
  #serving = false;
  /** The pool was changed by somebody who was just given a slot. */
  #unserved = false;
  #shut: { readonly error: unknown } | undefined;

  /** @param options - See {@link WorkersOptions}. */
  constructor(options: WorkersOptions<W, L> = {}) {
    checkOptions("Workers", options, RULES);
    this.#clock = options.clock ?? hostClock;
    this.#timers = new DeadlineQueue(this.#clock, true);
    this.#fleet = new Fleet(options.ahead, options.patience);
    this.#queue = new Queue(this.#fleet);
    this.#leasing = options.leasing;
    this.#onSpare = options.onSpare;
    this.#trouble = options.trouble;
  }

  /** How many workers are in the pool, whatever their standing. */
  get size(): number {
    return this.#fleet.size;
  }

  /** How many of them can be given work, now or as soon as a slot is free. */
  get usable(): number {
    return this.#fleet.usable;
  }

  /** @internal The slots of the usable ones, free or not. */
  get slots(): number {
    return this.#fleet.slots;
  }

  /** @internal How many jobs the workers can be given: to the slots, and ahead of them. */
  get room(): number {
    return this.#fleet.slots + this.#fleet.extra;
  }

  /** How many wait for a slot. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** @internal How many wait for what. */
  get lines(): readonly WaitingLine[] {
    return this.#queue.lines();
  }

  /** @internal How many slots are leased by `acquire` or `getContext`. */
  get leased(): number {
    return this.#leases.size;
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
    const present = this.#fleet.get(worker.identity);
    if (present?.worker === worker) return;
    if (present !== undefined) this.#remove(present);
    const seat = new Seat(worker, capacity);
    this.#fleet.add(seat);
    this.#queue.changed(worker, true, this.#fleet.usable === 1);
    try {
      // Not before the newcomer stands in its place: this is foreign code, which may throw or come back into the pool.
      present?.worker.close();
    } finally {
      this.#serve(seat);
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
    const rules = { timeout: duration, signal: abortSignal, require: labelList };
    const { timeout = ACQUIRE_TIMEOUT, signal, require = [] } = checkedCopy("acquire", options, rules);
    const demand = demandFor(require);
    // After all of the options were read, as they may have getters, which are user code.
    if (signal?.aborted === true) throw signal.reason;
    if (this.#shut !== undefined) throw this.#shut.error;
    const acquisition = new Acquisition<W, L>(demand, (worker) => this.#lease(worker));
    // Whoever gives up leaves the line in the same step: a slot granted to somebody who has left would never come back.
    const giveUp = (error: unknown): void => {
      if (this.#queue.leave(acquisition)) acquisition.granted.reject(error);
    };
    const alarm = new Alarm(() => {
      const there = this.#fleet.countMatching(acquisition.demand);
      const trouble = this.#trouble?.();
      const why = `${there} registered${inWords(require)}${because(trouble)}`;
      const message = `Could not get a worker in ${timeout} ms (${why})`;
      giveUp(new TimeoutError(message, "acquire", timeout, { cause: trouble }));
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
    const seat = this.#leases.take(lease);
    if (seat === undefined) return;
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

  /** @internal Leases a slot to a waiter: at once when one is free, else in his turn. Who comes back keeps the turn he had. */
  wait(waiter: Waiter<W>, now?: number): void {
    this.#queue.admit(waiter);
    // Most find a slot and nobody before them, and need not stand in line for it.
    const seat = this.#serving || !this.#queue.isNext(waiter) ? undefined : this.#seatFor(waiter);
    if (seat === undefined) {
      this.#queue.join(waiter);
      if (this.#serving) this.#unserved = true;
      return;
    }
    now ??= this.#clock.now();
    this.#grant(seat, waiter, now);
    this.#served(now);
  }

  /** @internal Whether a worker is there that can be given such work, now or as soon as a slot is free. */
  serves(demand: Demand | undefined): boolean {
    return demand === undefined ? this.#fleet.usable > 0 : this.#queue.isSupplied(demand);
  }

  /** @internal The workers that would do, whatever their standing. */
  fitting(demand: Demand | undefined): readonly W[] {
    return this.#fleet.matching(demand);
  }

  /** @internal How many workers would do, whatever their standing. */
  countMatching(demand: Demand | undefined): number {
    return this.#fleet.countMatching(demand);
  }

  /** @internal Gives up waiting. */
  leave(waiter: Waiter<W>): boolean {
    return this.#queue.leave(waiter);
  }

  /** @internal Rejects everybody who waits in `acquire`, and whoever asks until `reopen`. */
  shut(error: unknown): void {
    this.#shut = { error };
    for (const waiter of this.#queue.all()) {
      if (waiter instanceof Acquisition && this.#queue.leave(waiter)) waiter.granted.reject(error);
    }
  }

  /** @internal Lets `acquire` work again. */
  reopen(): void {
    this.#shut = undefined;
  }

  /** @internal Gives back a slot that a waiter took. A worker that is gone from the pool is ignored. */
  free(worker: W, now?: number): void {
    const seat = this.#recent?.worker === worker ? this.#recent : this.#fleet.get(worker.identity);
    if (seat?.worker !== worker) return;
    this.#recent = seat;
    this.#free(seat, now);
  }

  /**
   * @internal Asks workers for jobs that were sent ahead to them, if a slot is free for one. Each is asked for half of them,
   * and for what it would not be sent now: that is all of them once it was asked before and has not finished a job since.
   * `ask` says how many stay there that could use a free slot: the demands of jobs that were sent are not known here.
   * Returns whether there is reason to ask again.
   */
  recall(ask: (worker: W, count: number, useful: (demand: Demand | undefined) => boolean) => number): boolean {
    if (this.#fleet.first(undefined, undefined) === undefined) return false;
    const useful = (demand: Demand | undefined): boolean => this.#fleet.first(demand, undefined) !== undefined;
    let kept = 0;
    for (const seat of this.#crowded) {
      const sent = -seat.spare;
      kept += ask(seat.worker, Math.max(sent - seat.extra, Math.ceil(sent / 2)), useful);
      this.#fleet.place(seat);
    }
    return kept > 0;
  }

  /** @internal Changes whether a worker may be given work. */
  setStanding(worker: W, standing: Standing): void {
    const seat = this.#seatOf(worker);
    if (seat === undefined || seat.standing === standing) return;
    const { usable } = seat;
    seat.standing = standing;
    this.#fleet.place(seat);
    if (usable !== seat.usable) {
      this.#fleet.count(seat, seat.usable ? 1 : -1);
      this.#queue.changed(worker, seat.usable, this.#fleet.usable === Number(seat.usable));
    }
    this.#serve(seat);
  }

  #seatOf(worker: W | string): Seat<W> | undefined {
    const seat = this.#fleet.get(typeof worker === "string" ? worker : worker.identity);
    return typeof worker === "string" || seat?.worker === worker ? seat : undefined;
  }

  #remove(seat: Seat<W>): void {
    this.#fleet.delete(seat);
    if (this.#recent === seat) this.#recent = undefined;
    this.#crowded.delete(seat);
    if (seat.usable) this.#queue.changed(seat.worker, false, this.#fleet.usable === 0);
  }

  #lease(worker: W): L {
    const seat = this.#seatOf(worker);
    const lease = this.#leasing === undefined ? (worker as W & L) : this.#leasing.wrap(worker);
    if (seat === undefined) return lease;
    seat.held++;
    // It was placed before it was known who takes it: whoever holds it has it alone.
    this.#fleet.place(seat);
    this.#leases.add(lease, seat);
    return lease;
  }

  #giveBack(seat: Seat<W>): void {
    if (seat.held > 0) seat.held--;
    if (this.#fleet.get(seat.worker.identity) === seat) this.#free(seat);
  }

  #free(seat: Seat<W>, now?: number): void {
    if (seat.leases === 0) return;
    seat.leases--;
    if (seat.spare === 0) this.#crowded.delete(seat);
    this.#fleet.place(seat);
    this.#serve(seat, now);
  }

  /** Gives the room a seat has to those who have waited longest of whom its worker fits. */
  #serve(seat: Seat<W>, now?: number): void {
    if (this.#serving) {
      this.#unserved = true;
      return;
    }
    const { worker } = seat;
    // Once one of them has changed the pool, the order of arrival among all decides: see `#served`.
    while (seat.usable && this.#queue.length > 0 && !this.#unserved) {
      const first = this.#queue.firstFor(worker);
      now ??= this.#clock.now();
      if (first === undefined || !this.#serveFirst(first, now)) break;
    }
    this.#served(now);
  }

  /** Waiters that were granted slots may have changed the pool: the first of each queue is looked at again. */
  #served(now?: number): void {
    while (this.#unserved) {
      this.#unserved = false;
      const time = now ?? this.#clock.now();
      while (this.#queue.eligible().some((first) => this.#serveFirst(first, time)));
    }
    if (this.#crowded.size > 0 && this.#fleet.first(undefined, undefined) !== undefined) this.#onSpare?.();
  }

  #serveFirst(waiter: Waiter<W>, now: number): boolean {
    const seat = this.#seatFor(waiter);
    if (seat === undefined) return false;
    this.#queue.leave(waiter);
    this.#grant(seat, waiter, now);
    return true;
  }

  /** A waiter may change the pool: whom that serves is seen to once he is done. */
  #grant(seat: Seat<W>, waiter: Waiter<W>, now: number): void {
    seat.leases++;
    if (seat.spare === -1) this.#crowded.add(seat);
    this.#fleet.place(seat);
    this.#serving = true;
    try {
      waiter.take(seat.worker, now);
    } finally {
      this.#serving = false;
    }
  }

  /** One with a free slot; else, for whoever agrees to that, one that can be sent something ahead, unless somebody older waits for it. */
  #seatFor(waiter: Waiter<W>): Seat<W> | undefined {
    const free = this.#fleet.first(waiter.demand, waiter.avoid);
    if (free !== undefined || waiter.maySendAhead !== true) return free;
    const ahead = this.#fleet.firstAhead(waiter.demand);
    if (ahead === undefined) return undefined;
    const first = this.#queue.firstFor(ahead.worker);
    return first === undefined || first.rank >= waiter.rank ? ahead : undefined;
  }
}
