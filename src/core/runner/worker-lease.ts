/** One slot of one worker, leased for related jobs: they run one after the other, on that worker and no other. */
import type { Dispatcher } from "../dispatch/dispatcher.ts";
import type { ExecuteOptions } from "../job/execute-options.ts";
import { WorkerLostError } from "../errors.ts";
import type { Job } from "../job/job.ts";
import type { PayloadStream } from "../job/payload-stream.ts";
import type { Payload, Peer } from "../peer.ts";
import type { Session } from "../session/session.ts";
import { SessionExecutor } from "./session-executor.ts";

/** A leased worker; made by `runner.workers.acquire` and `getContext`. */
export class WorkerLease {
  readonly #session: Session;
  readonly #executor: SessionExecutor;
  readonly #release: (lease: WorkerLease) => void;
  #isReleased = false;

  /** @internal */
  constructor(session: Session, dispatcher: Dispatcher, release: (lease: WorkerLease) => void) {
    this.#session = session;
    this.#executor = new SessionExecutor(dispatcher, session, 1);
    this.#release = release;
  }

  /** The worker's stable name. */
  get identity(): string {
    return this.#session.identity;
  }

  /** The peer according to the transport. */
  get peer(): Peer {
    return this.#session.peer;
  }

  /** The labels it came with. */
  get labels(): readonly string[] {
    return this.#session.labels;
  }

  /** Whether jobs can be given to it: it is connected, and it has not been given back. */
  get usable(): boolean {
    return !this.#isReleased && this.#session.state !== "gone";
  }

  /**
   * Runs a job on this worker: one attempt, after the earlier jobs of this lease. Rejects as `JobRunner.execute` does; with
   * WorkerLostError when the worker is gone, leaves, or was given back.
   */
  execute(job: Job | Payload, options?: ExecuteOptions): Promise<Payload> {
    if (this.#isReleased) return Promise.reject(this.#givenBack());
    return this.#executor.execute(job, options);
  }

  /** Runs a job that may give a stream: one attempt, otherwise as `JobRunner.open`. Rejects as `execute` does. */
  open(job: Job | Payload, options?: ExecuteOptions): Promise<Payload | PayloadStream> {
    if (this.#isReleased) return Promise.reject(this.#givenBack());
    return this.#executor.open(job, options);
  }

  #givenBack(): WorkerLostError {
    return new WorkerLostError(`worker ${this.identity} was given back`);
  }

  /** Gives the worker back once its jobs are done. May be called twice. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#release(this);
    return Promise.resolve();
  }

  /** @internal No more jobs; `free` is called when the slot is really free. */
  endAfterJobs(free: () => void): void {
    this.#isReleased = true;
    this.#executor.whenIdle(free);
  }
}
