/**
 * One `execute()` from its queueing to its settlement: a state machine that is given time, slots and answers, and settles
 * exactly once. What a failure means is decided in retry.ts; which worker it gets, in scheduler.ts.
 */
import type { AsyncContext } from "../time/async-context.ts";
import type { Abortable } from "../async/abort-listeners.ts";
import type { Attempt, AttemptOwner, AttemptSink } from "../session/attempt.ts";
import {
  about,
  acquireTimedOut,
  attemptTimedOut,
  deadlinePassed,
  fleetFailed,
  handlerFailed,
  noWorker,
  queueTimedOut,
  unfitLease,
  unsendable,
  workerLost,
} from "./call-errors.ts";
import type { CallOptions } from "./call-options.ts";
import { MAX_DURATION } from "../time/clock.ts";
import type { CallContext, CallOwner, CallState, CallTarget, SubmittedJob } from "./call-context.ts";
import { withoutOffer } from "../pool/worker-selector.ts";
import { AbortError, type AttemptOutcome, type AttemptRecord, EncodingError } from "../errors.ts";
import type { GoneReason } from "../events.ts";
import type { Job } from "../job/job.ts";
import { wholePayload } from "../job/holed-bytes.ts";
import { formatJobId } from "../job/job-id.ts";
import type { CancelReason, JobErrorMessage, JobFailedMessage, JobRoute, RejectReason } from "../protocol/message.ts";
import { joinPath } from "../identifiers.ts";
import { firstRoute } from "./job-route.ts";
import type { Payload } from "../peer.ts";
import { type FedCall, InputFeed } from "./input-feed.ts";
import { type AttemptFailure, nextRetryDelay } from "./retry.ts";
import type { Session } from "../session/session.ts";
import { answerRecord, AttemptRecords } from "./attempt-records.ts";
import { ProgressSink } from "./progress-sink.ts";
import { QueuedCall } from "./queued-call.ts";
import type { ResultStream, StreamedCall } from "./result-stream.ts";
import { checkSendable, resultFault, unsentResult } from "./payload-limits.ts";
import type { Waiter } from "../pool/waiter.ts";

