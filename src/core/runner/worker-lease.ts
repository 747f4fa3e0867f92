/** One slot of one worker, held for related jobs: they run one after the other, on that worker and no other. */
import type { Dispatcher } from "../dispatch/dispatcher.ts";
import type { ExecuteOptions } from "../job/execute-options.ts";
import { WorkerLostError } from "../errors.ts";
import type { Job } from "../job/job.ts";
import type { Payload, Peer } from "../peer.ts";
import type { Session } from "../session/session.ts";
import { Workers } from "../pool/workers.ts";
import type { Waiter } from "../pool/waiter.ts";

/** Stands behind the holder's last job and gives the slot back to the fleet when its turn comes. */
class ReleaseWaiter implements Waiter<Session> {
  readonly avoid: undefined;
  sequence = 0;
  list: object | undefined;
  previous: Waiter<Session> | undefined;
  next: Waiter<Session> | undefined;
  readonly #free: () => void;

  constructor(free: () => void) {
    this.#free = free;
  }

  take(): void {
    this.#free();
  }
}

/** A worker somebody holds; made by `runner.workers.acquire` and `getContext`. */
export class WorkerLease {
  readonly #session: Session;
  readonly #dispatcher: Dispatcher;
  readonly #release: (held: WorkerLease) => void;
  readonly #slot: Workers<Session>;
  #given = false;

  /** @internal */
  constructor(session: Session, dispatcher: Dispatcher, release: (held: WorkerLease) => void) {
    this.#session = session;
    this.#dispatcher = dispatcher;
    this.#release = release;
    this.#slot = new Workers<Session>({ clock: dispatcher.clock });
    this.#slot.admit(session, 1);
  }

  /** The worker's stable name. */
  get identity(): string {
    return this.#session.identity;
  }

  /** Who the transport says it is. */
  get peer(): Peer {
    return this.#session.peer;
  }

  /** The labels it came with. */
  get labels(): readonly string[] {
    return this.#session.labels;
  }

  /** Whether jobs can be given to it: it is connected, and it has not been given back. */
  get usable(): boolean {
    return !this.#given && this.#session.state !== "gone";
  }

  /**
   * Runs a job on this worker: one attempt, after the holder's earlier ones. Rejects as `JobRunner.execute` does; with
   * WorkerLostError when the worker is gone, leaves, or was given back.
   */
  execute(job: Job | Payload, options?: ExecuteOptions): Promise<Payload> {
    if (this.#given) return Promise.reject(new WorkerLostError(`worker ${this.identity} was given back`));
    return this.#dispatcher.execute(job, options, { pool: this.#slot, pinned: true });
  }

  /** Gives the worker back once its jobs are done. May be called twice. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#release(this);
    return Promise.resolve();
  }

  /** @internal No more jobs; `free` is called when the slot is really free. */
  release(free: () => void): void {
    this.#given = true;
    this.#slot.wait(new ReleaseWaiter(free));
  }
}
