/** One job at a worker: the handler that runs, its context, and its result. */
import { RESULT_TOO_LARGE } from "../protocol/constants.ts";
import { MAX_DURATION } from "../time/clock.ts";
import { AbortError, type AbortReason, type RemoteError } from "../errors.ts";
import { describeThrown } from "./thrown-error.ts";
import type { AsyncContext } from "../time/async-context.ts";
import type { Job } from "../job/job.ts";
import { formatJobId } from "../job/job-id.ts";
import type { JobRelay, RelayedExecution, RelayResult } from "./job-relay.ts";
import type { LinkedNode } from "../collections/linked-queue.ts";
import type { JobMessage } from "../protocol/message.ts";
import type { Payload } from "../peer.ts";
import { tasksOf } from "./handler-lifecycle.ts";
import { isBytes } from "../job/utf8.ts";

/** What a handler is given besides the job. */
export interface JobContext {
  /** Aborts when the result is not wanted any more; its `reason` is an {@link AbortError} that says why. */
  readonly signal: AbortSignal;
  /**
   * Which attempt at the job this is, from 1. With `jobId` a fencing token: it only grows. A job with `verify` counts anew for
   * each principal that is asked.
   */
  readonly attempt: number;
  /** Names the job, among all runners: `<runnerId>:<number>` of the outermost runner, as in events and errors. */
  readonly jobId: string;
  /** The identity of the worker that runs it. */
  readonly identity: string;
  /** Aborts when the worker has begun to leave: finish soon, or let others take over. */
  readonly shuttingDown: AbortSignal;
}

/**
 * Runs a job. Returns, or resolves to, a string or bytes. What it throws reaches the caller as an ExecutionError; an error
 * with `retryable: true` (and, optionally, `retryAfter` in ms) is tried again while attempts are left.
 */
export type Handler = (job: Job, context: JobContext) => Payload | Promise<Payload>;

/** What an execution calls, and is given. */
export interface ExecutionOwner {
  readonly identity: string;
  /** Names the runner's run. */
  readonly runnerId: string;
  /** The worker's own signal of leaving. */
  readonly shuttingDown: AbortSignal;
  /** The handler has returned or thrown. Called once. */
  onFinished(execution: Execution, result: ExecutionResult): void;
}

/** What came of a handler. */
export type ExecutionResult =
  | { readonly ok: true; readonly value: Payload }
  | { readonly ok: false; readonly error: RemoteError; readonly retryable: boolean; readonly retryAfter: number }
  | RelayResult;

/** A job taken in, and its running handler; also the context that is given to it, so that a job costs one object. */
export class Execution implements JobContext, LinkedNode<Execution> {
  /** The queue for a slot, while it is in it. */
  list: object | undefined;
  previous: Execution | undefined;
  next: Execution | undefined;
  readonly attemptId: number;
  readonly attempt: number;
  /** Set when it begins, on the worker's clock. */
  startedAt = 0;
  /** What its handler took, in ms, once it has returned or thrown. */
  durationMs = 0;
  /** When it came, if it had to wait for a slot here. */
  queuedAt: number | undefined;
  /** Whether its result is still wanted. */
  isWanted = true;
  /** Whether its runner was told that it waits, though it was sent to a free slot. */
  isParked = false;
  /** Where its caller's code runs, if that is in this process. */
  asyncContext: AsyncContext | undefined;
  readonly #message: JobMessage;
  readonly #owner: ExecutionOwner;
  #aborter: AbortController | undefined;
  #reason: AbortError | undefined;
  #relayed: RelayedExecution | undefined;

  constructor(message: JobMessage, owner: ExecutionOwner) {
    this.#message = message;
    this.attemptId = message.attemptId;
    this.attempt = message.attempt;
    this.#owner = owner;
  }

  /** About so many bytes of data it was sent with. */
  get bytes(): number {
    return this.#message.job.data.length;
  }

