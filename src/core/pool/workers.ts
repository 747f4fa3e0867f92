/**
 * Workers: the public pool. Leases slots of workers to callers, until they release them. Which caller gets which worker is
 * decided in scheduler.ts.
 */
import { type Abortable, AbortListeners } from "../async/abort-listeners.ts";
import type { Clock } from "../time/clock.ts";
import { CallbackEntry, TimerQueue } from "../time/timer-queue.ts";
import { because, TimeoutError } from "../errors.ts";
import { systemClock } from "../time/system.ts";
import { selectorFor, describeLabels } from "./worker-selector.ts";
import { labelList } from "../identifiers.ts";
import { AcquireWaiter, Leases, type Leasing } from "./leases.ts";
import { abortSignal, checkedCopy, checkOptions, duration, integer, hasMethods, isClock } from "../options.ts";
import { type PooledWorker, Scheduler } from "./scheduler.ts";

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
export interface WorkersOptions {
  /** Where the time comes from; the host's by default. */
  readonly clock?: Clock | undefined;
}

/** @internal What the workers of a runner are given. */
export interface WorkersContext<W extends PooledWorker, L> {
  readonly scheduler: Scheduler<W>;
  readonly leasing?: Leasing<W, L>;
  /** Why workers are missing, as far as it is known. */
  trouble?(): Error | undefined;
}

const ACQUIRE_TIMEOUT_MS = 5_000;

const isWorker = hasMethods("a worker with an `identity` and a `close`", "close");

/** A pool of workers: idle first, longest idle before others, waiters served in the order they came. */
export class Workers<W extends PooledWorker, L = W> {
  /** @internal What a runner and a registration use. */
  readonly scheduler: Scheduler<W>;
  readonly #leases = new Leases<W, L>();
  readonly #context: WorkersContext<W, L> | undefined;
  readonly #timers: TimerQueue;
  readonly #aborts = new AbortListeners();

  /** @param options - See {@link WorkersOptions}. */
  constructor(options?: WorkersOptions);
  /** @internal */
  constructor(options: WorkersOptions, context: WorkersContext<W, L>);
  constructor(options: WorkersOptions = {}, context?: WorkersContext<W, L>) {
    checkOptions("Workers", options, { clock: isClock });
    const { clock = systemClock } = options;
    this.scheduler = context?.scheduler ?? new Scheduler({ clock });
    this.#context = context;
    this.#timers = new TimerQueue(clock, true);
  }

  /** How many workers are in the pool, whatever their availability. */
  get size(): number {
    return this.scheduler.size;
  }

  /** How many of them can be given work, now or as soon as a slot is free. */
  get usable(): number {
    return this.scheduler.usable;
  }

  /** How many wait for a slot. */
  get waiting(): number {
    return this.scheduler.waiting;
  }

  /** @internal How many slots are leased by `acquire` or `getContext`. */
  get leased(): number {
    return this.#leases.size;
  }

  /** Whether a worker, or one of that identity, is in the pool. */
  has(worker: W | string): boolean {
    return this.scheduler.find(worker) !== undefined;
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
    this.scheduler.add(worker, capacity);
  }

  /** Takes a worker out of the pool and closes it, even if it is leased. `false` when it was not in the pool. */
  delete(worker: W | string): boolean {
    return this.scheduler.delete(worker);
  }

  /**
   * Waits for a free worker and leases one slot of it; give it back with {@link Workers.release}.
   * @throws TimeoutError (kind `acquire`) when `timeout` passes first, or the signal's reason.
   */
  async acquire(options: AcquireOptions = {}): Promise<L> {
    const rules = { timeout: duration, signal: abortSignal, require: labelList };
    const { timeout = ACQUIRE_TIMEOUT_MS, signal, require = [] } = checkedCopy("acquire", options, rules);
    const { scheduler } = this;
    const selector = selectorFor(require);
    // After all of the options were read, as they may have getters, which are user code.
    if (signal?.aborted === true) throw signal.reason;
    if (scheduler.closed !== undefined) throw scheduler.closed.error;
    const waiter = new AcquireWaiter<W, L>(selector, (worker) => this.#lease(worker));
    // The waiter leaves the queue in the same step: a slot granted to it later would never come back.
    const giveUp = (error: unknown): void => {
      if (scheduler.leave(waiter)) waiter.onClosed(error);
    };
    const timer = new CallbackEntry(() => {
      const trouble = this.#context?.trouble?.();
      const why = `${scheduler.countMatching(selector)} registered${describeLabels(require)}${because(trouble)}`;
      const message = `Could not get a worker in ${timeout} ms (${why})`;
      giveUp(new TimeoutError(message, "acquire", timeout, { cause: trouble }));
    });
    const abortable: Abortable = { aborted: giveUp };
    if (signal !== undefined) this.#aborts.watch(signal, abortable);
    this.#timers.set(timer, timeout);
    scheduler.wait(waiter);
    try {
      return await waiter.granted.promise;
    } finally {
      this.#timers.drop(timer);
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
    const free = (): void => this.scheduler.release(entry);
    if (this.#context?.leasing === undefined) free();
    else this.#context.leasing.unwrap(lease, free);
  }

  /** Leases a worker while `use` runs, and releases it in any case. Resolves to what `use` returns. */
  async getContext<T>(use: (lease: L) => T | Promise<T>, options?: AcquireOptions): Promise<T> {
    const lease = await this.acquire(options);
    try {
      return await use(lease);
    } finally {
      this.release(lease);
    }
  }

  #lease(worker: W): L {
    const lease = this.#context?.leasing?.wrap(worker) ?? (worker as W & L);
    const entry = this.scheduler.find(worker);
    if (entry === undefined) return lease;
    this.scheduler.lease(entry);
    this.#leases.add(lease, entry);
    return lease;
  }
}
