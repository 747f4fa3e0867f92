/**
 * One `execute()` from its queueing to its settlement: a state machine of its own, told of time, slots and answers, and
 * settled exactly once. What the failures mean is decided in retry.ts; the slots belong to workers.ts.
 */
import type { Abortable } from "./abort-index.ts";
import type { Attempt, AttemptOwner } from "./attempt.ts";
import { Deadline } from "./clock.ts";
import type { CallDesk, CallState } from "./call-desk.ts";
import {
  AbortError,
  type AttemptOutcome,
  type AttemptRecord,
  EncodingError,
  ExecutionError,
  NoWorkerError,
  TimeoutError,
  WorkerLostError,
} from "./errors.ts";
import type { GoneReason } from "./events.ts";
import type { CallOptions } from "./execute-options.ts";
import type { Job } from "./job.ts";
import type { CancelReason, JobErrorMessage, Payload, RejectReason } from "./message.ts";
import { MAX_DURATION } from "./options.ts";
import { type Failure, nextTry } from "./retry.ts";
import type { Session } from "./session.ts";
import type { Waiter, Workers } from "./workers.ts";

/** Who runs it: any worker of the fleet, or the one that somebody holds. */
export interface Place {
  readonly pool: Pick<Workers<Session, never>, "wait" | "leave" | "free" | "usable" | "size">;
  /** Set when there is but one worker to run it: what it cannot do is not tried elsewhere. */
  readonly held: boolean;
}

/** How many records of attempts are kept: a worker that rejects for ever must not fill the memory. */
const MAX_RECORDS = 64;

/** One `execute()`. Its deadline slot in the queue serves all its timers, as it waits for one thing at a time. */
export class Call extends Deadline implements Waiter<Session>, AttemptOwner<Session>, Abortable {
  line: object | undefined;
  ahead: Waiter<Session> | undefined;
  behind: Waiter<Session> | undefined;
  /** Sessions that have had this job. */
  avoid: Set<Session> | undefined;
  readonly id: number;
  readonly born: number;
  readonly records: AttemptRecord[] = [];
  value: Payload | undefined;
  error: unknown;
  readonly #desk: CallDesk;
  readonly #place: Place;
  readonly #options: CallOptions;
  readonly #expires: number;
  #job: Job | undefined;
  #settled: ((call: Call) => void) | undefined;
  #state: CallState = "new";
  #attempt: Attempt<Session> | undefined;
  #since = 0;
  #acquireBy = Number.POSITIVE_INFINITY;
  /** The beginning of this stay in the queue; `undefined` while none has begun. */
  #waitsSince: number | undefined;
  #made = 0;
  #lost = 0;
  #rejected = 0;

  constructor(id: number, job: Job, options: CallOptions, desk: CallDesk, place: Place, settled: (call: Call) => void) {
    super();
    this.id = id;
    this.#job = job;
    this.#options = options;
    this.#desk = desk;
    this.#place = place;
    this.#settled = settled;
    this.born = desk.clock.now();
    this.#expires = this.born + options.deadline;
  }

  /** Attempts that count: those whose handler may have started. */
  get made(): number {
    return this.#made;
  }

  /** Whether it settled with a value. */
  get ok(): boolean {
    return this.value !== undefined;
  }

