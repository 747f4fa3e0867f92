/**
 * Workers: who is free and who waits, and who gets whom. Works over anything with an `identity` and a `close`; knows nothing of
 * sockets (see session.ts) nor of jobs (see call.ts). Everything happens at once: a freed slot goes in the same step to who has
 * waited longest of those whom its worker fits, so no slot is ever free while somebody who could use it waits.
 */
import { type Abortable, AbortListeners } from "../async/abort-listeners.ts";
import type { Clock } from "../time/clock.ts";
import { CallbackEntry, TimerQueue } from "../time/timer-queue.ts";
import { because, TimeoutError } from "../errors.ts";
import { systemClock } from "../time/system.ts";
import { type WorkerSelector, type Selectable, selectorFor, describeLabels } from "./worker-selector.ts";
import { WorkerIndex } from "./worker-index.ts";
import { labelList } from "../identifiers.ts";
import { AcquireWaiter, Leases, type Leasing } from "./leases.ts";
import {
  abortSignal,
  isFunction,
  checkedCopy,
  checkOptions,
  duration,
  integer,
  type Validators,
  hasMethods,
} from "../options.ts";
import { WaitQueue, type QueueDepth } from "./wait-queue.ts";
import { WorkerEntry, type Availability } from "./least-loaded-index.ts";
import type { Waiter } from "./waiter.ts";

/** What can be pooled. */
export interface PooledWorker extends Selectable {
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
  /** @internal How many jobs a worker can be prefetched now; absent: none. */
  readonly prefetchLimitOf?: ((worker: W) => number) | undefined;
  /** @internal Called when a slot is free, nobody waits for it, and jobs that were prefetched wait elsewhere. */
  readonly onIdleSlot?: (() => void) | undefined;
  /** @internal Why workers are missing, as far as it is known. */
  readonly trouble?: (() => Error | undefined) | undefined;
  /** @internal How many workers a search passes over before those that fit are kept in an order of their own; default 64. */
  readonly scansBeforeIndex?: number | undefined;
}

const ACQUIRE_TIMEOUT = 5_000;

const RULES: Validators<WorkersOptions<PooledWorker, unknown>> = {
  clock: hasMethods("a Clock", "now", "set", "clear", "endOfTurn", "nextTurn"),
  leasing: hasMethods("a Leasing", "wrap", "unwrap"),
  prefetchLimitOf: isFunction,
  onIdleSlot: isFunction,
  trouble: isFunction,
  scansBeforeIndex: integer(0),
};

const isWorker = hasMethods("a worker with an `identity` and a `close`", "close");

/** A pool of workers: idle first, longest idle before others, waiters served in the order they came. */
export class Workers<W extends PooledWorker, L = W> {
  readonly #index: WorkerIndex<W>;
  /** Those with jobs that were prefetched. */
  readonly #overcommitted = new Set<WorkerEntry<W>>();
  readonly #queue: WaitQueue<W>;
  readonly #leases = new Leases<W, L>();
  readonly #timers: TimerQueue;
  readonly #aborts = new AbortListeners();
  readonly #leasing: Leasing<W, L> | undefined;
  readonly #onIdleSlot: (() => void) | undefined;
  readonly #trouble: (() => Error | undefined) | undefined;
  readonly #clock: Clock;
  /** Whose slot was freed last: a frame brings many answers of one worker. */
  #recent: WorkerEntry<W> | undefined;
  #serving = false;
  /** The pool was changed by somebody who was just given a slot. */
  #unserved = false;
  #shut: { readonly error: unknown } | undefined;

  /** @param options - See {@link WorkersOptions}. */
  constructor(options: WorkersOptions<W, L> = {}) {
    checkOptions("Workers", options, RULES);
    this.#clock = options.clock ?? systemClock;
    this.#timers = new TimerQueue(this.#clock, true);
    this.#index = new WorkerIndex(options.prefetchLimitOf, options.scansBeforeIndex);
    this.#queue = new WaitQueue(this.#index);
    this.#leasing = options.leasing;
    this.#onIdleSlot = options.onIdleSlot;
    this.#trouble = options.trouble;
  }

  /** How many workers are in the pool, whatever their standing. */
  get size(): number {
    return this.#index.size;
  }

  /** How many of them can be given work, now or as soon as a slot is free. */
  get usable(): number {
    return this.#index.usable;
  }

  /** @internal The slots of the usable ones, free or not. */
  get slots(): number {
    return this.#index.slots;
  }

  /** @internal How many jobs the workers can be given: to the slots, and ahead of them. */
  get submitLimit(): number {
    return this.#index.slots + this.#index.prefetchLimit;
  }

  /** How many wait for a slot. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** @internal How many wait for what. */
  get lines(): readonly QueueDepth[] {
    return this.#queue.lines();
  }

