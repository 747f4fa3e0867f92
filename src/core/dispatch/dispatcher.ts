/**
 * Takes calls in and keeps them until they settle: limits, ids, counters, and what all calls share. How one call goes on is in
 * call.ts.
 */
import type { AsyncContext } from "../time/async-context.ts";
import { AbortListeners } from "../async/abort-listeners.ts";
import { closeSource } from "./input-feed.ts";
import { type CallOptions, resolveCall, TaskSelectors } from "./call-options.ts";
import { Call } from "./call.ts";
import type { CallContext, CallEvents, CallInfo, CallState, CallTarget, SubmittedJob } from "./call-context.ts";
import type { Clock, Random } from "../time/clock.ts";
import { LinkedQueue } from "../collections/linked-queue.ts";
import { TimerQueue } from "../time/timer-queue.ts";
import { checkJobSize } from "./payload-limits.ts";
import { AbortError, type AttemptOutcome, QueueFullError } from "../errors.ts";
import type { RunnerEvent } from "../events.ts";
import { EXECUTE_RULES, type ExecuteOptions } from "../job/execute-options.ts";
import type { Emitter } from "../async/emitter.ts";
import { heldJobBytes } from "../job/held-bytes.ts";
import { Job, JOB_LIMITS, type JobHeaders } from "../job/job.ts";
import { formatJobId } from "../job/job-id.ts";
import type { PayloadStream } from "../job/payload-stream.ts";
import type { CancelReason } from "../protocol/message.ts";
import { checkedCopy } from "../options.ts";
import { selectorFor, type WorkerSelector } from "../pool/worker-selector.ts";
import type { Payload } from "../peer.ts";
import { RelayedCall, type RelayedCallOwner, type RelayedJob } from "./relayed-call.ts";
import { type AttemptFailure, RetryThrottle } from "./retry.ts";
import { ReadSubmission, StreamSubmission, Submission } from "./submission.ts";
import { StreamBudget } from "./stream-budget.ts";
import { Verification } from "./verification.ts";

/** The default bounds of the queue and of unread items. 256 MiB are an eighth of Node's heap on a 4 GiB machine, and 256 jobs of `maxPayload`. */
export const QUEUE_DEFAULTS: Readonly<Record<"maxQueue" | "maxQueueBytes" | "maxStreamBytes", number>> = Object.freeze({
  maxQueue: 100_000,
  maxQueueBytes: 268_435_456,
  maxStreamBytes: 268_435_456,
});

/** @internal */
export interface DispatcherOptions {
  /** Names the run of the runner. */
  readonly runnerId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: Emitter<RunnerEvent>;
  readonly defaults: CallOptions;
  readonly maxQueue: number;
  readonly maxQueueBytes: number;
  readonly maxPayload: number;
  readonly maxAttachments: number;
  readonly maxStreamBytes: number;
  readonly remoteStacks?: boolean | undefined;
  /** Headers for each job of this runner's callers. */
  readonly headers?: (() => JobHeaders | undefined) | undefined;
  /** Why workers are missing, as far as it is known. */
  trouble?(): Error | undefined;
  /** Why no job is accepted now, if so. */
  closed?(): Error | undefined;
  /** A job was accepted. Without options: it is another runner's. */
  onSubmit?(call: CallInfo, options: CallOptions | undefined): void;
}

function ignore(): void {}

/** What the headers of a job hold at most, a text at two bytes a UTF-16 unit. */
const MAX_HEADERS_HELD = 2 * JOB_LIMITS.maxHeaderBytes;

const NO_HEADERS: ReadonlyMap<string, string> = new Map();

/** Calls by state, and calls so far. */
export interface CallCounts {
  /** Wait for a slot, those that were prefetched included. */
  queued: number;
  /** Were prefetched to a worker, and wait there for their turn. */
  prefetched: number;
  /** Are in a worker's slot. */
  running: number;
  /** Wait before their next attempt. */
  backoff: number;
  /** Bytes of all that wait: queued, prefetched or in backoff. */
  queuedBytes: number;
  /** Were accepted. */
  submitted: number;
  /** Settled with a value. */
  succeeded: number;
  /** Settled with an error. */
  failed: number;
}

