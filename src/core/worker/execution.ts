/** One job at a worker: the handler that runs, its context, and its result. */
import { InputStream, type JobInput } from "./input-stream.ts";
import { ItemPump, type ItemPumpOwner, isStream, type PumpEnd } from "../async/item-pump.ts";
import { ProgressReporter } from "./progress-reporter.ts";
import { wirePayloadBytes } from "../protocol/codec.ts";
import { ITEM_COST, MAX_PROGRESS_BYTES, RESULT_TOO_LARGE } from "../protocol/constants.ts";
import { type Clock, MAX_DURATION } from "../time/clock.ts";
import { AbortError, type AbortReason, type RemoteError } from "../errors.ts";
import { describeThrown } from "./thrown-error.ts";
import type { AsyncContext } from "../time/async-context.ts";
import type { Job } from "../job/job.ts";
import { framedBytes, type HoledBytes, isHoled } from "../job/holed-bytes.ts";
import { formatJobId } from "../job/job-id.ts";
import type { JobRelay, RelayedExecution, RelayResult, RelaySink } from "./job-relay.ts";
import type { LinkedNode } from "../collections/linked-queue.ts";
import type { InputEndMessage, InputMessage, JobMessage } from "../protocol/message.ts";
import type { AttachmentKind, Payload } from "../peer.ts";
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
  /** The stream that goes into the job: the option `input` of its call. `undefined`: none does. */
  readonly input: JobInput | undefined;
  /**
   * Items of this job's stream that its reader was given in attempts before: of a call with `resume`, begin after them. Otherwise 0.
   */
  readonly delivered: number;
  /** Whether the caller listens to progress. */
  readonly wantsProgress: boolean;
  /**
   * Tells the caller how far the job is, if it listens: a string or bytes, at most 8 KiB. The latest is sent, at most ten times a
   * second. A report is no sign of life: `timeout` goes on. May be called by itself, without the context.
   *
   * @throws TypeError for what is no payload, RangeError when it is over 8 KiB.
   */
  readonly progress: (value: Payload) => void;
}

/**
 * Runs a job. Returns, or resolves to, a string or bytes, or a stream of them: an async generator, a ReadableStream, anything with
 * `Symbol.asyncIterator`, for callers of `open`. What it throws reaches the caller as an ExecutionError; an error
 * with `retryable: true` (and, optionally, `retryAfter` in ms) is tried again while attempts are left.
 */
export type Handler = (job: Job, context: JobContext) => HandlerResult | Promise<HandlerResult>;

/** What a handler gives. Of a stream that returns something, that is the end's value. */
export type HandlerResult = Payload | AsyncIterable<Payload>;

/** What an execution calls, and is given. */
export interface ExecutionOwner {
  readonly identity: string;
  /** Names the runner's run. */
  readonly runnerId: string;
  /** The worker's own signal of leaving. */
  readonly shuttingDown: AbortSignal;
  readonly clock: Clock;
  /** The largest payload the runner takes, in bytes. */
  readonly maxPayload: number;
  /** What stands apart from a result on the way to the runner. */
  readonly attachments: AttachmentKind | undefined;
  /** Bytes of the stream that goes in which are asked for ahead. */
  readonly inputWindow: number;
  /** Whether there is a backlog towards the runner. */
  readonly hasBacklog: boolean;
  /** Calls `resume` once there is no backlog. */
  resumeLater(execution: Execution): void;
  /** The handler gave an item, or says how far it is. May throw when its bytes cannot be read. */
  onGiven(execution: Execution, type: "ITEM" | "PROGRESS", value: Payload): void;
  /** The handler reads: so many bytes more may come. */
  onAsked(execution: Execution, bytes: number): void;
  /** The handler has returned or thrown. Called once. */
  onFinished(execution: Execution, result: ExecutionResult): void;
}

/** What came of a handler. */
export type ExecutionResult =
  | { readonly ok: true; readonly value: Payload; readonly endsStream?: boolean }
  | { readonly ok: false; readonly error: RemoteError; readonly retryable: boolean; readonly retryAfter: number }
  | RelayResult;

/** A job taken in, and its running handler; also the context that is given to it, so that a job costs one object. */
export class Execution implements JobContext, LinkedNode<Execution>, ItemPumpOwner, RelaySink {
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
  #handler: Handler | undefined;
  #pump: ItemPump | undefined;
  #isOver = false;
  #progress: ProgressReporter | undefined;
  #input: InputStream | undefined;
  /** Bytes of input that may come; 0 or less: none. `undefined` when none is expected any more. */
  #inputCredit: number | undefined;
  /** Why an item of a fleet could not be passed on: the end of the job, once that is told. */
  #fault: Failure | undefined;

