/**
 * Every error Powerhose hands to its users: one base class, a literal `code` each, numbers and names as fields.
 * What a failure means for a retry is decided in retry.ts; what travels on the wire is in message.ts.
 */

/** How one attempt at a job ended. */
export type AttemptOutcome =
  | "ok" // a result was accepted
  | "error" // the handler failed
  | "timeout" // no answer within the attempt's `timeout`
  | "lost" // the worker went away while it had the job
  | "rejected" // the worker handed the job back, not started
  | "not-sent" // the job never left the runner
  | "cancelled"; // the caller, a deadline or the runner's stop ended it

/** One attempt at a job, as the runner saw it. */
export interface AttemptRecord {
  /** The identity of the worker that had the job. */
  readonly identity: string;
  /** How the attempt ended. */
  readonly outcome: AttemptOutcome;
  /** Milliseconds from hand-over to the end of the attempt, on the runner's clock. */
  readonly ms: number;
}

/** The closed set of values of {@link PowerhoseError.code}. */
export type ErrorCode =
  | "TIMEOUT"
  | "EXECUTION"
  | "WORKER_LOST"
  | "NO_WORKER"
  | "VERIFICATION"
  | "QUEUE_FULL"
  | "ABORTED"
  | "RUNNER_STOPPED"
  | "WORKER_STOPPED"
  | "WORKER_START"
  | "PROTOCOL"
  | "AUTH"
  | "ENCODING";

/** What every Powerhose error accepts besides its message. */
export interface PowerhoseErrorOptions {
  /** The error underneath, if there is one. */
  readonly cause?: unknown;
  /** What was tried before giving up. */
  readonly attempts?: readonly AttemptRecord[] | undefined;
  /** The job it is about. */
  readonly jobId?: string | undefined;
}

/** The base of all errors this library makes. Match on `code` or on the class; messages may change. */
export abstract class PowerhoseError extends Error {
  /** A stable, literal name of the kind of failure. */
  abstract readonly code: ErrorCode;
  /** The attempts made before the job settled; empty when none was. */
  readonly attempts: readonly AttemptRecord[];
  /** The job it is about, as its handler and its events name it; absent when it is about none, or none was accepted. */
  readonly jobId: string | undefined;

  /** @internal */
  constructor(message: string, options: PowerhoseErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.attempts = options.attempts ?? [];
    this.jobId = options.jobId;
  }
}

/** Which limit a {@link TimeoutError} speaks of. */
export type TimeoutKind = "acquire" | "queue" | "attempt" | "deadline";

/** A time limit was reached: `kind` says which one, `ms` how long it was. */
export class TimeoutError extends PowerhoseError {
  /** @inheritDoc */
  readonly code = "TIMEOUT";
  /** The name of the class, as in logs. */
  override readonly name = "TimeoutError";
  /** Which limit was reached. */
  readonly kind: TimeoutKind;
  /** The limit, in milliseconds. */
  readonly ms: number;

  /** @internal */
  constructor(message: string, kind: TimeoutKind, ms: number, options?: PowerhoseErrorOptions) {
    super(message, options);
    this.kind = kind;
    this.ms = ms;
  }
}

/** What a worker says of a failed job. Strings from a peer: treat them as text, never as markup. */
export interface RemoteError {
  /** The `name` of what the handler threw. */
  readonly name: string;
  /** Its `message`. */
  readonly message: string;
  /** Its own `code` when it was a string or a number, else empty. */
  readonly code: string;
  /** Its stack when it was thrown in this process, or when both ends opted in with `remoteStacks`; else empty. */
  readonly stack: string;
  /** Its own fields, `cause` and `errors` as JSON, at most 16 KiB; absent or empty when there are none. */
  readonly details?: string;
  /** Of a typed task: the fields of these errors as a value of the task's codec, at most 16 KiB; absent when there are none. */
  readonly values?: Uint8Array;
}

