/**
 * Which waiter gets which worker. Works over anything with an `identity` and a `close`; knows nothing of sockets or jobs.
 *
 * Invariant: a freed slot goes in the same step to the oldest waiter that its worker matches, so no slot is free while a
 * waiter matches it. See worker-index.ts for the order of workers, wait-queue.ts for that of waiters.
 */
import type { Clock } from "../time/clock.ts";
import { WorkerEntry, type Availability } from "./least-loaded-index.ts";
import { WaitQueue, type QueueDepth } from "./wait-queue.ts";
import type { Waiter } from "./waiter.ts";
import { WorkerIndex } from "./worker-index.ts";
import type { Selectable, WorkerSelector } from "./worker-selector.ts";

/** What can be pooled. */
export interface PooledWorker extends Selectable {
  /** Its name, unique in the pool. */
  readonly identity: string;
  /** How many leases it takes at a time; 1 when absent. */
  readonly capacity?: number;
  /** Called when it leaves the pool by `delete`. May be called twice. */
  close(): void;
}

/** @internal */
export interface SchedulerOptions<W> {
  readonly clock: Clock;
  /** How many jobs a worker can be prefetched now; absent: none. */
  readonly prefetchLimitOf?: ((worker: W) => number) | undefined;
  /** Called when a slot is free, no waiter matches it, and prefetched jobs wait at other workers. */
  readonly onIdleSlot?: (() => void) | undefined;
  /** Called when a worker without a free slot is about to be prefetched a first job. */
  readonly onOvercommitted?: ((worker: W) => void) | undefined;
  /** Called when waiters have been served, and slots may be left. */
  readonly onServed?: (() => void) | undefined;
  /** How many workers a search passes over before those that match get an index of their own; default 64. */
  readonly scansBeforeIndex?: number | undefined;
}

/** @internal Gives the slots of workers to waiters: the least loaded worker, the oldest waiter. */
export class Scheduler<W extends PooledWorker> {
  readonly #clock: Clock;
  readonly #onIdleSlot: (() => void) | undefined;
  readonly #onOvercommitted: ((worker: W) => void) | undefined;
  readonly #onServed: (() => void) | undefined;
  readonly #index: WorkerIndex<W>;
  readonly #queue: WaitQueue<W>;
  /** Workers at which jobs wait. */
  readonly #overcommitted = new Set<WorkerEntry<W>>();
  /** The entry of the last freed slot: one frame brings many answers of one worker. */
  #recent: WorkerEntry<W> | undefined;
  /** Whether a waiter is being granted a slot: until it returns, no other is. */
  #isGranting = false;
  /** Whether that waiter has changed the pool. */
  #hasChanged = false;

  /** Set while no leases are granted. */
  closed: { readonly error: unknown } | undefined;

  constructor(options: SchedulerOptions<W>) {
    this.#clock = options.clock;
    this.#onIdleSlot = options.onIdleSlot;
    this.#onOvercommitted = options.onOvercommitted;
    this.#onServed = options.onServed;
    this.#index = new WorkerIndex(options.prefetchLimitOf, options.scansBeforeIndex);
    this.#queue = new WaitQueue(this.#index);
  }

  /** How many workers there are, whatever their availability. */
  get size(): number {
    return this.#index.size;
  }

  /** How many of them can be given work, now or as soon as a slot is free. */
  get usable(): number {
    return this.#index.usable;
  }

  /** The slots of the usable workers, free or not. */
  get slots(): number {
    return this.#index.slots;
  }

  /** The labels of all workers. */
  get labels(): Iterable<string> {
    return this.#index.labels;
  }

  /** How many workers have that label, whatever their state. */
  countWithLabel(label: string): number {
    return this.#index.countWithLabel(label);
  }

  /** How many jobs the workers can be given: to the slots, and prefetched. */
  get submitLimit(): number {
    return this.#index.slots + this.#index.prefetchLimit;
  }

  /** How many wait for a slot. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** How many wait, by selector. */
  get queueDepths(): readonly QueueDepth[] {
    return this.#queue.depths();
  }

  /** The entry of a worker, or of the worker of that identity. */
  find(worker: W | string): WorkerEntry<W> | undefined {
    const entry = this.#index.get(typeof worker === "string" ? worker : worker.identity);
    return typeof worker === "string" || entry?.worker === worker ? entry : undefined;
  }

  /** Adds a worker, once. A worker of the same identity is replaced and closed. */
  add(worker: W, capacity: number = worker.capacity ?? 1): void {
    const present = this.#index.get(worker.identity);
    if (present?.worker === worker) return;
    if (present !== undefined) this.#remove(present);
    const entry = new WorkerEntry(worker, capacity);
    this.#index.add(entry);
    if (entry.usable) this.#queue.changed(worker, true, this.#index.usable === 1);
    try {
      // Last, as `close` is user code: it may throw, or change the pool.
      present?.worker.close();
    } finally {
      this.#serve(entry);
    }
  }

