/** One attempt at a job on one session. The session keeps it until its slot is free; who gave the job is its owner. */
import type { CancelReason, JobErrorMessage, Payload, RejectReason } from "./message.ts";
import type { Alarm } from "./clock.ts";
import type { GoneReason } from "./events.ts";

/**
 * Who gave the job. Exactly one of the first five is called for an attempt, and none once `cancel` was; `freed` is called
 * once in any case, when the slot is free for another job.
 */
export interface AttemptOwner<S> {
  /** A result arrived. */
  succeeded(attempt: Attempt<S>, value: Payload): void;
  /** The handler failed. */
  failed(attempt: Attempt<S>, message: JobErrorMessage): void;
  /** The worker handed the job back, not started. */
  rejected(attempt: Attempt<S>, reason: RejectReason): void;
  /** The session ended with the job: it may have run in part or whole. `message` is for people to read. */
  lost(attempt: Attempt<S>, reason: GoneReason, message: string): void;
  /** The session ended before the job left: it has not run. */
  notSent(attempt: Attempt<S>): void;
  /** The slot is free. */
  freed(attempt: Attempt<S>): void;
}

/** One attempt in flight. */
export class Attempt<S> {
  /** Names it within the session: 1, 2, 3 … */
  readonly id: number;
  readonly session: S;
  readonly owner: AttemptOwner<S>;
  /** The link's count of frames when the JOB joined the batch: if it has not grown since, the JOB never left. */
  readonly batch: number;
  /** Set once nobody waits for it any more; its slot stays taken until the worker confirms. */
  cancelled: CancelReason | undefined;
  /** Runs while a cancelled attempt is not confirmed. */
  grace: Alarm | undefined;

  constructor(id: number, session: S, owner: AttemptOwner<S>, batch: number) {
    this.id = id;
    this.session = session;
    this.owner = owner;
    this.batch = batch;
  }
}
