/**
 * The messages of protocol version 1, as values. Their bytes are in encoder.ts and decoder.ts; docs/protocol.md is the same
 * contract for a worker in another language.
 */
import type { RemoteError } from "../errors.ts";
import type { Job } from "../job/job.ts";
import type { Payload } from "../peer.ts";

/** The protocol version this library speaks. */
export const PROTOCOL_VERSION = 1;

/** worker → runner: its identity and its limits. The first message on a socket. */
export interface HelloMessage {
  /** Which message this is. */
  readonly type: "HELLO";
  /** The protocol's version. */
  readonly version: number;
  /** The worker's stable name, `[A-Za-z0-9._:-]{1,128}`. */
  readonly identity: string;
  /** Random per start of the worker. */
  readonly instance: string;
  /** How many jobs it takes at a time, 1 to 65,535; 0, for now none, only with the feature `capacity`. */
  readonly capacity: number;
  /** How many jobs it accepts before a slot is free, 0 to 65,535, and begins in the order they came; absent: none. */
  readonly prefetchLimit?: number | undefined;
  /** Whether its handlers run on the event loop that answers PING. */
  readonly blocking: boolean;
  /** Jobs it has served since it started. */
  readonly served: number;
  /** Free-form labels, at most 32, of the identity's alphabet. */
  readonly labels: readonly string[];
  /** The features it speaks, as a mask of 32 bits. */
  readonly features: number;
  /** The largest job data it takes, in bytes. */
  readonly maxPayload: number;
  /** Whether it stands for a fleet of its own. */
  readonly isRelay: boolean;
}

/** runner → worker: you are registered. */
export interface WelcomeMessage {
  /** Which message this is. */
  readonly type: "WELCOME";
  /** The protocol's version. */
  readonly version: number;
  /** Names this session, in logs. */
  readonly sessionId: string;
  /** Names the runner's run; job ids are unique within it. */
  readonly runnerId: string;
  /** Heartbeat interval in ms. */
  readonly heartbeat: number;
  /** The largest payload the runner takes, in bytes. */
  readonly maxPayload: number;
  /** The features that both ends speak, as a mask of 32 bits. */
  readonly features: number;
}

/** Both ways: are you there? */
export interface PingMessage {
  /** Which message this is. */
  readonly type: "PING";
  /** 0 to 2^32 - 1; comes back in the PONG. */
  readonly nonce: number;
}

/** Both ways: I am. */
export interface PongMessage {
  /** Which message this is. */
  readonly type: "PONG";
  /** Comes back in the answer. */
  readonly nonce: number;
}

/** What a JOB tells of its way, where the defaults will not do. Only between ends that speak the feature `relay`. */
export interface JobRoute {
  /** Names the run of the outermost runner: `jobId` and `attempt` are that runner's. */
  readonly origin: string;
  /** Milliseconds that are left of the whole call, 1 to 2^32 - 2; `Infinity`: no limit. */
  readonly deadline: number;
  /** -2^31 to 2^31 - 1, lower first; default 0. */
  readonly priority: number;
  /** Labels that the worker must have, at most 32. */
  readonly labels: readonly string[];
  /** Paths, below the worker that is told, of the workers to avoid while others are free; at most 16. */
  readonly avoid: readonly string[];
}

/** runner → worker: run this. */
export interface JobMessage {
  /** Which message this is. */
  readonly type: "JOB";
  /** Names this attempt within the session: 1, 2, 3 … */
  readonly attemptId: number;
  /** Which attempt at the job this is, from 1. With `jobId` a fencing token. */
  readonly attempt: number;
  /** Names the job within the runner's run. */
  readonly jobId: number;
  /** Milliseconds the attempt may take from receipt, 1 to 2^32 - 2; `Infinity`: no limit. */
  readonly ttl: number;
  /** The job. */
  readonly job: Job;
  /** Absent: the runner that sends it is the outermost one, and has nothing to add. */
  readonly route?: JobRoute;
  /** Bytes of items that the worker may send before any were read, 1 to 2^32 - 1; absent: no stream is taken. */
  readonly credit?: number;
  /** Of a stream that goes on: items of it that were read, from 1; absent: none. */
  readonly delivered?: number;
  /** Whether PROGRESS is listened to; absent: no. */
  readonly wantsProgress?: boolean;
  /** Whether a stream goes in, as far as the worker gives credit; absent: no. */
  readonly hasInput?: boolean;
}

