/**
 * A job of another runner in this fleet: queued, handed to one worker, and answered. It is never tried again once it may have
 * started: the outermost runner decides. A job that has not started moves within the fleet, and is handed back when no worker
 * fits. What the outer side is told is made in ../relay.ts.
 */
import type { Attempt, AttemptFeed, AttemptOwner, AttemptSink } from "../session/attempt.ts";
import type { CallContext, CallOwner, CallState, CallTarget, SubmittedJob } from "./call-context.ts";
import { about, fleetFailed, queueTimedOut } from "./call-errors.ts";
import { checkItemLimit, checkWorkerLimit, resultFault } from "./payload-limits.ts";
import type { AsyncContext } from "../time/async-context.ts";
import type { Job } from "../job/job.ts";
import { formatJobId } from "../job/job-id.ts";
import { QueuedCall } from "./queued-call.ts";
import { selectorFor, withoutOffer } from "../pool/worker-selector.ts";
import { AbortError, type AttemptRecord, EncodingError, ExecutionError } from "../errors.ts";
import type { GoneReason } from "../events.ts";
import { joinPath, pathsBelow } from "../identifiers.ts";
import { FEATURE } from "../protocol/constants.ts";
import { withoutStacks } from "../protocol/error-details.ts";
import type {
  CancelReason,
  FailureCode,
  JobErrorMessage,
  JobFailedMessage,
  JobMessage,
  JobRoute,
} from "../protocol/message.ts";
import type { Payload } from "../peer.ts";
import type { Avoided, Waiter } from "../pool/waiter.ts";
import type { Session } from "../session/session.ts";

/** A job as it came from the outer side. */
export interface RelayedJob {
  readonly message: JobMessage;
  /** Its way, completed: the outer runner leaves out what is by default. */
  readonly route: JobRoute;
  /** Where its caller's code runs, if that is in this process. */
  readonly asyncContext?: AsyncContext | undefined;
}

/** How a relayed job failed without an answer of a handler. */
type RelayFailure = Omit<JobFailedMessage, "type" | "attemptId">;

/** What became of a relayed job. */
export type RelayedOutcome =
  | { readonly kind: "value"; readonly value: Payload; readonly path: string; readonly endsStream: boolean }
  | { readonly kind: "error"; readonly message: JobErrorMessage; readonly path: string }
  | { readonly kind: "failed"; readonly failure: RelayFailure }
  | { readonly kind: "unfit" } // not started, and no worker of this fleet fits
  | { readonly kind: "cancelled" }; // and its slot is free

/** What a relayed call calls. */
export interface RelayedCallOwner {
  /** An item of a stream has come. */
  onItem(value: Payload): void;
  /** The worker takes so many bytes of items more. */
  onCredit(bytes: number): void;
  /** The handler says how far it is. */
  onProgress(value: Payload): void;
  /** It is over. Called once. */
  onEnded(outcome: RelayedOutcome): void;
}

/** A failure in words and numbers; what is not given is none. */
export function relayFailure(code: FailureCode, text: string, more: Partial<RelayFailure> = {}): RelayFailure {
  return { code, text, path: "", limit: 0, queued: 0, queuedBytes: 0, ...more };
}

