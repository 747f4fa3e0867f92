/** Who holds what: the leases of a pool and the seats they are for. When a seat is free again is decided in workers.ts. */
import { Deferred } from "../async/deferred.ts";
import type { Demand } from "./worker-selector.ts";
import type { Seat } from "./least-loaded-index.ts";
import type { Waiter } from "./waiter.ts";

/** How a pool hands its workers out; by default the worker itself is the lease. */
export interface Leasing<W, L> {
  /** Makes the lease for one slot. */
  wrap(worker: W): L;
  /** The holder gave it back: call `free` once the slot is really free. */
  unwrap(lease: L, free: () => void): void;
}

/** The leases nobody has given back. A worker may be its own lease, and then there are as many of it as are held. */
export class Leases<W, L> {
  readonly #seats = new Map<L, Seat<W>[]>();

  /** How many slots are leased. */
  get size(): number {
    let leased = 0;
    for (const seats of this.#seats.values()) leased += seats.length;
    return leased;
  }

  /** Somebody has a lease for a slot of that seat. */
  add(lease: L, seat: Seat<W>): void {
    const seats = this.#seats.get(lease);
    if (seats === undefined) this.#seats.set(lease, [seat]);
    else seats.push(seat);
  }

  /**
   * A lease is given back: the seat it was for. The oldest, as a late release of a worker that was deleted and added again must
   * not free the slot of its new holder.
   */
  take(lease: L): Seat<W> | undefined {
    const seats = this.#seats.get(lease);
    const seat = seats?.shift();
    if (seats?.length === 0) this.#seats.delete(lease);
    return seat;
  }
}

/** Somebody who wants a slot to hold. */
export class Acquisition<W, L> implements Waiter<W> {
  readonly demand: Demand | undefined;
  readonly avoid: undefined;
  rank = 0;
  line: object | undefined;
  ahead: Waiter<W> | undefined;
  behind: Waiter<W> | undefined;
  readonly granted: Deferred<L> = new Deferred<L>();
  readonly #lease: (worker: W) => L;

  constructor(demand: Demand | undefined, lease: (worker: W) => L) {
    this.demand = demand;
    this.#lease = lease;
  }

  take(worker: W): void {
    // Written down in the step of the grant: until the holder's promise is heard, the worker may have gone and come back.
    this.granted.resolve(this.#lease(worker));
  }
}