  /** @internal How many slots are leased by `acquire` or `getContext`. */
  get leased(): number {
    return this.#leases.size;
  }

  /** Whether a worker, or one of that identity, is in the pool. */
  has(worker: W | string): boolean {
    return this.#entryOf(worker) !== undefined;
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
    const present = this.#index.get(worker.identity);
    if (present?.worker === worker) return;
    if (present !== undefined) this.#remove(present);
    const entry = new WorkerEntry(worker, capacity);
    this.#index.add(entry);
    this.#queue.changed(worker, true, this.#index.usable === 1);
    try {
      // Not before the newcomer stands in its place: this is foreign code, which may throw or come back into the pool.
      present?.worker.close();
    } finally {
      this.#serve(entry);
    }
  }

  /** Takes a worker out of the pool and closes it, whoever holds it. `false` when it was not in the pool. */
  delete(worker: W | string): boolean {
    const entry = this.#entryOf(worker);
    if (entry === undefined) return false;
    this.#remove(entry);
    entry.worker.close();
    return true;
  }

  /**
   * Waits for a free worker and leases one slot of it; give it back with {@link Workers.release}.
   * @throws TimeoutError (kind `acquire`) when `timeout` passes first, or the signal's reason.
   */
  async acquire(options: AcquireOptions = {}): Promise<L> {
    const rules = { timeout: duration, signal: abortSignal, require: labelList };
    const { timeout = ACQUIRE_TIMEOUT, signal, require = [] } = checkedCopy("acquire", options, rules);
    const selector = selectorFor(require);
    // After all of the options were read, as they may have getters, which are user code.
    if (signal?.aborted === true) throw signal.reason;
    if (this.#shut !== undefined) throw this.#shut.error;
    const acquisition = new AcquireWaiter<W, L>(selector, (worker) => this.#lease(worker));
    // Whoever gives up leaves the line in the same step: a slot granted to somebody who has left would never come back.
    const giveUp = (error: unknown): void => {
      if (this.#queue.remove(acquisition)) acquisition.granted.reject(error);
    };
    const alarm = new CallbackEntry(() => {
      const there = this.#index.countMatching(acquisition.selector);
      const trouble = this.#trouble?.();
      const why = `${there} registered${describeLabels(require)}${because(trouble)}`;
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
    const entry = this.#leases.take(lease);
    if (entry === undefined) return;
    if (this.#leasing === undefined) this.#release(entry);
    else this.#leasing.unwrap(lease, () => this.#release(entry));
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
    const entry = this.#entryOf(worker);
    if (entry !== undefined) this.#remove(entry);
  }

  /** @internal Leases a slot to a waiter: at once when one is free, else in his turn. Who comes back keeps the turn he had. */
  wait(waiter: Waiter<W>, now?: number): void {
    this.#queue.assignSequence(waiter);
    // Most find a slot and nobody before them, and need not stand in line for it.
    const entry = this.#serving || !this.#queue.isNext(waiter) ? undefined : this.#entryFor(waiter);
    if (entry === undefined) {
      this.#queue.push(waiter);
      if (this.#serving) this.#unserved = true;
      return;
    }
    now ??= this.#clock.now();
    this.#grant(entry, waiter, now);
    this.#served(now);
  }

  /** @internal Whether a worker is there that can be given such work, now or as soon as a slot is free. */
  hasCandidate(selector: WorkerSelector | undefined): boolean {
    return selector === undefined ? this.#index.usable > 0 : this.#queue.isSupplied(selector);
  }

  /** @internal The workers that would do, whatever their standing. */
  matching(selector: WorkerSelector | undefined): readonly W[] {
    return this.#index.matching(selector);
  }

  /** @internal How many workers would do, whatever their standing. */
  countMatching(selector: WorkerSelector | undefined): number {
    return this.#index.countMatching(selector);
  }

  /** @internal Gives up waiting. */
  leave(waiter: Waiter<W>): boolean {
    return this.#queue.remove(waiter);
  }

  /** @internal Rejects everybody who waits in `acquire`, and whoever asks until `reopen`. */
  shut(error: unknown): void {
    this.#shut = { error };
    for (const waiter of this.#queue.all()) {
      if (waiter instanceof AcquireWaiter && this.#queue.remove(waiter)) waiter.granted.reject(error);
    }
  }

  /** @internal Lets `acquire` work again. */
  reopen(): void {
    this.#shut = undefined;
  }

  /** @internal Gives back a slot that a waiter took. A worker that is gone from the pool is ignored. */
  free(worker: W, now?: number): void {
    const entry = this.#recent?.worker === worker ? this.#recent : this.#index.get(worker.identity);
    if (entry?.worker !== worker) return;
    this.#recent = entry;
    this.#free(entry, now);
  }

  /**
   * @internal Asks workers for jobs that were prefetched to them, if a slot is free for one. Each is asked for half of them,
   * and for what it would not be sent now: that is all of them once it was asked before and has not finished a job since.
   * `ask` says how many stay there that could use a free slot: the demands of jobs that were sent are not known here.
   * Returns whether there is reason to ask again.
   */
  recall(
    ask: (worker: W, count: number, useful: (selector: WorkerSelector | undefined) => boolean) => number,
  ): boolean {
    if (this.#index.first(undefined, undefined) === undefined) return false;
    const useful = (selector: WorkerSelector | undefined): boolean =>
      this.#index.first(selector, undefined) !== undefined;
    let kept = 0;
    for (const entry of this.#overcommitted) {
      const sent = -entry.freeSlots;
      kept += ask(entry.worker, Math.max(sent - entry.prefetchLimit, Math.ceil(sent / 2)), useful);
      this.#index.place(entry);
    }
    return kept > 0;
  }

  /** @internal Changes whether a worker may be given work. */
  setAvailability(worker: W, availability: Availability): void {
    const entry = this.#entryOf(worker);
    if (entry === undefined || entry.availability === availability) return;
    const { usable } = entry;
    entry.availability = availability;
    this.#index.place(entry);
    if (usable !== entry.usable) {
      this.#index.count(entry, entry.usable ? 1 : -1);
      this.#queue.changed(worker, entry.usable, this.#index.usable === Number(entry.usable));
    }
    this.#serve(entry);
  }

  #entryOf(worker: W | string): WorkerEntry<W> | undefined {
    const entry = this.#index.get(typeof worker === "string" ? worker : worker.identity);
    return typeof worker === "string" || entry?.worker === worker ? entry : undefined;
  }

  #remove(entry: WorkerEntry<W>): void {
    this.#index.delete(entry);
    if (this.#recent === entry) this.#recent = undefined;
    this.#overcommitted.delete(entry);
    if (entry.usable) this.#queue.changed(entry.worker, false, this.#index.usable === 0);
  }

  #lease(worker: W): L {
    const entry = this.#entryOf(worker);
    const lease = this.#leasing === undefined ? (worker as W & L) : this.#leasing.wrap(worker);
    if (entry === undefined) return lease;
    entry.leased++;
    // It was placed before it was known who takes it: whoever holds it has it alone.
    this.#index.place(entry);
    this.#leases.add(lease, entry);
    return lease;
  }

  #release(entry: WorkerEntry<W>): void {
    if (entry.leased > 0) entry.leased--;
    if (this.#index.get(entry.worker.identity) === entry) this.#free(entry);
  }

  #free(entry: WorkerEntry<W>, now?: number): void {
    if (entry.inUse === 0) return;
    entry.inUse--;
    if (entry.freeSlots === 0) this.#overcommitted.delete(entry);
    this.#index.place(entry);
    this.#serve(entry, now);
  }

  /** Gives the room a entry has to those who have waited longest of whom its worker fits. */
  #serve(entry: WorkerEntry<W>, now?: number): void {
    if (this.#serving) {
      this.#unserved = true;
      return;
    }
    const { worker } = entry;
    // Once one of them has changed the pool, the order of arrival among all decides: see `#served`.
    while (entry.usable && this.#queue.length > 0 && !this.#unserved) {
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
    if (this.#overcommitted.size > 0 && this.#index.first(undefined, undefined) !== undefined) this.#onIdleSlot?.();
  }

  #serveFirst(waiter: Waiter<W>, now: number): boolean {
    const entry = this.#entryFor(waiter);
    if (entry === undefined) return false;
    this.#queue.remove(waiter);
    this.#grant(entry, waiter, now);
    return true;
  }

  /** A waiter may change the pool: whom that serves is seen to once he is done. */
  #grant(entry: WorkerEntry<W>, waiter: Waiter<W>, now: number): void {
    entry.inUse++;
    if (entry.freeSlots === -1) this.#overcommitted.add(entry);
    this.#index.place(entry);
    this.#serving = true;
    try {
      waiter.take(entry.worker, now);
    } finally {
      this.#serving = false;
    }
  }

  /** One with a free slot; else, for whoever agrees to that, one that can be sent something ahead, unless somebody older waits for it. */
  #entryFor(waiter: Waiter<W>): WorkerEntry<W> | undefined {
    const free = this.#index.first(waiter.selector, waiter.avoid);
    if (free !== undefined || waiter.mayPrefetch !== true) return free;
    const prefetchLimitOf = this.#index.firstForPrefetch(waiter.selector);
    if (prefetchLimitOf === undefined) return undefined;
    const first = this.#queue.firstFor(prefetchLimitOf.worker);
    return first === undefined || first.sequence >= waiter.sequence ? prefetchLimitOf : undefined;
  }
}
