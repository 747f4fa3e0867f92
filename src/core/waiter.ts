/** Who can stand in the queue of a pool: the seam between workers.ts and those who want a slot. */
import type { Member } from "./line.ts";

/** Who waits for a slot of a worker, in the order of arrival. */
export interface Waiter<W> extends Member<Waiter<W>> {
  /** Workers not to be used while another is free. */
  readonly avoid: ReadonlySet<W> | undefined;
  /** Counts up in the order of arrival; who has none lets nobody who comes back pass. */
  readonly id?: number;
  /** Whether a place behind a worker's slots will do while no slot is free. */
  readonly maySendAhead?: boolean;
  /** The slot is yours; give it back with `free`. Called with the pool consistent; may change it. `now`: the clock's time. */
  take(worker: W, now: number): void;
}