  /** Takes a worker out and closes it. `false` when it is not there. */
  delete(worker: W | string): boolean {
    const entry = this.find(worker);
    if (entry === undefined) return false;
    this.#remove(entry);
    entry.worker.close();
    return true;
  }

  /** Takes a worker out without closing it: it finishes its jobs. */
  withdraw(worker: W): void {
    const entry = this.find(worker);
    if (entry !== undefined) this.#remove(entry);
  }

  /** Grants a slot to `waiter`, now or when one frees up. A waiter that comes back keeps its sequence number. */
  wait(waiter: Waiter<W>, now?: number): void {
    this.#queue.assignSequence(waiter);
    // Most waiters find a slot and no older waiter, and are never queued.
    const entry = this.#isGranting || !this.#queue.isNext(waiter) ? undefined : this.#entryFor(waiter);
    if (entry === undefined) {
      this.#queue.push(waiter);
      if (this.#isGranting) this.#hasChanged = true;
      return;
    }
    now ??= this.#clock.now();
    this.#grant(entry, waiter, now);
    this.#serveChanged(now);
  }

  /** Takes a waiter out of the queue. `false` when it does not wait. */
  leave(waiter: Waiter<W>): boolean {
    return this.#queue.remove(waiter);
  }

  /** Whether a matching worker can be given work, now or as soon as a slot is free. */
  hasCandidate(selector: WorkerSelector | undefined): boolean {
    return selector === undefined ? this.#index.usable > 0 : this.#queue.hasCandidate(selector);
  }

  /** Whether a slot of a matching worker is free. */
  hasFreeSlot(selector: WorkerSelector | undefined): boolean {
    return this.#index.first(selector, undefined) !== undefined;
  }

  /** The workers that match, whatever their availability. */
  matching(selector: WorkerSelector | undefined): readonly W[] {
    return this.#index.matching(selector);
  }

  /** How many workers match, whatever their availability. */
  countMatching(selector: WorkerSelector | undefined): number {
    return this.#index.countMatching(selector);
  }

  /** Frees a slot that a waiter took. A worker that is not in the pool is ignored. */
  free(worker: W, now?: number): void {
    const entry = this.#recent?.worker === worker ? this.#recent : this.#index.get(worker.identity);
    if (entry?.worker !== worker) return;
    this.#recent = entry;
    this.#free(entry, now);
  }

  /** Marks a slot that was just granted as leased: its holder may leave it idle, so nothing is prefetched behind it. */
  lease(entry: WorkerEntry<W>): void {
    entry.leased++;
    this.#index.place(entry);
  }

  /** Frees a leased slot, unless its worker has left the pool. */
  release(entry: WorkerEntry<W>): void {
    if (entry.leased > 0) entry.leased--;
    if (this.#index.get(entry.worker.identity) === entry) this.#free(entry);
  }

  /**
   * Recalls jobs that wait at workers if a slot is free: all that are parked; of prefetched ones, from each worker half of them,
   * and those above its prefetch limit.
   * A worker that was asked before and has not finished a job since has a limit of 0, so it is asked for all.
   * `ask` returns how many jobs stay that match a free slot: the scheduler does not know their selectors.
   * Returns whether to recall again later.
   */
  recall(
    ask: (worker: W, count: number, isUseful: (selector: WorkerSelector | undefined) => boolean) => number,
  ): boolean {
    if (this.#index.first(undefined, undefined) === undefined) return false;
    const isUseful = (selector: WorkerSelector | undefined): boolean =>
      this.#index.first(selector, undefined) !== undefined;
    let kept = 0;
    for (const entry of this.#overcommitted) {
      const sent = entry.hasParked ? Number.POSITIVE_INFINITY : -entry.freeSlots;
      kept += ask(entry.worker, Math.max(sent - entry.prefetchLimit, Math.ceil(sent / 2)), isUseful);
      this.#index.place(entry);
    }
    return kept > 0;
  }

  /** Notes whether jobs wait at a worker for slots that jobs of other runners have. */
  setParked(worker: W, hasParked: boolean): void {
    const entry = this.find(worker);
    if (entry === undefined) return;
    entry.hasParked = hasParked;
    this.#updateOvercommitted(entry);
    this.#serveChanged();
  }

  /** Visits each worker with prefetched jobs; the visit may change how many more it can be prefetched. */
  visitOvercommitted(visit: (worker: W) => void): void {
    for (const entry of this.#overcommitted) {
      visit(entry.worker);
      this.#index.place(entry);
    }
  }

  /** Looks again how many jobs a worker can be prefetched. */
  updatePrefetch(worker: W): void {
    const entry = this.find(worker);
    if (entry === undefined) return;
    const before = entry.prefetchLimit;
    this.#index.place(entry);
    if (this.#isGranting && entry.prefetchLimit > before) this.#hasChanged = true;
  }

  /** Changes whether a worker may be given work. */
  setAvailability(worker: W, availability: Availability): void {
    const entry = this.find(worker);
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

  /** Takes over the slots and labels that a worker has now. What it has it keeps. */
  resize(worker: W): void {
    const entry = this.find(worker);
    if (entry === undefined) return;
    const before = { labels: entry.labels, peer: worker.peer };
    const wasUsable = entry.usable;
    this.#index.delete(entry);
    entry.capacity = worker.capacity ?? 1;
    this.#index.add(entry);
    this.#updateOvercommitted(entry);
    const { usable } = this.#index;
    if (wasUsable) this.#queue.changed(before, false, usable === 0);
    if (entry.usable) this.#queue.changed(worker, true, usable === 1 && !wasUsable);
    this.#serve(entry);
  }

  /** Ends the wait for leases with an error, until `open`. */
  close(error: unknown): void {
    this.closed = { error };
    for (const waiter of this.#queue.all()) {
      if (waiter.onClosed !== undefined && this.#queue.remove(waiter)) waiter.onClosed(error);
    }
  }

  /** Lets callers wait for leases again. */
  open(): void {
    this.closed = undefined;
  }

  #remove(entry: WorkerEntry<W>): void {
    this.#index.delete(entry);
    if (this.#recent === entry) this.#recent = undefined;
    this.#overcommitted.delete(entry);
    if (entry.usable) this.#queue.changed(entry.worker, false, this.#index.usable === 0);
  }

  #free(entry: WorkerEntry<W>, now?: number): void {
    if (entry.inUse === 0) return;
    entry.inUse--;
    if (entry.freeSlots === 0 && !entry.hasParked) this.#overcommitted.delete(entry);
    this.#index.place(entry);
    this.#serve(entry, now);
  }

  /** Grants the free slots of an entry to the oldest waiters that its worker matches. */
  #serve(entry: WorkerEntry<W>, now?: number): void {
    if (this.#isGranting) {
      this.#hasChanged = true;
      return;
    }
    const { worker } = entry;
    // Once a waiter has changed the pool, the order of arrival among all waiters decides: see `#serveChanged`.
    while (entry.usable && this.#queue.length > 0 && !this.#hasChanged) {
      const first = this.#queue.firstFor(worker);
      now ??= this.#clock.now();
      if (first === undefined || !this.#serveFirst(first, now)) break;
    }
    this.#serveChanged(now);
  }

  /** Serves the first waiter of each queue again while waiters that were granted a slot have changed the pool. */
  #serveChanged(now?: number): void {
    while (this.#hasChanged) {
      this.#hasChanged = false;
      const time = now ?? this.#clock.now();
      while (this.#queue.eligible().some((first) => this.#serveFirst(first, time)));
    }
    if (this.#overcommitted.size > 0 && this.#index.first(undefined, undefined) !== undefined) this.#onIdleSlot?.();
    this.#onServed?.();
  }

  #serveFirst(waiter: Waiter<W>, now: number): boolean {
    const entry = this.#entryFor(waiter);
    if (entry === undefined) return false;
    this.#queue.remove(waiter);
    this.#grant(entry, waiter, now);
    return true;
  }

  /** The waiter may change the pool: other waiters are served once it returns. */
  #grant(entry: WorkerEntry<W>, waiter: Waiter<W>, now: number): void {
    entry.inUse++;
    if (entry.freeSlots === -1) this.#overcommit(entry);
    this.#index.place(entry);
    this.#isGranting = true;
    try {
      waiter.take(entry.worker, now);
    } finally {
      this.#isGranting = false;
    }
  }

  #updateOvercommitted(entry: WorkerEntry<W>): void {
    if (entry.freeSlots < 0 || entry.hasParked) this.#overcommitted.add(entry);
    else this.#overcommitted.delete(entry);
  }

  #overcommit(entry: WorkerEntry<W>): void {
    this.#overcommitted.add(entry);
    this.#onOvercommitted?.(entry.worker);
  }

  /**
   * A worker with a free slot. If there is none and the waiter allows prefetch, a worker with prefetch capacity, unless an
   * older waiter matches it.
   */
  #entryFor(waiter: Waiter<W>): WorkerEntry<W> | undefined {
    const free = this.#index.first(waiter.selector, waiter.avoid);
    if (free !== undefined || waiter.mayPrefetch !== true) return free;
    const entry = this.#index.firstForPrefetch(waiter.selector);
    if (entry === undefined) return undefined;
    const first = this.#queue.firstFor(entry.worker);
    return first === undefined || first.sequence >= waiter.sequence ? entry : undefined;
  }
}