/** worker → runner: one item of a stream. */
export interface ItemMessage {
  /** Which message this is. */
  readonly type: "ITEM";
  /** Names the attempt within this session. */
  readonly attemptId: number;
  /** The item. */
  readonly value: Payload;
}

/** runner → worker: one item of the stream that goes in. */
export interface InputMessage {
  /** Which message this is. */
  readonly type: "INPUT";
  /** Names the attempt within this session. */
  readonly attemptId: number;
  /** The item. */
  readonly value: Payload;
}

/** runner → worker: the stream that goes in has ended. */
export interface InputEndMessage {
  /** Which message this is. */
  readonly type: "INPUTEND";
  /** Names the attempt within this session. */
  readonly attemptId: number;
}

/** Both ways: as many bytes of items may follow, of ITEM or of INPUT. */
export interface CreditMessage {
  /** Which message this is. */
  readonly type: "CREDIT";
  /** Names the attempt within this session. */
  readonly attemptId: number;
  /** Bytes on top of the credit that is left, 1 to 2^32 - 1. */
  readonly bytes: number;
}

/** worker → runner: how far the handler is. */
export interface ProgressMessage {
  /** Which message this is. */
  readonly type: "PROGRESS";
  /** Names the attempt within this session. */
  readonly attemptId: number;
  /** What the handler says, at most 8 KiB. */
  readonly value: Payload;
}

/** worker → runner: the handler's result. */
export interface JobResultMessage {
  /** Which message this is. */
  readonly type: "JOBRES";
  /** Names the attempt within this session. */
  readonly attemptId: number;
  /** The result; of a stream, what its iterator returned. */
  readonly value: Payload;
  /** Whether it ends a stream, which may have had no items; absent: no. */
  readonly endsStream?: boolean;
  /** What the handler took, in ms, to the µs; absent when it was not measured. */
  readonly durationMs?: number | undefined;
  /** Which worker of a relay's fleet ran it: up to 8 identities joined by `/`. */
  readonly path?: string;
}

/** worker → runner: the handler failed. */
export interface JobErrorMessage {
  /** Which message this is. */
  readonly type: "JOBERR";
  /** Names the attempt within this session. */
  readonly attemptId: number;
  /** What the handler threw. */
  readonly error: RemoteError;
  /** Whether the handler said that another attempt makes sense. */
  readonly retryable: boolean;
  /** When `retryable`: wait at least this many ms, 0 to 2^32 - 1. */
  readonly retryAfter: number;
  /** What the handler took, in ms, to the µs; absent when it was not measured. */
  readonly durationMs?: number | undefined;
  /** Which worker of a relay's fleet ran it: up to 8 identities joined by `/`. */
  readonly path?: string;
}

/** Why a worker hands a job back. */
export type RejectReason =
  | "draining" // it leaves
  | "overloaded" // it has no room
  | "recalled" // it was asked to, and had not begun
  | "unfit"; // a relay has no worker that could take it

/** worker → runner: not started, free to run elsewhere. */
export interface RejectMessage {
  /** Which message this is. */
  readonly type: "REJECT";
  /** Names the attempt within this session. */
  readonly attemptId: number;
  /** Why. */
  readonly reason: RejectReason;
}

/** Why a relay could not have a job run. */
export type FailureCode =
  | "lost" // the worker of its fleet was lost with the job: it may have started
  | "maxQueue" // its queue is full in number
  | "maxQueueBytes" // its queue is full in bytes
  | "acquire" // no worker of its fleet was there for too long
  | "queue" // the job waited too long for a slot
  | "encoding" // the job is over a limit behind it
  | "bystander"; // as `lost`, and another job is why that worker was lost

/** worker → runner, of a relay: the job failed in its fleet, and no handler answered. */
export interface JobFailedMessage {
  /** Which message this is. */
  readonly type: "FAILED";
  /** Names the attempt within this session. */
  readonly attemptId: number;
  /** Why. */
  readonly code: FailureCode;
  /** Which worker of its fleet had the job, as in JOBRES; empty: none. */
  readonly path: string;
  /** For people to read, at most 1 KiB. */
  readonly text: string;
  /** The limit that was reached: jobs, bytes or ms; 0 when none is meant. */
  readonly limit: number;
  /** Jobs that waited in its queue, of `maxQueue` and `maxQueueBytes`. */
  readonly queued: number;
  /** Their bytes. */
  readonly queuedBytes: number;
}