  get jobId(): string {
    return formatJobId(this.#message.route?.origin ?? this.#owner.runnerId, this.#message.jobId);
  }

  get identity(): string {
    return this.#owner.identity;
  }

  get shuttingDown(): AbortSignal {
    return this.#owner.shuttingDown;
  }

  /** Made when first asked for: a controller costs more than the rest of the job, and most handlers never read it. */
  get signal(): AbortSignal {
    if (this.#aborter === undefined) {
      this.#aborter = new AbortController();
      if (this.#reason !== undefined) this.#aborter.abort(this.#reason);
    }
    return this.#aborter.signal;
  }

  /** Starts the handler. */
  run(handler: Handler): void {
    let result: ExecutionResult | undefined;
    try {
      const { job } = this.#message;
      const value =
        this.asyncContext === undefined
          ? handler(job, this)
          : this.asyncContext.runInAsyncScope(handler, undefined, job, this);
      if (typeof value === "string" || isBytes(value)) result = success(value);
      else this.#await(value, handler);
    } catch (error) {
      // Of the handler, or of what it returned: that may be anything, and throw when it is read.
      result = failure(error, handler);
    }
    if (result !== undefined) this.#owner.onFinished(this, result);
  }

  /** Hands the job to a fleet. `labels`: those of the relay itself. */
  forward(relay: JobRelay, labels: readonly string[], now: number): void {
    const { asyncContext, queuedAt = now } = this;
    const from = { runnerId: this.#owner.runnerId, labels, asyncContext, waited: now - queuedAt };
    this.#relayed = relay.forward(this.#message, from, (result) => this.#owner.onFinished(this, result));
  }

  #await(promise: Promise<Payload>, handler: Handler): void {
    Promise.resolve(promise).then(
      (value) => this.#owner.onFinished(this, late(value)),
      (error: unknown) => this.#owner.onFinished(this, failure(error, handler)),
    );
  }

  /** The result is not wanted any more. Runs the handler's abort listeners. */
  abort(reason: AbortReason): void {
    if (this.#reason !== undefined) return;
    this.isWanted = false;
    const { jobId } = this;
    this.#reason = new AbortError(`nobody waits for this job any more: ${reason}`, reason, { jobId });
    this.#aborter?.abort(this.#reason);
    this.#relayed?.cancel(reason);
  }
}

type Failure = Extract<ExecutionResult, { error: RemoteError }>;

function remote(name: string, message: string, code: string): Failure {
  return { ok: false, error: { name, message, code, stack: "" }, retryable: false, retryAfter: 0 };
}

function success(value: unknown): ExecutionResult {
  if (isBytes(value)) return { ok: true, value };
  if (typeof value !== "string") {
    const got = value === null ? "null" : typeof value;
    return remote("TypeError", `a handler must return a string or a Uint8Array, not ${got}`, "RESULT_TYPE");
  }
  if (value.isWellFormed()) return { ok: true, value };
  return remote(
    "TypeError",
    "the handler's result is not well-formed UTF-16 (it holds a lone surrogate)",
    "RESULT_TYPE",
  );
}

/** What a promise resolved to, which may throw when it is read, too. */
function late(value: unknown): ExecutionResult {
  try {
    return success(value);
  } catch (error) {
    return failure(error);
  }
}

/** A result over the runner's limit fails the job, not the connection. */
export function resultTooLarge(bytes: number, maxPayload: number): Failure {
  return remote(
    "RangeError",
    `the result has ${bytes} bytes, over the runner's limit of ${maxPayload}`,
    RESULT_TOO_LARGE,
  );
}

/** A result whose bytes were transferred away. */
export function unreadable(): ExecutionResult {
  return remote("TypeError", "the result's bytes cannot be read any more", "RESULT_TYPE");
}

/** Whatever was thrown, as text: it may be anything, and reading it may throw again. */
function failure(thrown: unknown, handler?: Handler): ExecutionResult {
  try {
    const values = handler === undefined ? undefined : tasksOf(handler)?.fieldValues?.();
    return { ok: false, error: describeThrown(thrown, values), ...retryHint(thrown) };
  } catch {
    return remote("Error", "the handler threw something that cannot be read", "");
  }
}

function retryHint(thrown: unknown): { retryable: boolean; retryAfter: number } {
  if (typeof thrown !== "object" || thrown === null || !("retryable" in thrown))
    return { retryable: false, retryAfter: 0 };
  const after = "retryAfter" in thrown ? Number(thrown.retryAfter) : 0;
  return {
    retryable: thrown.retryable === true,
    retryAfter: after > 0 ? Math.min(Math.ceil(after), MAX_DURATION) : 0,
  };
}