  /** Queues it, once. */
  start(): void {
    if (this.#options.signal !== undefined) this.#desk.aborts.watch(this.#options.signal, this);
    this.#enqueue(false, this.born);
  }

  /** Ends it from outside, whatever it does. */
  stop(error: unknown, reason: CancelReason): void {
    if (this.#state === "settled") return;
    this.#cancelAttempt("cancelled", reason);
    this.#fail(error);
  }

  /** The first usable worker came or the last one went. */
  fleetChanged(usable: boolean): void {
    if (this.#state !== "queued" || this.#place.held) return;
    const now = this.#desk.clock.now();
    this.#acquireBy = usable ? Number.POSITIVE_INFINITY : now + this.#options.acquireTimeout;
    this.#armWait(now);
  }

  aborted(reason: unknown): void {
    this.stop(reason ?? new AbortError("aborted", "cancelled", { attempts: this.records }), "cancelled");
  }

  override fire(): void {
    const now = this.#desk.clock.now();
    if (now >= this.#expires) return this.#expire();
    if (this.#state === "running") {
      const left = this.#since + this.#options.timeout - now;
      return left > 0 ? this.#wake(left, now) : this.#attemptTimedOut();
    }
    if (now >= this.#waitingUntil()) return this.#waitedTooLong(now);
    if (this.#state === "backoff") return this.#enqueue(true, now);
    this.#armWait(now);
  }

  take(session: Session): void {
    const job = this.#job;
    if (job === undefined) return this.#place.pool.free(session);
    const now = this.#desk.clock.now();
    if (now >= this.#expires) {
      this.#place.pool.free(session);
      return this.#expire();
    }
    const ttl = Math.min(this.#options.timeout, this.#expires - now);
    const attempt = this.#handOver(session, job, ttl);
    if (attempt instanceof EncodingError) {
      this.#place.pool.free(session);
      return this.#fail(attempt);
    }
    if (attempt === undefined) {
      this.#place.pool.free(session);
      return this.#failed({ kind: "not-sent" }, () => this.#lostError(session, "is gone"));
    }
    this.#made++;
    this.#attempt = attempt;
    this.#since = now;
    this.#move("running");
    this.#wake(ttl, now);
    this.#desk.events?.started(this, this.#made, session.identity);
  }

  /** Bytes are the caller's, who may have resized or transferred them since: that fails the job and nothing else. */
  #handOver(session: Session, job: Job, ttl: number): Attempt<Session> | EncodingError | undefined {
    try {
      if (typeof job.data !== "string") this.#desk.checkSize(job);
      return session.assign(this, job, this.id, this.#made + 1, ttl);
    } catch (cause) {
      return cause instanceof EncodingError
        ? cause
        : new EncodingError("the job's data cannot be read any more", -1, { cause });
    }
  }

  succeeded(_attempt: Attempt<Session>, value: Payload): void {
    this.#record("ok");
    this.#desk.throttle.refill();
    this.value = value;
    this.#settle();
  }

  failed(_attempt: Attempt<Session>, message: JobErrorMessage): void {
    this.#record("error");
    const { error, retryable, retryAfter } = message;
    const remote = this.#desk.remoteStacks ? error : { ...error, stack: "" };
    this.#failed(
      { kind: "error", retryable, retryAfter },
      () => new ExecutionError(remote, { attempts: this.records }),
    );
  }

  rejected(attempt: Attempt<Session>, reason: RejectReason): void {
    this.#record("rejected");
    this.#made--;
    this.#rejected++;
    this.#failed({ kind: "rejected", reason }, () =>
      this.#lostError(attempt.session, `handed the job back: ${reason}`),
    );
  }

  lost(attempt: Attempt<Session>, reason: GoneReason, message: string): void {
    this.#record("lost");
    this.#lost++;
    this.#failed({ kind: "lost" }, () =>
      this.#lostError(attempt.session, `was lost with the job in flight: ${reason}, ${message}`),
    );
  }

  notSent(attempt: Attempt<Session>): void {
    this.#record("not-sent");
    this.#made--;
    this.#failed({ kind: "not-sent" }, () => this.#lostError(attempt.session, "went before the job was sent"));
  }

  freed(attempt: Attempt<Session>): void {
    this.#place.pool.free(attempt.session);
  }

  #enqueue(atHead: boolean, now: number = this.#desk.clock.now()): void {
    const { pool } = this.#place;
    this.#move("queued");
    if (this.#options.failFast && pool.size === 0) return this.#fail(this.#noWorker());
    this.#waitsSince ??= now;
    this.#acquireBy = pool.usable > 0 ? Number.POSITIVE_INFINITY : now + this.#options.acquireTimeout;
    pool.wait(this, atHead);
    if (this.line !== undefined) this.#armWait(now);
  }

  /** When the stay in the queue is over, whatever else. A job that was handed back not started is still in the same stay. */
  #waitingUntil(): number {
    return Math.min(this.#acquireBy, (this.#waitsSince ?? Number.POSITIVE_INFINITY) + this.#options.queueTimeout);
  }

  #armWait(now: number): void {
    this.#wake(Math.min(this.#expires, this.#waitingUntil()) - now, now);
  }

  /** Without a limit, too, it waits on a timer: a call that has not settled is a reason for the process to stay. */
  #wake(delay: number, now: number): void {
    this.#desk.timers.set(this, Math.max(0, Math.min(delay, MAX_DURATION)), now);
  }

  #waitedTooLong(now: number): void {
    const { acquireTimeout, queueTimeout } = this.#options;
    const attempts = this.records;
    if (now >= this.#acquireBy) {
      const message = `Could not get a worker in ${acquireTimeout} ms (none is registered)`;
      return this.#fail(new TimeoutError(message, "acquire", acquireTimeout, { attempts }));
    }
    const message = `waited ${queueTimeout} ms for a free slot (${this.#place.pool.size} workers, all busy)`;
    this.#fail(new TimeoutError(message, "queue", queueTimeout, { attempts }));
  }

  #attemptTimedOut(): void {
    const { timeout } = this.#options;
    const identity = this.#attempt?.session.identity ?? "";
    this.#cancelAttempt("timeout", "timeout");
    const message = `attempt ${this.#made} on ${identity} took over ${timeout} ms`;
    this.#failed({ kind: "timeout" }, () => new TimeoutError(message, "attempt", timeout, { attempts: this.records }));
  }

