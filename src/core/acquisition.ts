/** One call of `acquire` while it waits in the queue of a pool. When it gives up is decided in workers.ts. */
import { Deferred } from "./deferred.ts";
import type { Waiter } from "./waiter.ts";

/** Somebody who wants a slot to hold. */
export class Acquisition<W, L> implements Waiter<W> {
  readonly avoid: undefined;
  line: object | undefined;
  ahead: Waiter<W> | undefined;
  behind: Waiter<W> | undefined;
  readonly granted: Deferred<L> = new Deferred<L>();
  readonly #lease: (worker: W) => L;

  constructor(lease: (worker: W) => L) {
    this.#lease = lease;
  }

  take(worker: W): void {
    // Written down in the step of the grant: until the holder's promise is heard, the worker may have gone and come back.
    this.granted.resolve(this.#lease(worker));
  }
}
