/** One attempt at a job on one session. The session keeps it until its slot is free; who gave the job is its owner. */
import type { CancelReason, JobErrorMessage, RejectReason } from "../protocol/message.ts";
import type { Alarm } from "../time/timer-queue.ts";
import type { Demand } from "../pool/worker-selector.ts";
import type { GoneReason } from "../events.ts";
import type { Member } from "../collections/linked-queue.ts";
import type { Payload } from "../peer.ts";

/**
 * Who gave the job. Exactly one of the first five is called for an attempt, and none once `cancel` was; `freed` is called
 * once in any case, when the slot is free for another job. Times are the clock's, of the moment it became known.
 */
export interface AttemptOwner<S> {
  /** Which workers will do; absent: any. */
  readonly demand?: Demand | undefined;
  /** A result arrived. */
  succeeded(attempt: Attempt<S>, value: Payload, now: number): void;
  /** The handler failed. */
  failed(attempt: Attempt<S>, message: JobErrorMessage): void;
  /** The worker handed the job back, not started. */
  rejected(attempt: Attempt<S>, reason: RejectReason): void;
  /** The session ended with the job: it may have run in part or whole. `message` is for people to read. */
  lost(attempt: Attempt<S>, reason: GoneReason, message: string): void;
  /** The session ended before the job left: it has not run. */
  notSent(attempt: Attempt<S>): void;
  /** It was sent ahead, and its turn has come at the worker. Called before any of those above but `rejected` and `lost`. */
  began(attempt: Attempt<S>, now: number): void;
  /** The slot is free. */
  freed(attempt: Attempt<S>, now: number): void;
}

/** One attempt in flight. */
export class Attempt<S> implements Member<Attempt<S>> {
  /** The line of those that were sent ahead, while it waits in it for its turn at the worker. */
  line: object | undefined;
  ahead: Attempt<S> | undefined;
  behind: Attempt<S> | undefined;
  /** Names it within the session: 1, 2, 3 … */
  readonly id: number;
  readonly session: S;
  readonly owner: AttemptOwner<S>;
  /** The link's count of frames when the JOB joined the batch: if it has not grown since, the JOB never left. */
  readonly batch: number;
  /** When it was handed over to a slot that was free, where somebody measures that. */
  sentAt: number | undefined;
  /** Bytes of its JOB, if it was sent ahead. */
  bytes = 0;
  /** Whether the worker was asked to hand it back unless it has begun. */
  recalled = false;
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

  /** Whether it was sent ahead and waits for its turn at the worker. */
  get waits(): boolean {
    return this.line !== undefined;
  }
}
