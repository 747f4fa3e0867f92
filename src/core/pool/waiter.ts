/** Who can stand in the queue of a pool: the seam between workers.ts and those who want a slot. */
import type { WorkerSelector } from "./worker-selector.ts";
import type { LinkedNode } from "../collections/linked-queue.ts";

/** Workers not to be used while another is free. Asked about one worker at a time, so that it may hold them weakly. */
export interface Avoided<W> {
  /** Whether this is one of them. */
  has(worker: W): boolean;
}

/** Who waits for a slot of a worker. */
export interface Waiter<W> extends LinkedNode<Waiter<W>> {
  /** Its place in the order of arrival, given by the pool and kept when it comes back; 0 before it first waits. */
  sequence: number;
  /** Which workers will do; absent: any. The same as long as it waits. */
  readonly selector?: WorkerSelector | undefined;
  /** Those that it has had, or does not like. */
  readonly avoid: Avoided<W> | undefined;
  /** Whether a place behind a worker's slots will do while no slot is free. */
  readonly mayPrefetch?: boolean;
  /** The slot is yours; give it back with `free`. Called with the pool consistent; may change it. `now`: the clock's time. */
  take(worker: W, now: number): void;
  /** It waits, and the first usable worker came that would do, or the last one went. Must not change the pool. */
  hasCandidates?(usable: boolean): void;
}