/** Why a runner cancels an attempt, and what the handler's signal says. */
export type CancelReason = "cancelled" | "timeout" | "deadline" | "stopped";

/** What a CANCEL may say: all of those, or that the job is wanted back if it has not begun, and goes on if it has. */
export type CancelCode = CancelReason | "recalled";

/** runner → worker: this attempt's result is not wanted any more. */
export interface CancelMessage {
  /** Which message this is. */
  readonly type: "CANCEL";
  /** Names the attempt within this session. */
  readonly attemptId: number;
  /** Why. */
  readonly reason: CancelCode;
}

/** worker → runner: the handler of a cancelled attempt has returned; the slot is free. */
export interface CancelledMessage {
  /** Which message this is. */
  readonly type: "CANCELLED";
  /** Names the attempt within this session. */
  readonly attemptId: number;
}

/**
 * worker → runner: no slot is free for this attempt, as other runners' jobs have them all; it waits there for its turn. Or its
 * turn has come, and it has begun.
 */
export interface TurnMessage {
  /** Which message this is. */
  readonly type: "WAITING" | "STARTED";
  /** Names the attempt within this session. */
  readonly attemptId: number;
}

/** worker → runner: I leave after what runs. */
export interface RemoveMessage {
  /** Which message this is. */
  readonly type: "REMOVE";
}

/** runner → worker: you are out, nothing of yours is in flight. */
export interface RemovedMessage {
  /** Which message this is. */
  readonly type: "REMOVED";
}

/** worker → runner: its slots and labels have changed. */
export interface CapacityMessage {
  /** Which message this is. */
  readonly type: "CAPACITY";
  /** How many jobs it takes at a time from now on, 0 to 65,535. What it has it keeps. */
  readonly capacity: number;
  /** Its labels from now on, as in HELLO. */
  readonly labels: readonly string[];
}

/** Why a runner sends a worker away. */
export type GoAwayReason = "stopping" | "draining";

/** runner → worker: expect no more work. */
export interface GoAwayMessage {
  /** Which message this is. */
  readonly type: "GOAWAY";
  /** Why. */
  readonly reason: GoAwayReason;
  /** Come back in so many ms, 0 to 2^32 - 1. */
  readonly retryAfter: number;
}

/** What an ERROR message speaks of. */
export type WireErrorCode =
  | "PROTOCOL" // a malformed frame, or one that makes no sense now
  | "VERSION" // HELLO of a version the runner does not speak
  | "UNAUTHORIZED" // not allowed in
  | "ID_TAKEN" // another principal holds this identity
  | "FLAPPING" // this identity is replaced too often: two workers share a name
  | "BUSY" // too many sessions
  | "REPLACED" // a newer session of the same identity took over
  | "UNRESPONSIVE" // silent for too long, or no answer to CANCEL
  | "TOO_SLOW"; // does not read what it is sent

/** Both ways: something is wrong; the socket closes after it. */
export interface WireErrorMessage {
  /** Which message this is. */
  readonly type: "ERROR";
  /** Which kind of trouble. */
  readonly code: WireErrorCode;
  /** For people to read, at most 1 KiB. */
  readonly text: string;
  /** Come back in so many ms, 0 to 2^32 - 1; 0: as you please. */
  readonly retryAfter: number;
}

/** What a worker may send. */
export type WorkerMessage =
  | HelloMessage
  | PingMessage
  | PongMessage
  | JobResultMessage
  | JobErrorMessage
  | RejectMessage
  | CancelledMessage
  | JobFailedMessage
  | CapacityMessage
  | TurnMessage
  | ItemMessage
  | CreditMessage
  | ProgressMessage
  | RemoveMessage
  | WireErrorMessage;

/** What a runner may send. */
export type RunnerMessage =
  | WelcomeMessage
  | PingMessage
  | PongMessage
  | JobMessage
  | CancelMessage
  | CreditMessage
  | InputMessage
  | InputEndMessage
  | RemovedMessage
  | GoAwayMessage
  | WireErrorMessage;

/** Any message of the protocol. */
export type Message = WorkerMessage | RunnerMessage;
