/**
 * One `execute()` with `verify`: the same job on workers of several principals, and their answers compared (a quorum, as in
 * BOINC). Made of calls that run one after the other, each kept from the principals that have answered. For the dispatcher they
 * are one job. How one of them runs is in call.ts.
 */
import type { AbortListeners } from "../async/abort-listeners.ts";
import type { CallOptions } from "./call-options.ts";
import { Call } from "./call.ts";
import type { CallContext, CallOwner, CallEvents, CallState, CallTarget, SubmittedJob } from "./call-context.ts";
import { about, verifiedOnLease, tooFewPrincipals } from "./call-errors.ts";
import type { Clock, Random } from "../time/clock.ts";
import type { TimerQueue } from "../time/timer-queue.ts";
import { WorkerSelector } from "../pool/worker-selector.ts";
import { type AttemptRecord, NoWorkerError, TimeoutError, VerificationError, type WorkerAnswer } from "../errors.ts";
import { heldPayloadBytes } from "../job/held-bytes.ts";
import { wholePayload } from "../job/holed-bytes.ts";
import type { Job } from "../job/job.ts";
import { formatJobId } from "../job/job-id.ts";
import type { CancelReason } from "../protocol/message.ts";
import type { Payload } from "../peer.ts";
import type { AttemptFailure, RetryThrottle } from "./retry.ts";