  constructor(message: JobMessage, owner: ExecutionOwner) {
    this.#message = message;
    this.attemptId = message.attemptId;
    this.attempt = message.attempt;
    this.#owner = owner;
    if (message.hasInput === true) this.#inputCredit = 0;
  }

  /** About so many bytes of data it was sent with. */
  get bytes(): number {
    return this.#message.job.content.length;
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

  /** Whether its handler has given a stream: what that took is the reader's time as well. */
  get gaveStream(): boolean {
    return this.#pump !== undefined;
  }

  get wantsProgress(): boolean {
    return this.#message.wantsProgress === true;
  }

  get delivered(): number {
    return this.#message.delivered ?? 0;
  }

  get input(): JobInput | undefined {
    if (this.#message.hasInput !== true) return undefined;
    if (this.#input !== undefined) return this.#input;
    this.#input = new InputStream(this.#owner.inputWindow, (bytes) => this.onRelayedCredit(bytes));
    if (this.#reason !== undefined) this.#input.fail(this.#reason);
    else if (this.#inputCredit === undefined) this.#input.endInput();
    else if (this.#isOver) this.#closeInput();
    return this.#input;
  }

  #closeInput(): void {
    if (this.#input === undefined) return;
    const { jobId } = this;
    this.#input.close(new AbortError("the job is over, and its input was not at its end", "cancelled", { jobId }));
  }

  /** An item of the stream that goes in, or its end. Returns whether it was asked for. */
  onInput(message: InputMessage | InputEndMessage): boolean {
    const credit = this.#inputCredit;
    if (credit === undefined) return false;
    if (message.type === "INPUT") {
      if (credit <= 0) return false;
      this.#inputCredit = credit - wirePayloadBytes(message.value) - ITEM_COST;
      if (this.isWanted) (this.#relayed ?? this.#input)?.onInput(message.value);
    } else {
      this.#inputCredit = undefined;
      if (this.isWanted) (this.#relayed ?? this.#input)?.endInput();
    }
    return true;
  }

  /** Of a fleet, or of the handler itself. */
  onRelayedCredit(bytes: number): void {
    if (this.#inputCredit === undefined || !this.isWanted) return;
    this.#inputCredit += bytes;
    this.#owner.onAsked(this, bytes);
  }

  get clock(): Clock {
    return this.#owner.clock;
  }

  holdsUp(): boolean {
    if (this.#owner.hasBacklog) this.#owner.resumeLater(this);
    return this.#owner.hasBacklog;
  }

  get progress(): (value: Payload) => void {
    return (value) => this.#report(value);
  }

  #report(value: Payload): void {
    checkProgress(value);
    if (this.wantsProgress) this.onRelayedProgress(value);
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
    this.#handler = handler;
    let result: ExecutionResult | undefined;
    try {
      const { job } = this.#message;
      const value =
        this.asyncContext === undefined
          ? handler(job, this)
          : this.asyncContext.runInAsyncScope(handler, undefined, job, this);
      if (typeof value === "string" || isBytes(value)) result = success(value);
      else if (isStream(value)) result = this.#stream(value);
      else this.#await(value);
    } catch (error) {
      // Of the handler, or of what it returned: that may be anything, and throw when it is read.
      result = this.#failure(error);
    }
    if (result !== undefined) this.#finish(result);
  }

  /** Hands the job to a fleet. `labels`: those of the relay itself. */
  forward(relay: JobRelay, labels: readonly string[], now: number): void {
    const { asyncContext, queuedAt = now } = this;
    const from = { runnerId: this.#owner.runnerId, labels, asyncContext, waited: now - queuedAt };
    this.#relayed = relay.forward(this.#message, from, this);
  }

  /** The runner takes so many bytes of items more. `resume` follows. */
  grant(bytes: number): void {
    this.#pump?.grant(bytes);
    this.#relayed?.grant(bytes);
  }

  /** Goes on with a stream that stood still for want of credit, or for a backlog. Runs the handler. */
  resume(): void {
    this.#pump?.resume();
  }

  /** Of the handler's stream, which fails by what this throws, or of a fleet. */
  onItem(value: unknown): number {
    const checked = fit(success(value), this.#owner);
    if (!checked.ok) throw new UnusableItem(checked);
    this.#owner.onGiven(this, "ITEM", checked.value);
    return wirePayloadBytes(checked.value) + ITEM_COST;
  }

  onRelayedItem(value: Payload): void {
    if (!this.isWanted || this.#fault !== undefined) return;
    const checked = fit({ ok: true, value }, this.#owner);
    if (checked.ok) return this.#owner.onGiven(this, "ITEM", value);
    this.#fault = checked;
    this.#relayed?.cancel("cancelled");
  }

  /** Of a fleet, or of the handler itself. */
  onRelayedProgress(value: Payload): void {
    if (!this.isWanted || this.#isOver) return;
    this.#progress ??= new ProgressReporter(
      this.clock,
      (latest) => this.#owner.onGiven(this, "PROGRESS", latest),
      () => this.#owner.hasBacklog,
    );
    this.#progress.report(value);
  }

  onRelayed(result: RelayResult): void {
    this.#finish(this.#fault ?? result);
  }

  onPumped(end: PumpEnd): void {
    if (!end.ok) return this.#finish(end.error instanceof UnusableItem ? end.error.result : this.#failure(end.error));
    const result = end.value === undefined ? success("") : late(end.value);
    this.#finish(result.ok ? { ...result, endsStream: true } : result);
  }

  #await(promise: Promise<HandlerResult>): void {
    Promise.resolve(promise).then(
      (value) => this.#settle(value),
      (error: unknown) => this.#finish(this.#failure(error)),
    );
  }

  #settle(value: unknown): void {
    const result = isStream(value) ? this.#stream(value) : late(value);
    if (result !== undefined) this.#finish(result);
  }

  /** Begins to pull its items. Returns why it cannot. */
  #stream(items: AsyncIterable<unknown>): ExecutionResult | undefined {
    const { credit } = this.#message;
    try {
      this.#pump = new ItemPump(items, credit ?? 0, this);
    } catch (error) {
      return this.#failure(error);
    }
    if (!this.isWanted) this.#pump.leave();
    else if (credit === undefined) this.#pump.fail(new UnusableItem(NO_STREAM));
    else this.#pump.resume();
    return undefined;
  }

  #failure(thrown: unknown): Failure {
    return failure(thrown, this.#handler);
  }

  #finish(result: ExecutionResult): void {
    this.#isOver = true;
    this.#progress?.end();
    this.#closeInput();
    this.#owner.onFinished(this, result);
  }

  /** The result is not wanted any more. Runs the handler's abort listeners. */
  abort(reason: AbortReason): void {
    if (this.#reason !== undefined) return;
    this.isWanted = false;
    const { jobId } = this;
    this.#reason = new AbortError(`nobody waits for this job any more: ${reason}`, reason, { jobId });
    this.#aborter?.abort(this.#reason);
    this.#progress?.drop();
    this.#input?.fail(this.#reason);
    this.#pump?.leave();
    this.#relayed?.cancel(reason);
  }
}

/** Thrown through a handler's stream: what the job fails with. */
class UnusableItem extends Error {
  readonly result: Failure;

  constructor(result: Failure) {
    super(result.error.message);
    this.result = result;
  }
}

function checkProgress(value: unknown): void {
  const checked = success(value);
  if (!checked.ok) throw new TypeError("progress: expected a string without lone surrogates, or a Uint8Array");
  const bytes = wirePayloadBytes(checked.value);
  if (bytes > MAX_PROGRESS_BYTES)
    throw new RangeError(`progress: expected at most ${MAX_PROGRESS_BYTES} bytes, got ${bytes}`);
}

/** What a handler gave or threw. */
export type PlainResult = Extract<ExecutionResult, { ok: true } | { error: RemoteError }>;
type Failure = Extract<ExecutionResult, { error: RemoteError }>;

function remote(name: string, message: string, code: string): Failure {
  return { ok: false, error: { name, message, code, stack: "" }, retryable: false, retryAfter: 0 };
}

const NO_STREAM = /* @__PURE__ */ remote(
  "TypeError",
  "the handler gives a stream, and this caller takes a result: a `client` reads it, or `open` of a runner, without `verify`",
  "RESULT_TYPE",
);

function success(value: unknown): PlainResult {
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
function late(value: unknown): PlainResult {
  try {
    return success(value);
  } catch (error) {
    return failure(error);
  }
}

/** What a result must keep to on its way to the runner. */
type ResultTerms = Pick<ExecutionOwner, "maxPayload" | "attachments">;

/** The result, unless it is over the runner's limit, which is in bytes, or holds memory that cannot go there. */
export function fit(result: PlainResult, { maxPayload, attachments }: ResultTerms): PlainResult {
  if (!result.ok) return result;
  const { value } = result;
  if (typeof value === "string" && value.length * 3 <= maxPayload) return result;
  const fault = isHoled(value) ? carrierFault(value, attachments) : undefined;
  if (fault !== undefined) return fault;
  const bytes = typeof value === "string" ? wirePayloadBytes(value) : framedBytes(value, attachments);
  return bytes <= maxPayload ? result : resultTooLarge(bytes, maxPayload);
}

function carrierFault(value: HoledBytes, attachments: AttachmentKind | undefined): Failure | undefined {
  try {
    value.checkCarrier(attachments);
    return undefined;
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
export function unreadable(): Failure {
  return remote("TypeError", "the result's bytes cannot be read any more", "RESULT_TYPE");
}

/** Whatever was thrown, as text: it may be anything, and reading it may throw again. */
function failure(thrown: unknown, handler?: Handler): Failure {
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
