/** What a connection to a runner asks of its worker, and what it says when it ends. */
import type { Clock } from "../time/clock.ts";
import type { PowerhoseError } from "../errors.ts";
import type { DisconnectReason } from "../events.ts";
import type { Execution, Handler } from "./execution.ts";
import type { JobRelay } from "./job-relay.ts";

/** How a connection ended. */
export interface ConnectionEnd {
  readonly reason: DisconnectReason;
  readonly message: string;
  /** What the runner or the protocol said, when there is an error. */
  readonly error: PowerhoseError | undefined;
  /** The delay the runner asked for, in ms; 0: none. */
  readonly retryAfter: number;
  /** Whether it was registered. */
  readonly isWelcomed: boolean;
  /** Whether this worker had asked to leave. */
  readonly asked: boolean;
  /** Handlers that still run for it. */
  readonly orphans: number;
}

/** The worker behind a connection: what it gives, and what is called. */
export interface RunnerConnectionOwner<P> {
  readonly clock: Clock;
  /** Unsent bytes above which no job begins, and above which the session is left. */
  readonly highWater: number;
  readonly maxBuffered: number;
  /** Bytes of the stream that goes into a job which are asked for ahead. */
  readonly inputWindow: number;
  readonly identity: string;
  readonly handler: Handler | JobRelay;
  /** The labels of the worker itself, without those of a fleet behind it. */
  readonly ownLabels: readonly string[];
  readonly shuttingDown: AbortSignal;
  readonly remoteStacks: boolean | undefined;
  readonly maxFrameBytes: number;
  /** Whether the worker has listeners for its events. */
  readonly observed: boolean;
  /** WELCOME arrived. */
  onWelcome(connection: P): void;
  /** Whether a slot is free, and no job of another runner comes first. */
  hasRoomFor(connection: P): boolean;
  /** A job has a slot. Returns how many have had one so far. */
  onExecutionStarted(): number;
  /** Its handler has returned. */
  onExecutionServed(execution: Execution, ok: boolean, isOrphan: boolean): void;
  /** A job had a slot and never began. */
  onExecutionDropped(): void;
  /** A slot may be free again: jobs that wait begin. */
  startWaiting(by: P): void;
  /** The runner wants no more of it after what runs. */
  onGoAway(connection: P): void;
  /** The session is over. Called once. */
  onEnded(connection: P, end: ConnectionEnd): void;
}
