/** The events of a runner and of a worker: one discriminated union each, the source of every log and metric. */
import type { AttemptOutcome } from "./errors.ts";
import type { Payload, Peer } from "./peer.ts";

/** Why a session ended. */
export type GoneReason =
  | "removed" // the worker asked to leave and had nothing in flight any more
  | "closed" // the connection was closed or cut
  | "silent" // nothing was heard for three heartbeat intervals
  | "unresponsive" // it did not answer a CANCEL in time
  | "replaced" // a newer session of the same identity took over
  | "violation" // it broke the protocol
  | "slow" // it did not read what it was sent, or what it sent came too slowly while others waited
  | "deleted" // `workers.delete` or `close` was called
  | "refused" // it was not let in
  | "stopped"; // the runner was stopped or drained

/** A worker registered. */
export interface WorkerJoinedEvent {
  /** Which event this is. */
  readonly type: "worker-joined";
  /** The worker's name. */
  readonly identity: string;
  /** The worker according to the transport. */
  readonly peer: Peer;
  /** How many jobs it takes at a time. */
  readonly capacity: number;
}

/** A worker became suspect, or was heard again. */
export interface WorkerSuspectEvent {
  /** Which event this is. */
  readonly type: "worker-suspect" | "worker-recovered";
  /** The worker's name. */
  readonly identity: string;
}

/** A worker has other slots or labels than before: the fleet behind a relay has changed. */
export interface WorkerResizedEvent {
  /** Which event this is. */
  readonly type: "worker-resized";
  /** The worker's name. */
  readonly identity: string;
  /** How many jobs it takes at a time from now on; 0: none for now. */
  readonly capacity: number;
  /** Its labels from now on. */
  readonly labels: readonly string[];
}

/** A worker gets no more work and leaves after what runs. */
export interface WorkerDrainingEvent {
  /** Which event this is. */
  readonly type: "worker-draining";
  /** The worker's name. */
  readonly identity: string;
}

/** A worker's session ended. */
export interface WorkerGoneEvent {
  /** Which event this is. */
  readonly type: "worker-gone";
  /** The worker's name. */
  readonly identity: string;
  /** The worker according to the transport. */
  readonly peer: Peer;
  /** Why. */
  readonly reason: GoneReason;
  /** For people to read; may hold the peer's words. */
  readonly message: string;
  /** Jobs it had when it went. */
  readonly inFlight: number;
}

/** A worker was refused. */
export interface WorkerRefusedEvent {
  /** Which event this is. */
  readonly type: "worker-refused";
  /** The worker according to the transport. */
  readonly peer: Peer;
  /** For people to read; may hold the peer's words. */
  readonly message: string;
}

/** An attempt at a job was handed to a worker. */
export interface JobStartedEvent {
  /** Which event this is. */
  readonly type: "job-started";
  /** Names the job, as its handler sees it and `onJobId` told. */
  readonly jobId: string;
  /** Which attempt, from 1. */
  readonly attempt: number;
  /** The worker's name. */
  readonly identity: string;
}

/** An attempt failed and the job will be tried again. */
export interface JobRetriedEvent {
  /** Which event this is. */
  readonly type: "job-retried";
  /** Names the job, as its handler sees it and `onJobId` told. */
  readonly jobId: string;
  /** The attempt that failed, from 1. */
  readonly attempt: number;
  /** The name of the worker that had it. */
  readonly identity: string;
  /** How the attempt ended. */
  readonly outcome: AttemptOutcome;
  /** Milliseconds until it is queued again. */
  readonly after: number;
}

/** A job settled. */
export interface JobSettledEvent {
  /** Which event this is. */
  readonly type: "job-settled";
  /** Names the job, as its handler sees it and `onJobId` told. */
  readonly jobId: string;
  /** Whether it succeeded. */
  readonly ok: boolean;
  /** The name of the worker it was given to last; absent when it was given to none. */
  readonly identity?: string | undefined;
  /** The labels it required of its worker. */
  readonly labels: readonly string[];
  /** The task it was for; absent for a handler of jobs. */
  readonly task?: string | undefined;
  /** Its headers: what a caller has written there of the job's kind, tenant or trace. */
  readonly headers: ReadonlyMap<string, string>;
  /** Milliseconds from `execute` to now. */
  readonly ms: number;
  /** Attempts that counted: those whose handler may have started. */
  readonly attempts: number;
  /** What it failed with: a `PowerhoseError`, or the abort signal's reason. Absent when `ok`. */
  readonly error?: unknown;
  /** The data of the job that failed, for logs. Absent when `ok`, and of a job that gives buffers away or shares memory. */
  readonly data?: Payload | undefined;
}

/** A listener has an error that fails no call. */
export interface ListenerErrorEvent {
  /** Which event this is. */
  readonly type: "listener-error";
  /** What went wrong. */
  readonly error: Error;
}

/** The runner could not reach a worker it dials. It goes on trying. */
export interface DialFailedEvent {
  /** Which event this is. */
  readonly type: "dial-failed";
  /** What the dialer rejected with. */
  readonly error: unknown;
  /** The next try comes in so many ms. */
  readonly retryIn: number;
}

/** The runner changed its state. */
export interface RunnerStateEvent {
  /** Which event this is. */
  readonly type: "runner-state";
  /** The new state. */
  readonly state: RunnerState;
}

/** A runner's life. */
export type RunnerState = "created" | "starting" | "started" | "draining" | "stopped";

/** The events of a {@link JobRunner}. */
export type RunnerEvent =
  | WorkerJoinedEvent
  | WorkerSuspectEvent
  | WorkerResizedEvent
  | WorkerDrainingEvent
  | WorkerGoneEvent
  | WorkerRefusedEvent
  | JobStartedEvent
  | JobRetriedEvent
  | JobSettledEvent
  | ListenerErrorEvent
  | DialFailedEvent
  | RunnerStateEvent;

/** A worker's life. `disconnected` waits before it connects again. */
export type WorkerState = "created" | "connecting" | "registered" | "draining" | "disconnected" | "stopped";

/** A worker changed its state. */
export interface WorkerStateEvent {
  /** Which event this is. */
  readonly type: "worker-state";
  /** The new state. */
  readonly state: WorkerState;
}

/** Why a worker has no connection. */
export type DisconnectReason =
  | "closed" // the runner sent it away, or let it leave
  | "lost" // the connection was cut, or the runner fell silent
  | "refused" // the runner or its listener refused it
  | "unreachable" // no answer
  | "listener"; // the worker's own listener is in trouble

/** A connection failed, was refused or was lost. */
export interface WorkerDisconnectedEvent {
  /** Which event this is. */
  readonly type: "disconnected";
  /** Why. */
  readonly reason: DisconnectReason;
  /** For people to read. */
  readonly message: string;
  /** What the dialer or the runner said, when there is an error. */
  readonly error?: unknown;
  /** The next try comes in so many ms; absent when there is none. */
  readonly retryIn?: number;
}

/** A job's handler has returned or thrown. */
export interface JobServedEvent {
  /** Which event this is. */
  readonly type: "job-served";
  /** Names the job, as its handler sees it. */
  readonly jobId: string;
  /** Which attempt, from 1. */
  readonly attempt: number;
  /** Whether a result was sent. */
  readonly ok: boolean;
  /** Milliseconds the handler took. */
  readonly ms: number;
}

/** The events of a {@link Worker}. */
export type WorkerEvent = WorkerStateEvent | WorkerDisconnectedEvent | JobServedEvent;