/** @internal Accepts jobs and keeps their calls until they settle. */
export class Dispatcher implements CallContext<SubmittedJob>, CallEvents {
  readonly runnerId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: TimerQueue;
  readonly aborts: AbortListeners = new AbortListeners();
  readonly throttle: RetryThrottle = new RetryThrottle();
  readonly remoteStacks?: boolean | undefined;
  readonly counts: CallCounts = {
    queued: 0,
    prefetched: 0,
    running: 0,
    backoff: 0,
    queuedBytes: 0,
    submitted: 0,
    succeeded: 0,
    failed: 0,
  };
  /** Attempts that failed, and were followed by another. */
  retries = 0;
  /** Attempts whose handler had not started: their jobs went back to the queue. */
  returned = 0;
  captureAsyncContext: (() => AsyncContext) | undefined;
  readonly #options: DispatcherOptions;
  /** Jobs that have not settled, in the order of submission. Why no Set: measured, it adds half the cost of a 16-byte job. */
  readonly #submissions = new LinkedQueue<Submission>();
  /** The functions of the promise that is being made. Kept any longer, they would keep its result alive. */
  #resolve: (value: Payload) => void = ignore;
  #reject: (error: unknown) => void = ignore;
  readonly #taskSelectors: TaskSelectors;
  readonly streamBudget: StreamBudget;
  #nextId = 1;
  #idle: (() => void) | undefined;
  /** Called when jobs have stopped waiting. */
  #roomWanted: Set<() => void> | undefined;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.runnerId = options.runnerId;
    this.clock = options.clock;
    this.random = options.random;
    this.remoteStacks = options.remoteStacks;
    this.timers = new TimerQueue(options.clock, true);
    this.#taskSelectors = new TaskSelectors(options.defaults);
    this.streamBudget = new StreamBudget(options.maxStreamBytes);
  }

  /** Bytes of unread items that streams may hold now. */
  get streamBytes(): number {
    return this.streamBudget.reserved;
  }

  get trouble(): Error | undefined {
    return this.#options.trouble?.();
  }

  /** Absent while no listener wants the events of jobs. */
  get events(): CallEvents | undefined {
    return this.#options.events.wantsJobEvents ? this : undefined;
  }

  /** Runs a job and resolves to its result. Rejects at once when the input is wrong or the queue full. */
  execute(input: Job | Payload, options: ExecuteOptions | undefined, target: CallTarget): Promise<Payload> {
    const promise = new Promise(this.#keepFunctions);
    const reject = this.#reject;
    const submission = new Submission(this.#submissions, this.#resolve, reject);
    this.#resolve = ignore;
    this.#reject = ignore;
    try {
      this.#accept(input, options, target, submission);
    } catch (error) {
      reject(error);
    }
    return promise;
  }

  /**
   * Runs a job whose handler may give a stream. Rejects as `execute`, until the stream has begun. With `verify` no stream is taken:
   * what several workers give is compared as a whole.
   */
  open(
    input: Job | Payload,
    options: ExecuteOptions | undefined,
    target: CallTarget,
  ): Promise<Payload | PayloadStream> {
    return new Promise((resolve, reject) => {
      try {
        this.#accept(input, options, target, new StreamSubmission(this.#submissions, resolve, reject));
      } catch (error) {
        reject(error);
      }
    });
  }

  /** The one executor of all promises: a promise would keep alive an executor of its own. */
  readonly #keepFunctions = (resolve: (value: Payload) => void, reject: (error: unknown) => void): void => {
    this.#resolve = resolve;
    this.#reject = reject;
  };

  /**
   * Submits a job. `onSettled` is called exactly once, later or before this returns.
   * @param onStream - Called with the stream of a handler that gives one, once its first item has come; its end settles the
   *   call. Absent: no stream is taken.
   * @throws what `execute` rejects with when the input is wrong, the signal has aborted or the queue is full.
   */
  submit(
    input: Job | Payload,
    options: ExecuteOptions | undefined,
    target: CallTarget,
    onSettled: (call: SubmittedJob) => void,
    onStream?: (stream: PayloadStream) => void,
  ): SubmittedJob {
    if (onStream !== undefined)
      return this.#accept(input, options, target, new ReadSubmission(this.#submissions, onSettled, onStream));
    const settle = (_outcome: unknown, call: SubmittedJob): void => onSettled(call);
    return this.#accept(input, options, target, new Submission(this.#submissions, settle, settle));
  }

  /**
   * Takes in a job of another runner. `owner.onEnded` is called exactly once, later or before this returns.
   * @throws RunnerStoppedError, EncodingError or QueueFullError when it cannot be taken in.
   */
  relay(relayed: RelayedJob, target: CallTarget, owner: RelayedCallOwner): RelayedCall {
    this.#checkOpen();
    const { job } = relayed.message;
    checkJobSize(job.content, this);
    const bytes = heldJobBytes(job);
    if (!this.hasRoom(bytes, target, selectorFor(relayed.route.labels))) throw this.#full(bytes);
    const submission = new Submission(this.#submissions, ignore, ignore);
    const call = new RelayedCall(
      this.#nextId++,
      relayed,
      this.#options.defaults.queueTimeout,
      this,
      target,
      submission,
    );
    call.bytes = bytes;
    submission.call = call;
    this.#submissions.push(submission);
    this.counts.submitted++;
    this.#options.onSubmit?.(call, undefined);
    call.start(owner);
    return call;
  }

  #accept(
    input: Job | Payload,
    options: ExecuteOptions | undefined,
    target: CallTarget,
    submission: Submission,
  ): SubmittedJob {
    this.#checkOpen();
    const given = this.#resolveOptions(options);
    try {
      return this.#submit(input, given, target, submission);
    } catch (error) {
      if (given.input !== undefined) closeSource(given.input, this.clock);
      throw error;
    }
  }

  #submit(input: Job | Payload, given: CallOptions, target: CallTarget, submission: Submission): SubmittedJob {
    // Options may have getters, which are user code.
    if (given !== this.#options.defaults) this.#checkOpen();
    const made = input instanceof Job ? input : (Job.adopt(input) ?? new Job(input));
    const job = this.#options.headers === undefined ? made : this.#withHeaders(made, this.#options.headers);
    checkJobSize(job.content, this);
    const resolved = job.task === undefined ? given : this.#taskSelectors.optionsFor(job.task, given);
    if (resolved.input !== undefined && resolved.verify > 1)
      throw new TypeError("execute: `input` cannot be given with `verify`: it would be read several times");
    const announced = resolved.onJobId === undefined ? undefined : this.#announce(resolved.onJobId);
    if (resolved.signal?.aborted === true) throw resolved.signal.reason ?? new AbortError("aborted", "cancelled");
    const bytes = heldJobBytes(job);
    if (!this.hasRoom(bytes, target, resolved.selector)) throw this.#full(bytes);
    const id = announced ?? this.#nextId++;
    const call =
      resolved.verify === 1
        ? new Call(id, job, resolved, this, target, submission, submission.streamFor(resolved, this))
        : new Verification(id, job, resolved, this, target, submission);
    call.bytes = bytes;
    submission.call = call;
    this.#submissions.push(submission);
    this.counts.submitted++;
    this.#options.onSubmit?.(call, resolved);
    call.start();
    return call;
  }

  /** The job with the runner's headers. They come from user code, which may stop the runner. */
  #withHeaders(job: Job, headers: () => JobHeaders | undefined): Job {
    const common = headers();
    this.#checkOpen();
    return common === undefined ? job : job.withDefaultHeaders(common);
  }

  /** Tells a job's id before it is queued. That is user code, which may stop the runner or submit another job. */
  #announce(onJobId: (jobId: string) => void): number {
    const id = this.#nextId++;
    onJobId(formatJobId(this.runnerId, id));
    this.#checkOpen();
    return id;
  }

  /** Whether a new job of so many bytes may be accepted. One that is larger than the whole limit may wait alone. */
  hasRoom(bytes: number, { scheduler }: CallTarget, selector: WorkerSelector | undefined): boolean {
    const { maxQueue, maxQueueBytes } = this.#options;
    const { queued, backoff, queuedBytes } = this.counts;
    const waiting = queued + backoff;
    if (maxQueue === 0) return waiting === 0 && scheduler.hasFreeSlot(selector);
    return waiting === 0 || (waiting < maxQueue && queuedBytes + bytes <= maxQueueBytes);
  }

  /** Whether a job of so many bytes with these options may be accepted. */
  hasRoomFor(bytes: number, options: ExecuteOptions | undefined, target: CallTarget): boolean {
    // The runner's headers are not there yet.
    const most = this.#options.headers === undefined ? bytes : bytes + MAX_HEADERS_HELD;
    // Only a runner without a queue looks at workers.
    if (this.#options.maxQueue > 0) return this.hasRoom(most, target, undefined);
    const { selector } = this.#options.defaults;
    return this.hasRoom(most, target, options?.require === undefined ? selector : selectorFor(options.require));
  }

  /** Calls `fn` once, soon after a job has stopped waiting. The returned function ends that. */
  whenRoom(fn: () => void): () => void {
    const waiting = (this.#roomWanted ??= new Set());
    waiting.add(fn);
    return () => void waiting.delete(fn);
  }

  /** A slot may be free: with `maxQueue: 0` that is what room is. */
  onServed(): void {
    if (this.#roomWanted !== undefined) this.#reportRoom(this.#roomWanted);
  }

  /** In a step of its own, as user code runs then: `map` pulls its input. Not by the clock, which a crash ends. */
  #reportRoom(waiting: ReadonlySet<() => void>): void {
    this.#roomWanted = undefined;
    void Promise.resolve().then(() => {
      for (const fn of waiting) fn();
    });
  }

  #full(bytes: number): QueueFullError {
    const { maxQueue, maxQueueBytes } = this.#options;
    const { queuedBytes } = this.counts;
    const queued = this.counts.queued + this.counts.backoff;
    const remedy = "use runner.map to submit as workers free up";
    if (maxQueue === 0)
      return new QueueFullError(`no slot is free, and no job may wait (maxQueue 0); ${remedy}`, {
        limit: "maxQueue",
        max: 0,
        queued,
        queuedBytes,
      });
    if (queued >= maxQueue)
      return new QueueFullError(`${queued} jobs wait already (maxQueue ${maxQueue}); ${remedy}`, {
        limit: "maxQueue",
        max: maxQueue,
        queued,
        queuedBytes,
      });
    const message = `jobs of ${queuedBytes} bytes wait already, and this one has ${bytes} (maxQueueBytes ${maxQueueBytes}); ${remedy}`;
    return new QueueFullError(message, { limit: "maxQueueBytes", max: maxQueueBytes, queued, queuedBytes });
  }

  /** Settles every call, or only those that have not started. */
  stop(error: (jobId: string) => unknown, reason: CancelReason, which: "all" | "not started"): void {
    // A copy: to stop one call may settle others.
    const submissions = [...this.#submissions];
    for (const { call } of submissions) {
      if (call !== undefined && (which === "all" || call.attemptsMade === 0)) call.stop(error(call.jobId), reason);
    }
  }

  /** Calls `fn` once, when no call is left: at once when there is none. */
  whenIdle(fn: () => void): void {
    if (this.#isIdle) fn();
    else this.#idle = fn;
  }

  get #isIdle(): boolean {
    return this.counts.submitted === this.counts.succeeded + this.counts.failed;
  }

  onMoved(call: SubmittedJob, from: CallState, to: CallState): void {
    this.#count(from, -1, -call.bytes);
    this.#count(to, 1, call.bytes);
    if (this.#roomWanted !== undefined && from !== "running" && from !== "new") this.#reportRoom(this.#roomWanted);
    if (to !== "settled") return;
    if (call.ok) this.counts.succeeded++;
    else this.counts.failed++;
    if (this.#options.events.wantsJobEvents) this.#reportSettled(call);
    if (this.#idle === undefined || !this.#isIdle) return;
    const idle = this.#idle;
    this.#idle = undefined;
    this.clock.endOfTurn(idle);
  }

  countAgain(kind: AttemptFailure["kind"]): void {
    if (kind === "rejected" || kind === "not-sent") this.returned++;
    else this.retries++;
  }

  onStarted(call: CallInfo, attempt: number, identity: string): void {
    this.#options.events.emit({ type: "job-started", jobId: call.jobId, attempt, identity });
  }

  onRetried(call: CallInfo, attempt: number, outcome: AttemptOutcome, after: number): void {
    const { jobId, lastWorker: identity = "" } = call;
    this.#options.events.emit({ type: "job-retried", jobId, attempt, identity, outcome, after });
  }

  #reportSettled(call: CallInfo): void {
    const { jobId, ok, error, labels, job, lastWorker: identity, attemptsMade: attempts } = call;
    const ms = this.clock.now() - call.createdAt;
    const { headers = NO_HEADERS, task } = job ?? {};
    const settled = { type: "job-settled", jobId, ok, identity, labels, task, headers, ms, attempts } as const;
    this.#options.events.emit(ok ? settled : { ...settled, error, data: job?.heldData });
  }

  #count(state: CallState, change: number, bytes: number): void {
    const { counts } = this;
    if (state === "new" || state === "settled") return;
    if (state === "running") {
      counts.running += change;
      return;
    }
    counts.queuedBytes += bytes;
    if (state === "backoff") counts.backoff += change;
    else counts.queued += change;
    if (state === "prefetched") counts.prefetched += change;
  }

  #checkOpen(): void {
    const closed = this.#options.closed?.();
    if (closed !== undefined) throw closed;
  }

  #resolveOptions(options: ExecuteOptions | undefined): CallOptions {
    if (options === undefined) return this.#options.defaults;
    return resolveCall(checkedCopy("execute", options, EXECUTE_RULES), this.#options.defaults);
  }

  get maxPayload(): number {
    return this.#options.maxPayload;
  }

  get maxAttachments(): number {
    return this.#options.maxAttachments;
  }
}
