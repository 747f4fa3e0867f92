/** What a call needs of whoever takes it in, and what it tells: the seam between call.ts and dispatcher.ts. */
import type { AbortIndex } from "../async/abort-listeners.ts";
import type { Clock, Entropy } from "../time/clock.ts";
import type { DeadlineQueue } from "../time/timer-queue.ts";
import type { AttemptOutcome, AttemptRecord } from "../errors.ts";
import type { Job } from "../job/job.ts";
import type { CancelReason } from "../protocol/message.ts";
import type { Payload } from "../peer.ts";
import type { RetryThrottle } from "./retry.ts";
import type { Session } from "../session/session.ts";
import type { Workers } from "../pool/workers.ts";

/** Where a call stands. */
export type CallState =
  | "new"
  | "queued" // waits here
  | "ahead" // was sent ahead, and waits at a worker
  | "running"
  | "backoff"
  | "settled";

/** What can be seen of a call from outside. */
export interface CallFacts {
  readonly id: number;
  /** When it was taken in, on the clock. */
  readonly born: number;
  /** Whether it settled with a value. */
  readonly ok: boolean;
  /** What it failed with. */
  readonly error: unknown;
  /** What is to be done, until it has settled. */
  readonly data: Payload | undefined;
  /** Attempts that count: those whose handler may have started. */
  readonly made: number;
}

/** @internal A job that was taken in, as the desk keeps it: one call, or several of it that are compared. */
export interface TakenJob extends CallFacts {
  /** Those the desk took in before it and after it. */
  elder: TakenJob | undefined;
  younger: TakenJob | undefined;
  /** What it counts against the queue's limit in bytes while it waits; set by the desk before it starts. */
  bytes: number;
  /** What it settled with, if it was a value. */
  readonly value: Payload | undefined;
  /** What was tried so far. */
  readonly records: readonly AttemptRecord[];
  /** Queues it, once. */
  start(): void;
  /** Ends it from outside, whatever it does. */
  stop(error: unknown, reason: CancelReason): void;
}

/** @internal Who is told how a call ended. */
export interface CallEnd<C> {
  /** The call has settled. Called once. */
  settled(call: C): void;
}

/** @internal What calls tell of themselves. */
export interface CallEvents {
  started(call: CallFacts, attempt: number, identity: string): void;
  retried(call: CallFacts, attempt: number, outcome: AttemptOutcome, after: number): void;
}

/** @internal What a call needs of the desk. */
export interface CallDesk<C> {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly timers: DeadlineQueue;
  readonly aborts: AbortIndex;
  readonly throttle: RetryThrottle;
  readonly remoteStacks: boolean;
  /** Why workers are missing, as far as a listener has told. */
  readonly trouble: Error | undefined;
  readonly events: CallEvents | undefined;
  /** What was tried by other calls of the same job; absent: nothing. */
  readonly earlier?: readonly AttemptRecord[];
  retries: number;
  /** Throws an EncodingError when the data is over the limit. */
  checkSize(job: Job): void;
  moved(call: C, from: CallState, to: CallState): void;
}

/** Who runs it: any worker of the fleet, or the one that somebody holds. */
export interface Place {
  readonly pool: Pick<
    Workers<Session, never>,
    "wait" | "leave" | "free" | "withdraw" | "serves" | "fitting" | "countMatching"
  >;
  /** Set when there is but one worker to run it: what it cannot do is not tried elsewhere. */
  readonly held: boolean;
}