/** The handler ran and failed: it threw, rejected, or returned something that is not a string or bytes. */
export class ExecutionError extends PowerhoseError {
  /** @inheritDoc */
  readonly code = "EXECUTION";
  /** The name of the class, as in logs. */
  override readonly name = "ExecutionError";
  /** The `name` of what the handler threw. */
  readonly remoteName: string;
  /** Its `message`. */
  readonly remoteMessage: string;
  /** Its own `code`, or empty. */
  readonly remoteCode: string;
  /** Its stack when it was thrown in this process or both ends opted in, or empty. */
  readonly remoteStack: string;
  /** Its own fields, `cause` and `errors` as JSON, or empty. The `cause` of this error has them as values. */
  readonly remoteDetails: string;
  /** @internal Of a typed task: what the numbers in the place of `fields` name, in bytes. */
  declare readonly remoteValues: Uint8Array | undefined;

  /** @internal */
  constructor(remote: RemoteError, options?: PowerhoseErrorOptions) {
    super(`${remote.name}: ${remote.message}`, options);
    this.remoteName = remote.name;
    this.remoteMessage = remote.message;
    this.remoteCode = remote.code;
    this.remoteStack = remote.stack;
    this.remoteDetails = remote.details ?? "";
    // Not to be seen in logs: a client makes fields of it.
    Object.defineProperty(this, "remoteValues", { value: remote.values });
  }
}

/** @internal Whether it is an ExecutionError, of this copy of the package or of another. */
export function isExecutionError(value: unknown): value is ExecutionError {
  if (value instanceof ExecutionError) return true;
  if (typeof value !== "object" || value === null || !("remoteName" in value) || !("code" in value)) return false;
  return value.code === "EXECUTION" && typeof value.remoteName === "string";
}

/** The worker that had the job went away, and the job may not be given to another: it may have run in part or whole. */
export class WorkerLostError extends PowerhoseError {
  /** @inheritDoc */
  readonly code = "WORKER_LOST";
  /** The name of the class, as in logs. */
  override readonly name = "WorkerLostError";
}

/** No worker is registered that could take the job, and `failFast` was asked for; or too few principals to verify it. */
export class NoWorkerError extends PowerhoseError {
  /** @inheritDoc */
  readonly code = "NO_WORKER";
  /** The name of the class, as in logs. */
  override readonly name = "NoWorkerError";
}

/** What one worker gave for a job that was run on several. */
export interface WorkerAnswer {
  /** The worker's name. */
  readonly identity: string;
  /** The principal it belongs to. */
  readonly principal: string;
  /** What its handler returned. */
  readonly value: string | Uint8Array;
}

/** The job was run on workers of several principals (`verify`), and they did not all give the same. */
export class VerificationError extends PowerhoseError {
  /** @inheritDoc */
  readonly code = "VERIFICATION";
  /** The name of the class, as in logs. */
  override readonly name = "VerificationError";
  /** What each of them gave, in the order they were asked. */
  readonly answers: readonly WorkerAnswer[];

  /** @internal */
  constructor(message: string, answers: readonly WorkerAnswer[], options?: PowerhoseErrorOptions) {
    super(message, options);
    this.answers = answers;
  }
}

/** Which limit of a runner's queue a {@link QueueFullError} speaks of: the one in number, or the one in bytes. */
export type QueueLimit = "maxQueue" | "maxQueueBytes";

/** What waits in a queue that is full. */
export interface QueueFill {
  /** The limit that a new job would exceed. */
  readonly limit: QueueLimit;
  /** Its value: jobs, or bytes. */
  readonly max: number;
  /** Jobs that wait: in the queue, at a worker for their turn, or before their next attempt. */
  readonly queued: number;
  /** Their bytes. */
  readonly queuedBytes: number;
}

/** Too many jobs wait already, or too many bytes of them: the new job is refused. */
export class QueueFullError extends PowerhoseError implements QueueFill {
  /** @inheritDoc */
  readonly code = "QUEUE_FULL";
  /** The name of the class, as in logs. */
  override readonly name = "QueueFullError";
  /** The limit that the job would have exceeded. */
  readonly limit: QueueLimit;
  /** Its value: jobs, or bytes. */
  readonly max: number;
  /** Jobs that waited when this one was refused. */
  readonly queued: number;
  /** Their bytes. */
  readonly queuedBytes: number;

  /** @internal */
  constructor(message: string, { limit, max, queued, queuedBytes }: QueueFill, options?: PowerhoseErrorOptions) {
    super(message, options);
    this.limit = limit;
    this.max = max;
    this.queued = queued;
    this.queuedBytes = queuedBytes;
  }
}