/** One relayed job, from its arrival to its answer. */
export class RelayedCall
  extends QueuedCall
  implements
    SubmittedJob,
    Waiter<Session>,
    AttemptOwner<Session>,
    AttemptSink<Session>,
    AttemptFeed<Session>,
    Avoided<Session>
{
  attemptsMade = 0;
  readonly attempts: readonly AttemptRecord[] = [];
  readonly #job: RelayedJob;
  readonly #queueTimeout: number;
  readonly #context: CallContext<SubmittedJob>;
  readonly #target: CallTarget;
  #submission: CallOwner<SubmittedJob> | undefined;
  #owner: RelayedCallOwner | undefined;
  #state: CallState = "new";
  #attempt: Attempt<Session> | undefined;

  constructor(
    id: number,
    job: RelayedJob,
    queueTimeout: number,
    context: CallContext<SubmittedJob>,
    target: CallTarget,
    submission: CallOwner<SubmittedJob>,
  ) {
    super(id, context.clock.now(), selectorFor(job.route.labels));
    this.#job = job;
    this.#queueTimeout = queueTimeout;
    this.#context = context;
    this.#target = target;
    this.#submission = submission;
  }

  /** The name it has everywhere: of the outermost runner. */
  get jobId(): string {
    return formatJobId(this.#job.route.origin, this.#job.message.jobId);
  }

  get job(): Job {
    return this.#job.message.job;
  }

  get labels(): readonly string[] {
    return this.#job.route.labels;
  }

  get asyncContext(): AsyncContext | undefined {
    return this.#job.asyncContext;
  }

  /** The workers it is to keep away from while others are free. */
  get avoid(): Avoided<Session> | undefined {
    return this.#job.route.avoid.length === 0 ? undefined : this;
  }

  has({ identity }: Session): boolean {
    return this.#job.route.avoid.some((path) => path === identity || path.startsWith(`${identity}/`));
  }

  /** Queues it, once. */
  start(owner?: RelayedCallOwner): void {
    this.#owner = owner;
    this.#enqueue(this.createdAt);
  }

  /** The outer side does not want it any more. `onEnded` follows once its slot is free. */
  cancel(reason: CancelReason): void {
    if (this.#submission === undefined) return;
    const attempt = this.#attempt;
    this.error = new AbortError(`the job is not wanted any more: ${reason}`, "cancelled", about(this));
    if (attempt === undefined) return this.#end({ kind: "cancelled" });
    attempt.session.attempts.cancel(attempt, reason);
    this.#settle();
  }

  /** This runner stops. */
  stop(error: unknown, reason: CancelReason): void {
    if (this.#submission === undefined) return;
    const attempt = this.#attempt;
    this.error = error;
    if (attempt === undefined) return this.#end({ kind: "unfit" });
    attempt.session.attempts.cancel(attempt, reason);
    const path = attempt.session.identity;
    this.#end({ kind: "failed", failure: relayFailure("lost", "the runner was stopped", { path }) });
  }

  /** Looked at once the pool is consistent, as it may be back by then. */
  hasCandidates(usable: boolean): void {
    if (!usable) this.#context.clock.endOfTurn(() => this.#returnIfUnfit());
  }

  override fire(): void {
    if (this.#state !== "queued") return;
    const ms = this.#queueTimeout;
    const { selector } = this;
    const { message } = queueTimedOut(ms, this.#target.scheduler.countMatching(selector), selector, this);
    this.#fail(relayFailure("queue", message, { limit: ms }));
  }

  take(session: Session, now: number): void {
    if (this.#submission === undefined) return this.#target.scheduler.free(session, now);
    this.lastWorker = session.identity;
    const attempt = this.#assign(session, now);
    if (attempt instanceof EncodingError) {
      this.#target.scheduler.free(session, now);
      return this.#fail(relayFailure("encoding", attempt.message));
    }
    if (attempt === undefined) {
      this.#target.scheduler.withdraw(session);
      return this.#enqueue(now);
    }
    this.#attempt = attempt;
    this.onStarted(attempt);
  }

  routeFor(session: Session, now: number): JobRoute {
    const { origin, deadline, priority, labels, avoid } = this.#job.route;
    const left = Math.max(1, deadline - (now - this.createdAt));
    if (!session.isRelay) return { origin, deadline: left, priority, labels: [], avoid: [] };
    return { origin, deadline: left, priority, labels, avoid: pathsBelow(session.identity, avoid) };
  }

  onStarted(attempt: Attempt<Session>): void {
    this.attemptsMade = 1;
    this.#setState("running");
    this.#context.timers.drop(this);
    this.#context.events?.onStarted(this, this.#job.message.attempt, attempt.session.identity);
  }

  onParked(): void {
    this.attemptsMade = 0;
    this.#setState("prefetched");
  }

  get sink(): this {
    return this;
  }

  takesItems(): number | undefined {
    return this.#job.message.credit;
  }

  get delivered(): number {
    return this.#job.message.delivered ?? 0;
  }

  get wantsProgress(): boolean {
    return this.#job.message.wantsProgress === true;
  }

  get feed(): this | undefined {
    return this.#job.message.hasInput === true ? this : undefined;
  }

  onCredit(_attempt: Attempt<Session>, bytes: number): void {
    this.#owner?.onCredit(bytes);
  }

  /** An item from the outer side, within the worker's credit. */
  onInput(value: Payload): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    try {
      checkItemLimit(value, attempt.session);
      attempt.session.attempts.sendInput(attempt, value);
    } catch (error) {
      if (!(error instanceof EncodingError)) throw error;
      attempt.session.attempts.cancel(attempt, "cancelled");
      this.#fail(relayFailure("encoding", error.message, { path: pathOf(attempt) }));
    }
  }

  /** The outer side has no more of them. */
  endInput(): void {
    const attempt = this.#attempt;
    if (attempt !== undefined) attempt.session.attempts.endInput(attempt);
  }

  /** The outer side has read items: the credit is from end to end, and nothing is kept here. */
  grant(bytes: number): void {
    const attempt = this.#attempt;
    if (attempt !== undefined) attempt.session.attempts.grant(attempt, bytes);
  }

  onItem(attempt: Attempt<Session>, value: Payload): void {
    const fault = resultFault(value, attempt.session.identity, this.#context);
    if (fault === undefined) return this.#owner?.onItem(value);
    attempt.session.attempts.cancel(attempt, "cancelled");
    this.#fail(relayFailure("encoding", fault, { path: pathOf(attempt) }));
  }

  onProgress(_attempt: Attempt<Session>, value: Payload): void {
    this.#owner?.onProgress(value);
  }

  onSucceeded(attempt: Attempt<Session>, value: Payload): void {
    const fault = resultFault(value, attempt.session.identity, this.#context);
    if (fault !== undefined) return this.#fail(relayFailure("encoding", fault, { path: pathOf(attempt) }));
    this.value = value;
    this.#end({ kind: "value", value, path: pathOf(attempt), endsStream: attempt.streams === "ended" });
  }

  onFailed(attempt: Attempt<Session>, message: JobErrorMessage): void {
    const isShown = this.#context.remoteStacks ?? attempt.session.isLocal;
    const error = isShown ? message.error : withoutStacks(message.error);
    this.error = new ExecutionError(error, about(this));
    this.#end({ kind: "error", message: { ...message, error }, path: pathOf(attempt) });
  }

  onFleetFailed(attempt: Attempt<Session>, message: JobFailedMessage): void {
    const { code, text, limit, queued, queuedBytes } = message;
    this.#fail({ code, text, limit, queued, queuedBytes, path: pathOf(attempt) });
  }

  onRejected(attempt: Attempt<Session>, reason: string): void {
    // Not to be sent there again: it waits for another worker that fits, though all of them may be busy.
    if (reason === "unfit") this.selector = withoutOffer(this.selector, attempt.session);
    if (!this.job.hasLeft) return this.#moveOn("rejected");
    const text = `handed the job back: ${reason}; its buffers are gone`;
    this.#fail(relayFailure("lost", text, { path: pathOf(attempt) }));
  }

  onLost(attempt: Attempt<Session>, reason: GoneReason, message: string): void {
    const code = reason === "unresponsive" ? "bystander" : "lost";
    this.#fail(relayFailure(code, message, { path: pathOf(attempt) }));
  }

  onNotSent(): void {
    this.#moveOn("not-sent");
  }

  onSlotFreed(attempt: Attempt<Session>, now: number): void {
    this.#target.scheduler.free(attempt.session, now);
    if (attempt.cancelled !== undefined) this.#end({ kind: "cancelled" });
  }

  /** It has not started: another worker of this fleet may have it, and that is no retry. */
  #moveOn(failure: "rejected" | "not-sent"): void {
    this.#context.countAgain(failure);
    this.#attempt = undefined;
    this.attemptsMade = 0;
    this.#enqueue(this.#context.clock.now());
  }

  #assign(session: Session, now: number): Attempt<Session> | EncodingError | undefined {
    const { attempt, jobId, ttl, job } = this.#job.message;
    // A worker that is told no origin would mix up the jobs of two callers.
    const number = session.speaks(FEATURE.relay) ? jobId : this.id;
    const left = Math.max(1, ttl - (now - this.createdAt));
    try {
      checkWorkerLimit(job.content, session, this.#context.maxPayload);
      return session.attempts.assign(this, job, number, attempt, left, now);
    } catch (cause) {
      return cause instanceof EncodingError ? cause : new EncodingError("the job's data cannot be sent", -1, { cause });
    }
  }

  #enqueue(now: number): void {
    const { scheduler } = this.#target;
    this.#setState("queued");
    if (!scheduler.hasCandidate(this.selector)) return this.#end({ kind: "unfit" });
    if (this.#queueTimeout !== Number.POSITIVE_INFINITY)
      this.#context.timers.set(this, Math.max(0, this.createdAt + this.#queueTimeout - now), now);
    scheduler.wait(this, now);
  }

  #returnIfUnfit(): void {
    if (this.list !== undefined && !this.#target.scheduler.hasCandidate(this.selector)) this.#end({ kind: "unfit" });
  }

  #setState(state: CallState): void {
    const from = this.#state;
    this.#state = state;
    if (from !== state) this.#context.onMoved(this, from, state);
  }

  #fail(failure: RelayFailure): void {
    this.error = fleetFailed(failure, this);
    this.#end({ kind: "failed", failure });
  }

  #end(outcome: RelayedOutcome): void {
    const owner = this.#owner;
    this.#owner = undefined;
    this.#settle();
    owner?.onEnded(outcome);
  }

  /** For this runner it is over, though the slot of a cancelled job may be in use. */
  #settle(): void {
    const submission = this.#submission;
    if (submission === undefined) return;
    this.#submission = undefined;
    if (this.list !== undefined) this.#target.scheduler.leave(this);
    this.#context.timers.drop(this);
    this.error ??= this.ok
      ? undefined
      : new AbortError("handed back: no worker of this fleet fits", "cancelled", about(this));
    this.#setState("settled");
    submission.onSettled(this);
  }
}

function pathOf(attempt: Attempt<Session>): string {
  return joinPath(attempt.session.identity, attempt.path);
}
