/** What waits in the queue of a pool: a call, an `acquire` or the end of a lease. Types only, shared without a cycle. */
import type { WorkerSelector } from "./worker-selector.ts";
import type { LinkedNode } from "../collections/linked-queue.ts";

/** Workers not to be used while another is free. Asked about one worker at a time, so that it may hold them weakly. */
export interface Avoided<W> {
  /** Whether this is one of them. */
  has(worker: W): boolean;
}

/** Waits for a slot of a worker. */
export interface Waiter<W> extends LinkedNode<Waiter<W>> {
  /** Position in the order of arrival, assigned by the queue and kept when the waiter comes back; 0 before it first waits. */
  sequence: number;
  /** Which workers match; absent: all. The same as long as it is in the queue. */
  readonly selector?: WorkerSelector | undefined;
  /** Workers that have failed it. */
  readonly avoid: Avoided<W> | undefined;
  /** Whether a job may be prefetched to a worker while no slot is free. */
  readonly mayPrefetch?: boolean;
  /** Grants a slot; free it with `free`. Called with the pool consistent; may change it. `now`: the clock's time. */
  take(worker: W, now: number): void;
  /** The first usable worker that matches came, or the last one went. Must not change the pool. */
  hasCandidates?(usable: boolean): void;
  /** The pool has closed and the waiter has left the queue. Absent: the waiter stays. */
  onClosed?(error: unknown): void;
}