  #expire(): void {
    const { deadline } = this.#options;
    this.#cancelAttempt("cancelled", "deadline");
    this.#fail(
      new TimeoutError(`the deadline of ${deadline} ms passed`, "deadline", deadline, { attempts: this.records }),
    );
  }

  /** Lets go of the attempt in flight, if any: its answer no longer counts, its slot stays taken until it is confirmed. */
  #cancelAttempt(outcome: AttemptOutcome, reason: CancelReason): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#record(outcome);
    attempt.session.cancel(attempt, reason);
  }

  #record(outcome: AttemptOutcome): void {
    const session = this.#attempt?.session;
    this.#attempt = undefined;
    if (session === undefined) return;
    const ms = this.#desk.clock.now() - this.#since;
    if (this.records.length < MAX_RECORDS) this.records.push({ identity: session.identity, outcome, ms });
    if (outcome !== "ok" && !this.#place.held) (this.avoid ??= new Set()).add(session);
  }

  #failed(failure: Failure, error: () => unknown): void {
    this.#acquireBy = Number.POSITIVE_INFINITY;
    if (failure.kind !== "rejected" && failure.kind !== "not-sent") this.#waitsSince = undefined;
    const history = { made: this.#made, lost: this.#lost, rejected: this.#rejected };
    const after = this.#place.held
      ? undefined
      : nextTry(failure, history, this.#options, this.#desk.throttle, this.#desk.entropy);
    if (after === undefined) return this.#fail(error());
    this.#desk.events?.retried(this, this.#made, this.records.at(-1)?.outcome ?? "not-sent", after);
    this.#desk.retries++;
    if (after === 0) return this.#enqueue(true);
    this.#move("backoff");
    const now = this.#desk.clock.now();
    this.#wake(Math.min(after, this.#expires - now, this.#waitingUntil() - now), now);
  }

  #fail(error: unknown): void {
    this.error = error;
    this.#settle();
  }

  /** The end, once: every timer, listener and reference goes in the same step. */
  #settle(): void {
    const settled = this.#settled;
    if (settled === undefined) return;
    if (this.line !== undefined) this.#place.pool.leave(this);
    if (this.#options.signal !== undefined) this.#desk.aborts.forget(this.#options.signal, this);
    this.#desk.timers.drop(this);
    this.#move("settled");
    this.#settled = undefined;
    this.#job = undefined;
    this.avoid = undefined;
    settled(this);
  }

  #move(state: CallState): void {
    this.#desk.moved(this, this.#state, state);
    this.#state = state;
  }

  #noWorker(): NoWorkerError {
    return new NoWorkerError("no worker is registered, and the call asked to fail fast", { attempts: this.records });
  }

  #lostError(session: Session, what: string): WorkerLostError {
    return new WorkerLostError(`worker ${session.identity} ${what}`, { attempts: this.records });
  }
}