/** Whether two payloads are the same: the same kind, and the same content. */
export function samePayload(one: Payload, other: Payload): boolean {
  if (typeof one === "string" || typeof other === "string") return one === other;
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

/** Whether two results of a job mean the same. A typed task's are values, whose keys may come in any order. */
function sameResult({ canonical }: Job, one: Payload, other: Payload): boolean {
  if (samePayload(one, other)) return true;
  if (canonical === undefined || typeof one === "string" || typeof other === "string") return false;
  try {
    return samePayload(canonical(one), canonical(other));
  } catch {
    return false; // a worker has lied, or has a bug
  }
}

/** One job that several principals have to agree on. It is the context and the owner of its calls. */
export class Verification implements SubmittedJob, CallContext<Call>, CallOwner<Call> {
  /** Bytes of the job, once, and of its answers. */
  bytes = 0;
  readonly id: number;
  readonly createdAt: number;
  value: Payload | undefined;
  error: unknown;
  readonly #job: Job;
  readonly #options: CallOptions;
  readonly #context: CallContext<SubmittedJob>;
  readonly #target: CallTarget;
  #owner: CallOwner<SubmittedJob> | undefined;
  /** The current call; the last one, once all have settled. */
  #run: Call;
  /** The state of the current call before it settled. */
  #lastState: CallState = "new";
  /** Attempts of the calls before the current one. */
  earlier: readonly AttemptRecord[] = [];
  #madeEarlier = 0;
  readonly #answers: WorkerAnswer[] = [];

  constructor(
    id: number,
    job: Job,
    options: CallOptions,
    context: CallContext<SubmittedJob>,
    target: CallTarget,
    owner: CallOwner<SubmittedJob>,
  ) {
    this.id = id;
    this.#job = job;
    this.#options = options;
    this.#context = context;
    this.#target = target;
    this.#owner = owner;
    this.createdAt = context.clock.now();
    this.#run = this.#nextRun();
  }

  get attempts(): readonly AttemptRecord[] {
    return this.#run.attempts;
  }

  /** Attempts that count, of all calls. */
  get attemptsMade(): number {
    return this.#madeEarlier + this.#run.attemptsMade;
  }

  get ok(): boolean {
    return this.value !== undefined;
  }

  get jobId(): string {
    return formatJobId(this.#context.runnerId, this.id);
  }

  get job(): Job {
    return this.#job;
  }

  get labels(): readonly string[] {
    return this.#options.require;
  }

  get lastWorker(): string | undefined {
    return this.#run.lastWorker;
  }

  start(): void {
    const { failFast, verify } = this.#options;
    if (this.#owner === undefined) return;
    // Fail first what cannot succeed.
    if (this.#target.pinned) this.#fail(verifiedOnLease(verify, this));
    else if (failFast && this.#principals().size < verify) this.#fail(this.#tooFew());
    else this.#run.start();
  }

  stop(error: unknown, reason: CancelReason): void {
    // After a failure in `start`, the current call never settles.
    if (this.#owner !== undefined) this.#run.stop(error, reason);
  }

  /** One of its calls has settled. */
  onSettled(run: Call): void {
    const { answeredBy: winner } = run;
    if (run.value === undefined || winner === undefined) return this.#fail(this.#reasonOf(run.error));
    const value = wholePayload(run.value);
    const { identity, peer } = winner;
    const [first] = this.#answers;
    const agrees = first !== undefined && sameResult(this.#job, first.value, value);
    this.#answers.push({ identity, principal: peer.principal, value: agrees ? first.value : value });
    if (this.#answers.length === this.#options.verify) return this.#compare();
    this.earlier = this.attempts;
    this.#madeEarlier = this.attemptsMade;
    this.#run = this.#nextRun(run);
    this.#context.onMoved(this, this.#lastState, "new");
    if (!agrees) this.bytes += heldPayloadBytes(value);
    this.#run.start(this.#context.clock.now());
  }

  onMoved(_run: Call, from: CallState, to: CallState): void {
    // What follows the end of a call is decided in `onSettled`.
    if (to === "settled") this.#lastState = from;
    else this.#context.onMoved(this, from, to);
  }

  get clock(): Clock {
    return this.#context.clock;
  }

  get random(): Random {
    return this.#context.random;
  }

  get timers(): TimerQueue {
    return this.#context.timers;
  }

  get aborts(): AbortListeners {
    return this.#context.aborts;
  }

  get throttle(): RetryThrottle {
    return this.#context.throttle;
  }

  get runnerId(): string {
    return this.#context.runnerId;
  }

  get remoteStacks(): boolean | undefined {
    return this.#context.remoteStacks;
  }

  get trouble(): Error | undefined {
    return this.#context.trouble;
  }

  get events(): CallEvents | undefined {
    return this.#context.events;
  }

  countAgain(kind: AttemptFailure["kind"]): void {
    this.#context.countAgain(kind);
  }

  get maxPayload(): number {
    return this.#context.maxPayload;
  }

  get maxAttachments(): number {
    return this.#context.maxAttachments;
  }

  #nextRun(before?: Call): Call {
    const { selector } = this.#options;
    const excluded = new Set(this.#answers.map(({ principal }) => principal));
    const options = {
      ...this.#options,
      selector: excluded.size === 0 ? selector : new WorkerSelector(selector?.labels ?? [], excluded),
    };
    const run = new Call(this.id, this.#job, options, this, this.#target, this);
    // It is the same job: it keeps its sequence number.
    run.createdAt = this.createdAt;
    run.sequence = before?.sequence ?? 0;
    return run;
  }

  #compare(): void {
    const [first] = this.#answers;
    const different = new Set(this.#answers.map(({ value }) => value)).size;
    if (first !== undefined && different === 1) {
      this.value = first.value;
      return this.#settle();
    }
    const message = `${this.#answers.length} workers of different principals did not give the same`;
    this.#fail(new VerificationError(message, this.#answers, about(this)));
  }

  /** A missing worker and a missing principal are one error for a call with `verify`. */
  #reasonOf(error: unknown): unknown {
    const hasNoWorker = error instanceof NoWorkerError || (error instanceof TimeoutError && error.kind === "acquire");
    return hasNoWorker && this.#principals().size < this.#options.verify ? this.#tooFew(error) : error;
  }

  #principals(): Set<string> {
    return new Set(this.#target.scheduler.matching(this.#options.selector).map(({ peer }) => peer.principal));
  }

  #tooFew(cause?: unknown): NoWorkerError {
    const { verify, require } = this.#options;
    return tooFewPrincipals(verify, this.#principals().size, require, this, cause);
  }

  #fail(error: unknown): void {
    this.error = error;
    this.#settle();
  }

  #settle(): void {
    const owner = this.#owner;
    this.#owner = undefined;
    this.#context.onMoved(this, this.#lastState, "settled");
    owner?.onSettled(this);
  }
}
