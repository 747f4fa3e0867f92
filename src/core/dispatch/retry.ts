/**
 * Whether a failed attempt is tried again, and after what delay. Decides and does nothing: call.ts acts. The table behind it is
 * in docs/semantics.md.
 */
import { backoffDelay } from "../time/backoff.ts";
import type { Random } from "../time/clock.ts";
import type { RejectReason } from "../protocol/message.ts";

/** How an attempt failed, as far as another one depends on it. */
export type AttemptFailure =
  | { readonly kind: "not-sent" } // it never left the runner
  | {
      readonly kind: "rejected"; // the worker handed it back, not started
      readonly reason: RejectReason;
      /** Of `unfit`: whether it waits for another worker now. */
      readonly hasOther?: boolean;
    }
  | { readonly kind: "lost" } // the worker was lost with the job: it may have run
  | { readonly kind: "timeout" } // no answer in time: it may still run
  | { readonly kind: "error"; readonly retryable: boolean; readonly retryAfter: number }; // it ran and failed

/** The attempts of a job so far, this failure included. */
export interface RetryHistory {
  /** Attempts that count: those whose handler may have started. */
  readonly made: number;
  /** How many of them were lost with their worker. */
  readonly lost: number;
  /** How often a worker returned it. */
  readonly rejected: number;
  /** Milliseconds that are left of the call's deadline; `Infinity` when it has none. */
  readonly left: number;
}

/** What the caller asked for. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  /** Losses in all: a job that kills its workers is not given a third. */
  readonly maxLost: number;
  /** Whether a timed-out attempt is tried again although it may still run. */
  readonly retryOnTimeout: boolean;
  /** The longest pause, in ms, that a handler may ask for. */
  readonly maxRetryAfter: number;
}

/** Milliseconds until the job is queued again, at the head; `undefined`: it settles with the failure. */
export type RetryDelay = number | undefined;

const FREE_REJECTS = 3;
/** Workers that are forever about to leave will not take a job. One that is only busy is waited for, as in the queue. */
const MAX_REJECTS = 100;
const FIRST_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 2_000;

/**
 * Stops a storm of retries when most attempts fail: ten tokens, one less per failure that would be retried, a tenth more
 * per success, no retry while half of them or fewer are left (the figures of gRPC's retry throttling). A lost worker's jobs
 * are outside it, as one death fails many jobs at once and `maxLost` bounds them already.
 */
export class RetryThrottle {
  #tokens = 10;

  /** A job succeeded. */
  refill(): void {
    this.#tokens = Math.min(10, this.#tokens + 0.1);
  }

  /** Takes a token for a failure; `false` when there may be no retry. */
  spend(): boolean {
    this.#tokens = Math.max(0, this.#tokens - 1);
    return this.#tokens > 5;
  }
}

function backoff(random: Random, n: number): number {
  return backoffDelay(random, FIRST_BACKOFF_MS, MAX_BACKOFF_MS, n - 1);
}

/** Decides whether and when a failed attempt is followed by another. */
export function nextRetryDelay(
  failure: AttemptFailure,
  history: RetryHistory,
  policy: RetryPolicy,
  throttle: RetryThrottle,
  random: Random,
): RetryDelay {
  switch (failure.kind) {
    case "not-sent":
      return 0;
    case "rejected":
      if (failure.hasOther === true) return 0;
      if (failure.reason === "draining" && history.rejected >= MAX_REJECTS) return undefined;
      return history.rejected <= FREE_REJECTS ? 0 : backoff(random, history.rejected - FREE_REJECTS);
    case "lost":
      if (history.made >= policy.attempts || history.lost >= policy.maxLost) return undefined;
      return backoff(random, history.made);
    case "timeout":
      if (!policy.retryOnTimeout || history.made >= policy.attempts) return undefined;
      return throttle.spend() ? backoff(random, history.made) : undefined;
    case "error": {
      if (!failure.retryable || history.made >= policy.attempts) return undefined;
      const wish = Math.min(failure.retryAfter, policy.maxRetryAfter);
      // Kept until its deadline, the job would hold its memory, and its caller, for an attempt that never comes.
      if (wish > 0 && wish >= history.left) return undefined;
      return throttle.spend() ? Math.max(wish, backoff(random, history.made)) : undefined;
    }
  }
}