/**
 * Why a handler's signal aborts: the caller gave up (`cancelled`), a limit passed (`timeout`, `deadline`), the runner or the
 * worker stops (`stopped`, `draining`), or the connection is gone (`disconnected`). In each case the result is not awaited.
 */
export type AbortReason = "cancelled" | "timeout" | "deadline" | "stopped" | "disconnected" | "draining";

/** Work was aborted: the `reason` of a handler's signal, and what `execute` rejects with if its signal has no reason. */
export class AbortError extends PowerhoseError {
  /** @inheritDoc */
  readonly code = "ABORTED";
  /** The name of the class, as in logs. */
  override readonly name = "AbortError";
  /** Why. */
  readonly reason: AbortReason;

  /** @internal */
  constructor(message: string, reason: AbortReason, options?: PowerhoseErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** The runner is not started, is draining, or was stopped before the job settled. */
export class RunnerStoppedError extends PowerhoseError {
  /** @inheritDoc */
  readonly code = "RUNNER_STOPPED";
  /** The name of the class, as in logs. */
  override readonly name = "RunnerStoppedError";
}

/** The worker was stopped before it could register. */
export class WorkerStoppedError extends PowerhoseError {
  /** @inheritDoc */
  readonly code = "WORKER_STOPPED";
  /** The name of the class, as in logs. */
  override readonly name = "WorkerStoppedError";
}

/** A worker could not be started at all: its module does not load, the export is missing, it crashes as it starts. */
export class WorkerStartError extends PowerhoseError {
  /** @inheritDoc */
  readonly code = "WORKER_START";
  /** The name of the class, as in logs. */
  override readonly name = "WorkerStartError";
  /** The next try comes within so many ms: something that passes is in the way. Absent when there is no next try. */
  readonly retryIn: number | undefined;
  /**
   * Set when a thread's place is given up after too many crashes: `"place"`, or `"all"` when no other is left. From then on it is
   * tried once a minute.
   */
  readonly givenUp: "place" | "all" | undefined;

  /** @internal */
  constructor(
    message: string,
    options: PowerhoseErrorOptions & Partial<Pick<WorkerStartError, "retryIn" | "givenUp">> = {},
  ) {
    super(message, options);
    this.retryIn = options.retryIn;
    this.givenUp = options.givenUp;
  }
}

/** @internal Why there is no worker, as far as it is known, as the end of a message. */
export function because(trouble: Error | undefined): string {
  return trouble === undefined ? "" : `: ${trouble.message}`;
}

/** A peer broke the protocol, or speaks another version of it. */
export class ProtocolError extends PowerhoseError {
  /** @inheritDoc */
  readonly code = "PROTOCOL";
  /** The name of the class, as in logs. */
  override readonly name = "ProtocolError";
}

/** A peer was not allowed in: wrong token, foreign origin, or an identity that belongs to another principal. */
export class AuthError extends PowerhoseError {
  /** @inheritDoc */
  readonly code = "AUTH";
  /** The name of the class, as in logs. */
  override readonly name = "AuthError";
}

/** A job or its text form is malformed or too large; `offset` says where when the text was being read. */
export class EncodingError extends PowerhoseError {
  /** @inheritDoc */
  readonly code = "ENCODING";
  /** The name of the class, as in logs. */
  override readonly name = "EncodingError";
  /** Where in the text (UTF-16 units) or bytes the fault lies, or -1 when it is not about a place. */
  readonly offset: number;

  /** @internal */
  constructor(message: string, offset = -1, options?: PowerhoseErrorOptions) {
    super(offset < 0 ? message : `offset ${offset}: ${message}`, options);
    this.offset = offset;
  }
}

/** Every concrete error of this library, for an exhaustive `switch (error.code)`. */
export type AnyPowerhoseError =
  | TimeoutError
  | ExecutionError
  | WorkerLostError
  | NoWorkerError
  | VerificationError
  | QueueFullError
  | AbortError
  | RunnerStoppedError
  | WorkerStoppedError
  | WorkerStartError
  | ProtocolError
  | AuthError
  | EncodingError;
