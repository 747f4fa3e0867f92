/** What a call is given, and what it reports: the seam between call.ts and dispatcher.ts. */
import type { AsyncContext } from "../time/async-context.ts";
import type { AbortListeners } from "../async/abort-listeners.ts";
import type { Clock, Random } from "../time/clock.ts";
import type { TimerQueue } from "../time/timer-queue.ts";
import type { AttemptOutcome, AttemptRecord } from "../errors.ts";
import type { Job } from "../job/job.ts";
import type { CancelReason } from "../protocol/message.ts";
import type { Payload } from "../peer.ts";
import type { AttemptFailure, RetryThrottle } from "./retry.ts";
import type { Session } from "../session/session.ts";
import type { Scheduler } from "../pool/scheduler.ts";

/** The state of a call. */
export type CallState =
  | "new"
  | "queued" // waits at the runner
  | "prefetched" // waits at a worker
  | "running"
  | "backoff"
  | "settled";

/** A call as events and errors show it. */
export interface CallInfo {
  /** Counts the runner's jobs, from 1. */
  readonly id: number;
  /** Names the job in events and errors, as its handler sees it. */
  readonly jobId: string;
  /** When it was submitted, on the clock. */
  readonly createdAt: number;
  /** Whether it settled with a value. */
  readonly ok: boolean;
  /** What it failed with. */
  readonly error: unknown;
  /** The job, until it has settled. */
  readonly job: Job | undefined;
  /** The labels it requires. */
  readonly labels: readonly string[];
  /** The identity of the worker it was given to last. */
  readonly lastWorker: string | undefined;
  /** Attempts that count: those whose handler may have started. */
  readonly attemptsMade: number;
}

/** @internal A submitted job: one call, or several calls of one job that are compared. */
export interface SubmittedJob extends CallInfo {
  /** Bytes it counts against `maxQueueBytes` while it waits; set by the dispatcher before it starts. */
  bytes: number;
  /** What it settled with, if it was a value. */
  readonly value: Payload | undefined;
  /** Whether that value ends a stream. */
  readonly endsStream?: boolean;
  /** Whether it waits for a slot, in the queue or prefetched to a worker; absent: it does not say. */
  readonly isWaiting?: boolean;
  /** What was tried so far. */
  readonly attempts: readonly AttemptRecord[];
  /** Queues it, once. */
  start(): void;
  /** Ends it from outside, whatever it does. */
  stop(error: unknown, reason: CancelReason): void;
}

/** @internal What a call calls at its end. */
export interface CallOwner<C> {
  /** The call has settled. Called once. */
  onSettled(call: C): void;
}

/** @internal What a call reports while it runs. */
export interface CallEvents {
  onStarted(call: CallInfo, attempt: number, identity: string): void;
  onRetried(call: CallInfo, attempt: number, outcome: AttemptOutcome, after: number): void;
}

/** @internal What a call is given. */
export interface CallContext<C> {
  /** Names the run of the runner: the first part of its job ids. */
  readonly runnerId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: TimerQueue;
  readonly aborts: AbortListeners;
  readonly throttle: RetryThrottle;
  readonly remoteStacks?: boolean | undefined;
  /** Captures the caller's async context; absent while no worker in this process was seen. */
  readonly captureAsyncContext?: (() => AsyncContext) | undefined;
  /** Why workers are missing, as far as a listener has reported. */
  readonly trouble: Error | undefined;
  readonly events: CallEvents | undefined;
  /** What was tried by other calls of the same job; absent: nothing. */
  readonly earlier?: readonly AttemptRecord[];
  /** The largest data of a job, and the largest result, in bytes. */
  readonly maxPayload: number;
  /** The same of the buffers that stand apart from one. */
  readonly maxAttachments: number;
  onMoved(call: C, from: CallState, to: CallState): void;
  /** The job is tried again after that failure; it counts as a retry if its handler may have started. */
  countAgain(kind: AttemptFailure["kind"]): void;
}

/** The workers that can run a call: all of the fleet, or a leased one. */
export interface CallTarget {
  readonly scheduler: Scheduler<Session>;
  /** Whether there is one worker only: a failed attempt is not retried elsewhere. */
  readonly pinned: boolean;
}
