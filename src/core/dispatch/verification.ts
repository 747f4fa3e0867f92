/**
 * One `execute()` with `verify`: the same job on workers of several principals, and their answers compared (a quorum, as in
 * BOINC). Made of calls that run one after the other, each kept from the principals that have answered. For the dispatcher they
 * are one job. How one of them runs is in call.ts.
 */
import type { AbortListeners } from "../async/abort-listeners.ts";
import type { CallOptions } from "./call-options.ts";
import { Call } from "./call.ts";
import type { CallContext, CallOwner, CallEvents, CallState, CallTarget, SubmittedJob } from "./call-context.ts";
import { verifiedOnLease, tooFewPrincipals } from "./call-errors.ts";
import type { Clock, Random } from "../time/clock.ts";
import type { TimerQueue } from "../time/timer-queue.ts";
import { WorkerSelector } from "../pool/worker-selector.ts";
import { type AttemptRecord, NoWorkerError, TimeoutError, VerificationError, type WorkerAnswer } from "../errors.ts";
import { heldPayloadBytes } from "../job/held-bytes.ts";
import type { Job } from "../job/job.ts";
import type { CancelReason } from "../protocol/message.ts";
import type { Payload } from "../peer.ts";
import type { RetryThrottle } from "./retry.ts";

/** Whether two payloads are the same: the same kind, and the same content. */
export function samePayload(one: Payload, other: Payload): boolean {
  if (typeof one === "string" || typeof other === "string") return one === other;
  return one.length === other.length && one.every((byte, target) => byte === other[target]);
}

/** One job that several have to agree on. To its calls it is the desk, and the end of each. */
export class Verification implements SubmittedJob, CallContext<Call>, CallOwner<Call> {
  /** Of the job, once, and of the answers it holds. */
  bytes = 0;
  readonly id: number;
  readonly createdAt: number;
  value: Payload | undefined;
  error: unknown;
  readonly #job: Job;
  readonly #options: CallOptions;
  readonly #context: CallContext<SubmittedJob>;
  readonly #target: CallTarget;
  #end: CallOwner<SubmittedJob> | undefined;
  /** The call that runs now; the last one, once it has settled. */
  #run: Call;
  /** Where that stood before it settled. */
  #left: CallState = "new";
  /** Attempts of the calls before it. */
  earlier: readonly AttemptRecord[] = [];
  #madeEarlier = 0;
  readonly #answers: WorkerAnswer[] = [];

  constructor(
    id: number,
    job: Job,
    options: CallOptions,
    context: CallContext<SubmittedJob>,
    target: CallTarget,
    end: CallOwner<SubmittedJob>,
  ) {
    this.id = id;
    this.#job = job;
    this.#options = options;
    this.#context = context;
    this.#target = target;
    this.#end = end;
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

  get data(): Payload {
    return this.#job.data;
  }

  start(): void {
    const { failFast, verify } = this.#options;
    if (this.#end === undefined) return;
    // Nothing is begun that could only wait in vain.
    if (this.#target.pinned) this.#fail(verifiedOnLease(verify));
    else if (failFast && this.#principals().size < verify) this.#fail(this.#tooFew());
    else this.#run.start();
  }

  stop(error: unknown, reason: CancelReason): void {
    // One that failed before it began has a call that never settles.
    if (this.#end !== undefined) this.#run.stop(error, reason);
  }

  /** One of its calls has settled. */
  onSettled(run: Call): void {
    const { value, answeredBy: winner } = run;
    if (value === undefined || winner === undefined) return this.#fail(this.#reasonOf(run.error));
    const { identity, peer } = winner;
    const [first] = this.#answers;
    const agrees = first !== undefined && samePayload(first.value, value);
    this.#answers.push({ identity, principal: peer.principal, value: agrees ? first.value : value });
    if (this.#answers.length === this.#options.verify) return this.#compare();
    this.earlier = this.attempts;
    this.#madeEarlier = this.attemptsMade;
    this.#run = this.#nextRun(run);
    this.#context.onMoved(this, this.#left, "new");
    if (!agrees) this.bytes += heldPayloadBytes(value);
    this.#run.start(this.#context.clock.now());
  }

  onMoved(_run: Call, from: CallState, to: CallState): void {
    // What follows the end of one call is known only when it has told all of it.
    if (to === "settled") this.#left = from;
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

  get remoteStacks(): boolean {
    return this.#context.remoteStacks;
  }

  get trouble(): Error | undefined {
    return this.#context.trouble;
  }

  get events(): CallEvents | undefined {
    return this.#context.events;
  }

  get retries(): number {
    return this.#context.retries;
  }

  set retries(retries: number) {
    this.#context.retries = retries;
  }

  checkSize(job: Job): void {
    this.#context.checkSize(job);
  }

  #nextRun(before?: Call): Call {
    const { require, selector } = this.#options;
    const except = new Set(this.#answers.map(({ principal }) => principal));
    const options = { ...this.#options, selector: except.size === 0 ? selector : new WorkerSelector(require, except) };
    const run = new Call(this.id, this.#job, options, this, this.#target, this);
    // It is still the same job, and keeps its place in the queue.
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
    this.#fail(new VerificationError(message, this.#answers, { attempts: this.attempts }));
  }

  /** Nobody there who could take it, and nobody of another principal, is one thing to who asked for several. */
  #reasonOf(error: unknown): unknown {
    const nobody = error instanceof NoWorkerError || (error instanceof TimeoutError && error.kind === "acquire");
    return nobody && this.#principals().size < this.#options.verify ? this.#tooFew(error) : error;
  }

  #principals(): Set<string> {
    return new Set(this.#target.scheduler.matching(this.#options.selector).map(({ peer }) => peer.principal));
  }

  #tooFew(cause?: unknown): NoWorkerError {
    const { verify, require } = this.#options;
    return tooFewPrincipals(verify, this.#principals().size, require, this.attempts, cause);
  }

  #fail(error: unknown): void {
    this.error = error;
    this.#settle();
  }

  #settle(): void {
    const end = this.#end;
    this.#end = undefined;
    this.#context.onMoved(this, this.#left, "settled");
    end?.onSettled(this);
  }
}
