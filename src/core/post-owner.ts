/** What a post needs of the worker behind it, and what it tells: the seam between post.ts and worker.ts. */
import type { Clock } from "./clock.ts";
import type { PowerhoseError } from "./errors.ts";
import type { DisconnectReason } from "./events.ts";
import type { Handler, Task } from "./task.ts";

/** How a post ended. */
export interface PostEnd {
  readonly reason: DisconnectReason;
  readonly message: string;
  /** What the runner or the protocol said, when there is an error. */
  readonly error: PowerhoseError | undefined;
  /** The runner's wish, in ms; 0: none. */
  readonly retryAfter: number;
  /** Whether this worker had asked to leave. */
  readonly asked: boolean;
  /** Handlers that still run for it. */
  readonly orphans: number;
}

/** The worker behind a post. */
export interface PostOwner<P> {
  readonly clock: Clock;
  /** Unsent bytes above which no job begins, and above which the session is left. */
  readonly highWater: number;
  readonly maxBuffered: number;
  readonly identity: string;
  readonly handler: Handler;
  readonly shuttingDown: AbortSignal;
  readonly remoteStacks: boolean;
  readonly maxFrameBytes: number;
  /** Whether a handler can be started. */
  readonly hasRoom: boolean;
  /** Whether somebody wants to know what jobs take. */
  readonly observed: boolean;
  /** WELCOME arrived. */
  welcomed(post: P): void;
  /** A job has a slot, and its handler has returned. */
  taskStarted(): void;
  taskServed(task: Task, ok: boolean, isOrphan: boolean): void;
  /** A job had a slot and never began. */
  taskDropped(): void;
  /** A slot is free again. */
  slotFreed(by: P): void;
  /** The runner wants no more of it after what runs. */
  sentAway(post: P): void;
  /** The session is over. Called once. */
  ended(post: P, end: PostEnd): void;
}
