/** One call of `acquire` while it waits in the queue of a pool. When it gives up is decided in workers.ts. */
import { Deferred } from "./deferred.ts";
import type { Demand } from "./demand.ts";
import type { Waiter } from "./waiter.ts";

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
