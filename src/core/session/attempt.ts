/**
 * One attempt at a job on one session. The session keeps it until its slot is free; its owner is the call it is made for.
 */
import type { AsyncContext } from "../time/async-context.ts";
import type { CancelCode, JobErrorMessage, JobFailedMessage, JobRoute, RejectReason } from "../protocol/message.ts";
import type { CallbackEntry } from "../time/timer-queue.ts";
import type { WorkerSelector } from "../pool/worker-selector.ts";
import type { GoneReason } from "../events.ts";
import type { LinkedNode } from "../collections/linked-queue.ts";
import type { Payload } from "../peer.ts";
import type { Pace } from "./prefetch.ts";

/**
 * What an attempt calls. Exactly one of the first six is called, and none after `cancel`. `onSlotFreed` is called once in any
 * case, when the slot is free for another job. Times are the clock's, of the moment it became known.
 */
export interface AttemptOwner<S> {
  /** Which workers will do; absent: any. */
  readonly selector?: WorkerSelector | undefined;
  /** Whether no other worker will do: then it is not recalled. */
  readonly isPinned?: boolean | undefined;
  /** Where its caller's code runs, if the handler may run in this process. */
  readonly asyncContext?: AsyncContext | undefined;
  /** What a JOB to this session tells of its way; absent: nothing. Asked only when the session speaks of ways. */
  routeFor?(session: S, now: number): JobRoute | undefined;
  /** What takes items and progress; absent: neither is taken. */
  readonly sink?: AttemptSink<S> | undefined;
  /** What a stream that goes into the job comes from; absent: none does. */
  readonly feed?: AttemptFeed<S> | undefined;
  /** A result arrived. */
  onSucceeded(attempt: Attempt<S>, value: Payload, now: number): void;
  /** The handler failed. */
  onFailed(attempt: Attempt<S>, message: JobErrorMessage): void;
  /** The worker is a relay, and the job failed in its fleet. */
  onFleetFailed(attempt: Attempt<S>, message: JobFailedMessage): void;
  /** The worker returned the job, not started. */
  onRejected(attempt: Attempt<S>, reason: RejectReason): void;
  /** The session ended with the job: it may have run in part or whole. `message` is for people to read, `cause` a crash. */
  onLost(attempt: Attempt<S>, reason: GoneReason, message: string, cause?: unknown): void;
  /** The session ended before the job left: it has not run. */
  onNotSent(attempt: Attempt<S>): void;
  /** The worker has no slot for it yet: jobs of other runners have them all. It has not begun, and waits there. */
  onParked(attempt: Attempt<S>, now: number): void;
  /** A prefetched or parked job has begun at the worker. Called before any of those above but `onRejected` and `onLost`. */
  onStarted(attempt: Attempt<S>, now: number): void;
  /** The slot is free. */
  onSlotFreed(attempt: Attempt<S>, now: number): void;
}

/** What an attempt gives before its result. Nothing is given after `cancel`. */
export interface AttemptSink<S> {
  /** Bytes of items that are taken at first; `undefined`: no stream is taken. Asked once for each attempt. */
  takesItems(): number | undefined;
  /** Items of its stream that were read already, in attempts before. */
  readonly delivered: number;
  /** Whether progress is listened to. */
  readonly wantsProgress: boolean;
  /** An item of a stream arrived, within the attempt's credit. */
  onItem(attempt: Attempt<S>, value: Payload, now: number): void;
  /** The handler says how far it is. */
  onProgress(attempt: Attempt<S>, value: Payload): void;
}

/** Where the stream that goes into an attempt comes from. Nothing is asked of it after `cancel`. */
export interface AttemptFeed<S> {
  /** The worker takes so many bytes of items more. The first such message means that its handler reads. */
  onCredit(attempt: Attempt<S>, bytes: number, now: number): void;
}

/** One attempt in flight. */
export class Attempt<S> implements LinkedNode<Attempt<S>> {
  /** The queue of prefetched or of parked attempts, while it waits in it. */
  list: object | undefined;
  previous: Attempt<S> | undefined;
  next: Attempt<S> | undefined;
  /** Names it within the session: 1, 2, 3 … */
  readonly id: number;
  readonly session: S;
  readonly owner: AttemptOwner<S>;
  /** The socket's count of frames when the JOB was queued: if it has not grown since, the JOB never left. */
  readonly frameNumber: number;
  /** When it was sent to a free slot, if the prefetch is measured. */
  sentAt: number | undefined;
  /** The pace of its task, if it names one and the prefetch is measured. */
  pace: Pace | undefined;
  /** The worker of a relay's fleet that had it, once it is answered. */
  path: string | undefined;
  /** Bytes of items that the worker may send; 0 or less: none. `undefined` when no stream is taken. */
  credit: number | undefined;
  /** What its handler gives: nothing that was heard of, items, or, at its end, a stream. */
  streams: "no" | "items" | "ended" = "no";
  /** Whether its handler has begun to read the stream that goes in. */
  readsInput = false;
  /** Bytes of its JOB, if it was prefetched. */
  bytes = 0;
  /** Whether the worker was asked to return it unless it has begun. */
  recalled = false;
  /** The PING that went with its recall while it was parked: by its answer the recall is answered. */
  recallPing: number | undefined;
  /** Whether its claim lies in memory that the worker shares. */
  isClaimed = false;
  /** Set once its outcome does not count any more: its slot is in use until the worker confirms. */
  cancelled: CancelCode | undefined;
  /** Runs while a cancelled attempt is not confirmed. */
  grace: CallbackEntry | undefined;
  /** Whether its grace has passed: its handler ignores the abort, and keeps the slot until it returns. */
  isHeld = false;

  constructor(id: number, session: S, owner: AttemptOwner<S>, frameNumber: number) {
    this.id = id;
    this.session = session;
    this.owner = owner;
    this.frameNumber = frameNumber;
  }

  /** Whether it was prefetched or parked and has not begun. */
  get waits(): boolean {
    return this.list !== undefined;
  }
}
