/**
 * The slots of a pool that callers hold, from `acquire` to `release`, and the waiters for them. Which worker a waiter gets is
 * decided in scheduler.ts.
 */
import { Deferred } from "../async/deferred.ts";
import type { WorkerSelector } from "./worker-selector.ts";
import type { WorkerEntry } from "./least-loaded-index.ts";
import type { Waiter } from "./waiter.ts";

/** How a pool hands its workers out; by default the worker itself is the lease. */
export interface Leasing<W, L> {
  /** Makes the lease for one slot. */
  wrap(worker: W): L;
  /** The lease is released: call `free` once the slot is really free. */
  unwrap(lease: L, free: () => void): void;
}

/** The leases that are not released. A worker may be its own lease, and then has one entry for each leased slot. */
export class Leases<W, L> {
  readonly #entries = new Map<L, WorkerEntry<W>[]>();

  /** How many slots are leased. */
  get size(): number {
    let leased = 0;
    for (const entries of this.#entries.values()) leased += entries.length;
    return leased;
  }

  /** Records a lease of a slot of that entry. */
  add(lease: L, entry: WorkerEntry<W>): void {
    const entries = this.#entries.get(lease);
    if (entries === undefined) this.#entries.set(lease, [entry]);
    else entries.push(entry);
  }

  /**
   * Removes a lease and returns its entry: the oldest. A late release of a worker that was deleted and added again must not
   * free the slot of a newer lease.
   */
  take(lease: L): WorkerEntry<W> | undefined {
    const entries = this.#entries.get(lease);
    const entry = entries?.shift();
    if (entries?.length === 0) this.#entries.delete(lease);
    return entry;
  }
}

/** One `acquire` that waits. */
export class AcquireWaiter<W, L> implements Waiter<W> {
  readonly selector: WorkerSelector | undefined;
  readonly avoid: undefined;
  sequence = 0;
  list: object | undefined;
  previous: Waiter<W> | undefined;
  next: Waiter<W> | undefined;
  readonly granted: Deferred<L> = new Deferred<L>();
  readonly #lease: (worker: W) => L;

  constructor(selector: WorkerSelector | undefined, lease: (worker: W) => L) {
    this.selector = selector;
    this.#lease = lease;
  }

  take(worker: W): void {
    // In the step of the grant: before the caller sees its promise resolve, the worker may have gone and come back.
    this.granted.resolve(this.#lease(worker));
  }

  onClosed(error: unknown): void {
    this.granted.reject(error);
  }
}
