/** What a session is given, and what it reports: the seam between session.ts and registration.ts. */
import type { Clock } from "../time/clock.ts";
import type { BackpressureRules } from "../health/backpressure.ts";
import type { TimerQueue } from "../time/timer-queue.ts";
import type { ExecuteOptions } from "../job/execute-options.ts";
import type { GoneReason } from "../events.ts";
import type { Job } from "../job/job.ts";
import type { HelloMessage } from "../protocol/message.ts";
import type { Prefetch } from "./prefetch.ts";
import type { Payload } from "../peer.ts";
import type { SendBudget } from "../health/send-budget.ts";
import type { Availability } from "../pool/least-loaded-index.ts";

/** The limits and intervals a session lives by. All durations in ms. */
export interface SessionRules extends BackpressureRules {
  readonly helloTimeout: number;
  readonly heartbeat: number;
  readonly cancelGrace: number;
  readonly maxStrikes: number;
  readonly maxFrameBytes: number;
  readonly prefetch: Prefetch;
}

/** The registration, as its sessions see it. */
export interface SessionContext<S> {
  readonly clock: Clock;
  /** Timers that do not keep the process alive. */
  readonly timers: TimerQueue;
  readonly rules: SessionRules;
  /** What all sessions may hold unsent together. */
  readonly budget: SendBudget;
  /** Runs one job on one session. */
  execute(session: S, job: Job | Payload, options?: ExecuteOptions): Promise<Payload>;
  /** HELLO arrived on a session that waits for it: welcome it or end it. */
  onHello(session: S, message: HelloMessage): void;
  /** Whether it may be given work changed. */
  onAvailability(session: S, availability: Availability): void;
  /** Jobs wait there though it has slots, as those of other runners have them; or none does any more. */
  onTurns(session: S, areParked: boolean): void;
  /** How many jobs it can be prefetched changed. */
  onPrefetchLimit(session: S): void;
  /** It has other slots and labels from now on. */
  onResized(session: S): void;
  /** It became suspect, or was heard again. */
  onSuspected(session: S, suspect: boolean): void;
  /** It gets no more work and leaves after what runs. */
  onDraining(session: S): void;
  /** It is gone; its attempts fail after this returns. */
  onGone(session: S, reason: GoneReason, message: string): void;
  /** A message of no consequence was dropped: an answer to a closed attempt, a PING too many. */
  onStrike(session: S): void;
  /** This process was stopped for a while. */
  stalled(): void;
}