/** One `execute()` or `open()`. */
export class Call
  extends QueuedCall
  implements SubmittedJob, Waiter<Session>, AttemptOwner<Session>, Abortable, StreamedCall, FedCall
{
  /** Sessions that had this job. Weak: the job may outlive them by far. */
  avoid: WeakSet<Session> | undefined;
  readonly sink: AttemptSink<Session> | undefined;
  readonly feed: InputFeed | undefined;
  readonly #stream: ResultStream | undefined;
  readonly asyncContext: AsyncContext | undefined;
  readonly #context: CallContext<Call>;
  readonly #target: CallTarget;
  readonly #options: CallOptions;
  #job: Job | undefined;
  #owner: CallOwner<Call> | undefined;
  #state: CallState = "new";
  #attempt: Attempt<Session> | undefined;
  #since = 0;
  /** `undefined` while there are workers. */
  #acquireBy: number | undefined;
  /** When this wait in the queue began, if it is limited; `undefined` before it begins. */
  #waitsSince: number | undefined;
  /** Attempts that failed; made by the first one, as most jobs have none. */
  #failures: AttemptRecords | undefined;
  /** The session that answered with a value. Then `#since` is the duration in ms, and `attempts` has a record of it. */
  answeredBy: Session | undefined;
  /** Where in that session's fleet it ran. */
  #answerPath: string | undefined;
  /** When a relay first handed it back because no worker of its fleet fits, and no other worker was left that may fit. */
  #unfitSince: number | undefined;
  #made = 0;
  #lost = 0;
  #rejected = 0;

  constructor(
    id: number,
    job: Job,
    options: CallOptions,
    context: CallContext<Call>,
    target: CallTarget,
    owner: CallOwner<Call>,
    stream?: ResultStream,
  ) {
    super(id, context.clock.now(), options.selector);
    this.#job = job;
    this.#options = options;
    this.#context = context;
    this.#target = target;
    this.#owner = owner;
    this.#stream = stream;
    if (stream !== undefined) stream.call = this;
    this.sink = stream ?? (options.onProgress && new ProgressSink(options.onProgress, context.clock));
    this.asyncContext = context.captureAsyncContext?.();
    this.feed = options.input && new InputFeed(options.input, context.clock, this);
  }

  /** Whether no other worker can have it: it is for a leased one, or its buffers are with the one that has it. */
  get isPinned(): boolean {
    return this.#target.pinned || this.#job?.hasLeft === true;
  }

  get isWaiting(): boolean {
    return this.#state === "queued" || this.#state === "prefetched";
  }

  /** What was tried so far. */
  get attempts(): AttemptRecord[] {
    const failures = [...(this.#context.earlier ?? []), ...(this.#failures?.list() ?? [])];
    if (this.answeredBy === undefined) return failures;
    return [...failures, answerRecord(this.answeredBy.identity, this.#answerPath, this.#since)];
  }

  get jobId(): string {
    return formatJobId(this.#context.runnerId, this.id);
  }

  get job(): Job | undefined {
    return this.#job;
  }

  get labels(): readonly string[] {
    return this.#options.require;
  }

  /** Attempts that count: those whose handler may have started. */
  get attemptsMade(): number {
    return this.#made;
  }

  /** Queues it, once. `now`: the clock's time. */
  start(now: number = this.createdAt): void {
    // The `onSubmit` hook runs before this, and may have stopped it.
    if (this.#owner === undefined) return;
    if (this.#options.signal !== undefined) this.#context.aborts.watch(this.#options.signal, this);
    this.#enqueue(now);
  }

  get #expires(): number {
    return this.createdAt + this.#options.deadline;
  }

  /** Whether losing an attempt would cost the job no more than another attempt: then it may wait at a worker. */
  get mayPrefetch(): boolean {
    return this.#failures === undefined && this.#options.attempts > 1 && this.#options.maxLost > 1;
  }

  /** Ends it from outside, whatever it does. */
  stop(error: unknown, reason: CancelReason): void {
    this.#giveUp(reason, () => error);
  }

  #giveUp(reason: CancelReason, error: () => unknown): void {
    if (this.#state === "settled") return;
    this.#stream?.restart();
    this.#cancelAttempt("cancelled", reason);
    this.#fail(error());
  }

  hasCandidates(usable: boolean): void {
    const now = this.#context.clock.now();
    this.#acquireBy = usable ? undefined : now + this.#options.acquireTimeout;
    this.#setWaitTimer(now);
    // The pool may not be changed now.
    if (!usable && this.#isPicky) this.#context.clock.endOfTurn(() => this.#onNoneLeft());
  }

  aborted(reason: unknown): void {
    this.#giveUp("cancelled", () => reason ?? new AbortError("aborted", "cancelled", about(this)));
  }

  onResumed(now: number): void {
    if (this.#state === "running") this.#setTimer(Math.min(this.#options.timeout, this.#expires - now), now);
  }

  override fire(): void {
    const now = this.#context.clock.now();
    if (now >= this.#expires) return this.#expire();
    if (this.#state === "running") {
      const since = this.#stream?.quietSince(this.#since) ?? this.#since;
      const left = (this.feed?.quietSince(since) ?? since) + this.#options.timeout - now;
      return left > 0 ? this.#setTimer(Math.min(left, this.#expires - now), now) : this.#attemptTimedOut();
    }
    if (now >= this.#waitingUntil()) return this.#waitedTooLong(now);
    if (this.#state === "backoff") return this.#enqueue(now);
    this.#setWaitTimer(now);
  }

  take(session: Session, now: number): void {
    const job = this.#job;
    if (job === undefined) return this.#target.scheduler.free(session, now);
    if (now >= this.#expires) {
      this.#target.scheduler.free(session, now);
      return this.#expire();
    }
    this.lastWorker = session.identity;
    const ttl = Math.min(this.#options.timeout, this.#expires - now);
    const attempt = this.#assign(session, job, ttl, now);
    if (attempt instanceof EncodingError) {
      this.#target.scheduler.free(session, now);
      return this.#fail(attempt);
    }
    if (attempt === undefined) {
      // The session can take no job any more. With its slot freed, it would be chosen again for ever. A pinned call is not tried
      // again, and those that wait behind it have no other session: the slot goes on to them, and each fails in its turn.
      if (this.#target.pinned) this.#target.scheduler.free(session, now);
      else this.#target.scheduler.withdraw(session);
      return this.#failed({ kind: "not-sent" }, () => this.#lostError(session, "is gone"));
    }
    this.#attempt = attempt;
    if (!attempt.waits) return this.onStarted(attempt, now);
    this.#setState("prefetched");
    // It waits at the worker, so the queue's limits hold. A call that was never queued has no timer yet.
    if (this.due === Number.POSITIVE_INFINITY) this.#setWaitTimer(now);
  }

  onStarted(attempt: Attempt<Session>, now: number): void {
    const { timeout } = this.#options;
    this.#made++;
    this.#since = now;
    this.#setState("running");
    this.#setTimer(Math.min(timeout, this.#expires - now), now);
    this.#context.events?.onStarted(this, this.#made, attempt.session.identity);
  }

  onParked(_attempt: Attempt<Session>, now: number): void {
    this.#made--;
    this.#setState("prefetched");
    // The queue's limits hold again, from where it came to the worker.
    this.#setWaitTimer(now);
  }

  /** The caller may have resized or transferred the bytes since: that fails this job and no other. */
  #assign(session: Session, job: Job, ttl: number, now: number): Attempt<Session> | EncodingError | undefined {
    try {
      checkSendable(job.content, session, this.#context);
      return session.attempts.assign(this, job, this.id, this.#made + 1, ttl, now);
    } catch (cause) {
      return unsendable(cause, this);
    }
  }

  onSucceeded(attempt: Attempt<Session>, value: Payload, now: number): void {
    const fault = resultFault(value, attempt.session.identity, this.#context);
    if (fault !== undefined) return this.onUnusable(fault);
    this.#attempt = undefined;
    this.answeredBy = attempt.session;
    this.#answerPath = attempt.path;
    this.#since = now - this.#since;
    this.#context.throttle.refill();
    this.endsStream = attempt.streams === "ended";
    this.value = this.#job?.takesHoles === true ? value : wholePayload(value);
    this.#settle();
  }

  /** The worker did the job, and gave what no caller may get. */
  onUnusable(fault: string): void {
    this.#record("error");
    this.#failed({ kind: "error", retryable: false, retryAfter: 0 }, () => new EncodingError(fault, -1, about(this)));
  }

  onFailed({ session, path }: Attempt<Session>, message: JobErrorMessage): void {
    this.#record("error");
    const { retryable, retryAfter } = message;
    const fault = unsentResult(message.error, joinPath(session.identity, path));
    if (fault !== undefined) return this.onUnusable(fault);
    const isShown = this.#context.remoteStacks ?? session.isLocal;
    this.#failed({ kind: "error", retryable, retryAfter }, () => handlerFailed(message.error, isShown, this));
  }

  onRejected({ session }: Attempt<Session>, reason: RejectReason): void {
    const isUnfit = reason === "unfit";
    if (this.#state !== "prefetched") this.#made--;
    else if (isUnfit) this.#since = this.#context.clock.now();
    else return this.#onReturned();
    if (reason === "recalled") return this.#onReturned();
    this.#record("rejected");
    this.#rejected++;
    const hasOther = isUnfit && this.#keepFrom(session);
    if (isUnfit && !hasOther && this.#options.failFast) return this.#fail(noWorker(this, this.#context.trouble));
    const text = `handed the job back: ${reason}`;
    this.#failed({ kind: "rejected", reason, hasOther }, () => this.#lostError(session, text));
  }

  /** A relay has no worker for it. Whether another worker may have: it waits for that, though all of them may be busy. */
  #keepFrom(session: Session): boolean {
    this.selector = withoutOffer(this.selector, session);
    if (this.#target.scheduler.hasCandidate(this.selector)) return true;
    this.#askAll();
    return false;
  }

  /** Whether it keeps away from relays that its labels match. */
  get #isPicky(): boolean {
    return this.selector !== this.#options.selector;
  }

  /** No worker is left that may fit: the fleet behind a relay may have changed, so that each is asked again. */
  #askAll(): void {
    this.selector = this.#options.selector;
    this.#unfitSince ??= this.#context.clock.now();
  }

  #onNoneLeft(): void {
    const { scheduler } = this.#target;
    if (!this.#isPicky || scheduler.hasCandidate(this.selector) || !scheduler.leave(this)) return;
    this.#askAll();
    this.#enqueue();
  }

  /** The worker returned the job before it began: the call is queued again with its old sequence number. */
  #onReturned(): void {
    this.#attempt = undefined;
    // The timer may be that of a running attempt: a queued call has other limits.
    this.#context.timers.drop(this);
    this.#enqueue();
  }

  onFleetFailed(attempt: Attempt<Session>, message: JobFailedMessage): void {
    if (message.code === "lost") return this.onLost(attempt, "closed", message.text);
    if (message.code === "bystander") return this.onLost(attempt, "unresponsive", message.text);
    // The job has not started. The limit is the fleet's, as if it were this runner's own: it is not tried again.
    this.#record("rejected");
    this.#made--;
    this.#fail(fleetFailed(message, this));
  }

  routeFor({ isRelay, identity }: Session, now: number): JobRoute | undefined {
    if (!isRelay) return undefined;
    const job = { origin: this.#context.runnerId, deadline: this.#expires - now, labels: this.selector?.labels ?? [] };
    return firstRoute(identity, job, this.#failures?.identities ?? []);
  }

  onLost(attempt: Attempt<Session>, reason: GoneReason, message: string, cause?: unknown): void {
    // Only the worker knows whether a prefetched job had begun.
    if (this.#state === "prefetched") {
      this.#made++;
      this.#since = this.#context.clock.now();
    }
    this.#record("lost");
    // Another job's handler is why the session ended: this one did not kill its worker.
    if (reason !== "unresponsive") this.#lost++;
    const text = `was lost with the job in flight: ${reason}, ${message}`;
    this.#failed({ kind: "lost" }, () => this.#lostError(attempt.session, text, attempt.path, cause));
  }

  onNotSent(attempt: Attempt<Session>): void {
    if (this.#state === "prefetched") return this.#onReturned();
    this.#record("not-sent");
    this.#made--;
    this.#failed({ kind: "not-sent" }, () => this.#lostError(attempt.session, "went before the job was sent"));
  }

  onSlotFreed(attempt: Attempt<Session>, now: number): void {
    this.#target.scheduler.free(attempt.session, now);
  }

  #enqueue(now: number = this.#context.clock.now()): void {
    const { scheduler } = this.#target;
    const { failFast, queueTimeout, acquireTimeout } = this.#options;
    const { selector } = this;
    this.#setState("queued");
    const isImpatient = failFast || this.#target.pinned;
    if (isImpatient && !scheduler.hasCandidate(selector) && scheduler.countMatching(selector) === 0) {
      return this.#fail(this.#target.pinned ? unfitLease(selector, this) : noWorker(this, this.#context.trouble));
    }
    if (queueTimeout !== Number.POSITIVE_INFINITY) this.#waitsSince ??= now;
    this.#acquireBy = undefined;
    scheduler.wait(this, now);
    if (this.list === undefined) return;
    if (!scheduler.hasCandidate(selector)) this.#acquireBy = now + acquireTimeout;
    this.#setWaitTimer(now);
  }

  /** When the wait in the queue is over. A job that was returned before it began is still in the same wait. */
  #waitingUntil(): number {
    const queued = (this.#waitsSince ?? Number.POSITIVE_INFINITY) + this.#options.queueTimeout;
    const unfitSince = this.#isPicky ? undefined : this.#unfitSince;
    const unfit = (unfitSince ?? Number.POSITIVE_INFINITY) + this.#options.acquireTimeout;
    return Math.min(this.#acquireBy ?? Number.POSITIVE_INFINITY, unfit, queued);
  }

  #setWaitTimer(now: number): void {
    this.#setTimer(Math.min(this.#expires, this.#waitingUntil()) - now, now);
  }

  /** Sets a timer even without a limit: a call that has not settled keeps the process alive. */
  #setTimer(delay: number, now: number): void {
    this.#context.timers.set(this, Math.max(0, Math.min(delay, MAX_DURATION)), now);
  }

  #waitedTooLong(now: number): void {
    const { acquireTimeout, queueTimeout, selector } = this.#options;
    // The job may be prefetched to a worker.
    this.#cancelAttempt("cancelled", "cancelled");
    const isUnfit = !this.#isPicky && this.#unfitSince !== undefined && now >= this.#unfitSince + acquireTimeout;
    if (isUnfit || (this.#acquireBy !== undefined && now >= this.#acquireBy))
      return this.#fail(acquireTimedOut(acquireTimeout, selector, this, this.#context.trouble));
    this.#fail(queueTimedOut(queueTimeout, this.#target.scheduler.countMatching(selector), selector, this));
  }

  #attemptTimedOut(): void {
    const { timeout } = this.#options;
    const { identity = "" } = this.#attempt?.session ?? {};
    this.#cancelAttempt("timeout", "timeout");
    const did = this.#stream?.hasBegun === true ? "sent nothing for" : "took";
    this.#failed({ kind: "timeout" }, () => attemptTimedOut(timeout, this.#made, identity, did, this));
  }

  #expire(): void {
    this.#giveUp("deadline", () => deadlinePassed(this.#options.deadline, this));
  }

  /** Cancels the attempt in flight, if any: its answer no longer counts, its slot is in use until the worker confirms. */
  #cancelAttempt(outcome: AttemptOutcome, reason: CancelReason): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    if (this.#state === "running") this.#record(outcome);
    this.#attempt = undefined;
    attempt.session.attempts.cancel(attempt, reason);
  }

  #record(outcome: AttemptOutcome): void {
    const { session, path } = this.#attempt ?? {};
    this.#attempt = undefined;
    if (session === undefined) return;
    const ms = this.#context.clock.now() - this.#since;
    (this.#failures ??= new AttemptRecords()).add(session.identity, path, outcome, ms);
    if (!this.#target.pinned) (this.avoid ??= new WeakSet()).add(session);
  }

  #failed(failure: AttemptFailure, error: () => unknown): void {
    this.#acquireBy = undefined;
    if (failure.kind !== "rejected" && failure.kind !== "not-sent") {
      this.#waitsSince = undefined;
      this.#unfitSince = undefined;
    }
    const now = this.#context.clock.now();
    const history = { made: this.#made, lost: this.#lost, rejected: this.#rejected, left: this.#expires - now };
    // A leased worker is tried again only with what it had no room for: that has not started.
    const isOver =
      this.#stream?.isCommitted === true ||
      this.feed?.isSpent === true ||
      this.#job?.hasLeft === true ||
      (this.#target.pinned && !(failure.kind === "rejected" && failure.reason === "overloaded"));
    const after = isOver
      ? undefined
      : nextRetryDelay(failure, history, this.#options, this.#context.throttle, this.#context.random);
    if (after === undefined) return this.#fail(error());
    this.#stream?.restart();
    this.feed?.leave();
    this.#context.events?.onRetried(this, this.#made, failure.kind, after);
    this.#context.countAgain(failure.kind);
    if (after === 0) return this.#enqueue();
    this.#setState("backoff");
    this.#setTimer(Math.min(after, this.#expires - now, this.#waitingUntil() - now), now);
  }

  #fail(error: unknown): void {
    this.error = error;
    this.#settle();
  }

  /** Settles once: every timer, listener and reference goes in the same step. */
  #settle(): void {
    const owner = this.#owner;
    if (owner === undefined) return;
    if (this.list !== undefined) this.#target.scheduler.leave(this);
    if (this.#options.signal !== undefined) this.#context.aborts.forget(this.#options.signal, this);
    this.feed?.end();
    this.#context.timers.drop(this);
    this.#setState("settled");
    this.#owner = undefined;
    this.#job = undefined;
    this.avoid = undefined;
    owner.onSettled(this);
  }

  #setState(state: CallState): void {
    this.#context.onMoved(this, this.#state, state);
    this.#state = state;
  }

  #lostError({ identity }: Session, text: string, path?: string, cause?: unknown): Error {
    return workerLost(joinPath(identity, path), text, this, cause);
  }
}
