/**
 * Every call settles, once, in time, and with a value or one of a closed set of errors. Watches the calls that `execute` took
 * in: their promises and the runner's events. Whether a value is the right one: see oracle.ts.
 */
import type { CallOptions } from "../../core/dispatch/call-options.ts";
import { TimeoutError } from "../../core/errors.ts";
import type { Message } from "../../core/protocol/message.ts";
import type { RunnerStats } from "../../core/stats.ts";
import type { Checker, ObservedRunner, Violation } from "./checker.ts";
import type { NumberedEvent, Observation, SettledObservation } from "../history/observation.ts";
import type { CheckerContext } from "./checker-context.ts";
import { getOrCreate } from "./get-or-create.ts";
import type { WireModelObserver } from "./wire-model.ts";
import { fitsFleetLimit, fitsRefusal, fitsSettlement } from "./outcome.ts";
import { hasAll, labelKey, type WireAttempt } from "./wire.ts";

/** A call of which the promise, the event or both have not been seen. */
interface OpenCall {
  readonly jobId: number;
  readonly options: CallOptions;
  readonly begun: number;
  phase: "queued" | "running";
  /** When the phase began, or will begin when a backoff is over. */
  since: number;
  /** When its worker said that it waits there: until then the limits of the queue were not looked at. */
  parkedAt: number;
  /** When its latest attempt began. */
  attempt: PhaseStart;
  /** When its stay in the queue began: being handed back does not end it. */
  stay: PhaseStart;
  /** How the caller's promise settled. */
  promise: SettledObservation["outcome"] | undefined;
  /** The runner's event. */
  event: Extract<NumberedEvent, { type: "job-settled" }> | undefined;
}

/** A phase began `after` ms from a time, by the runner's clock. */
interface PhaseStart {
  readonly said: number;
  readonly after: number;
  /** Whether the runner may have reported it late. */
  readonly unsure: boolean;
}

/** One life of a runner. */
interface RunnerLife {
  readonly calls: Map<number, OpenCall>;
  /** Since when no worker is usable for jobs with certain labels; by label key. */
  readonly empty: Map<string, WorkerGap>;
  /** The labels in each worker's last HELLO, by name. */
  readonly labels: Map<string, readonly string[]>;
}

interface WorkerGap {
  readonly require: readonly string[];
  since: number | undefined;
}

/** Timers are rounded up to whole milliseconds. */
const TICK_MS = 1;
/** Between two searches for overdue calls. */
const EVENTS_BETWEEN_CHECKS = 4_096;

/** Times that were added up may differ in their last digits. */
const EPSILON = 1e-6;

/** Checks settles-once, settles-in-time and fitting-error. */
export class Settlement implements Checker, WireModelObserver {
  readonly #violation: Violation;
  readonly #context: CheckerContext;
  readonly #lives = new Map<string, RunnerLife>();
  #events = 0;

  /** @param violation - Called for each breach. @param context - Has to be shown each observation first. */
  constructor(violation: Violation, context: CheckerContext) {
    this.#violation = violation;
    this.#context = context;
    context.wire.addObserver(this);
  }

  /** An attempt has all its time, whatever its call ends with. */
  onCancelSent({ job, cancelReason, begunAt, delayed, connection }: WireAttempt, at: number): void {
    if (cancelReason !== "timeout" || begunAt === undefined || job.options === undefined || delayed) return;
    const { machine } = connection.runner;
    const took = at - begunAt + this.#context.allowance.jumped(machine, begunAt);
    if (took < job.options.timeout - EPSILON)
      this.#violation(
        "fitting-error",
        `${machine}: job ${job.id} timed out after ${took} ms of ${job.options.timeout}`,
      );
  }

  /** It has not begun, and is still in its stay in the queue. */
  onParked({ job, connection }: WireAttempt, at: number): void {
    const call = this.#lives.get(connection.runner.machine)?.calls.get(job.id);
    if (call === undefined) return;
    call.phase = "queued";
    call.since = call.stay.said + call.stay.after;
    call.parkedAt = at;
  }

  observe(seen: Observation): void {
    switch (seen.kind) {
      case "submitted":
        return this.#submitted(seen.machine, seen.jobId, seen.options, seen.at);
      case "settled":
        return this.#settled(seen, seen.at);
      case "runner":
        return this.#event(seen.machine, seen.event, seen.at);
      case "delivered":
        return this.#delivered(seen.to, seen.messages);
      case "machine":
        if (seen.state === "down") this.#lives.delete(seen.machine);
        return;
      default:
    }
  }

  betweenEvents(now: number, runners: readonly ObservedRunner[]): void {
    for (const view of runners) {
      const stats = this.#context.sampler.fresh(view);
      if (stats === undefined) continue;
      for (const empty of this.#life(view.machine).empty.values()) {
        if (isServed(stats, empty.require)) empty.since = undefined;
        else empty.since ??= now;
      }
    }
    if (++this.#events % EVENTS_BETWEEN_CHECKS === 0) this.#checkOverdue(now);
  }

  atEnd(now: number, runners: readonly ObservedRunner[]): void {
    this.#checkOverdue(now);
    for (const { machine } of runners) {
      for (const { jobId, promise, event } of this.#life(machine).calls.values()) {
        if (promise === undefined)
          this.#violation("settles-once", `${machine}: the caller of job ${jobId} still waits`);
        else if (event === undefined)
          this.#violation("settles-once", `${machine} never told that job ${jobId} has settled`);
      }
    }
  }

  #life(machine: string): RunnerLife {
    return getOrCreate(this.#lives, machine, () => ({ calls: new Map(), empty: new Map(), labels: new Map() }));
  }

  #delivered(machine: string, messages: readonly Message[] | undefined): void {
    const [first] = messages ?? [];
    if (first?.type === "HELLO") this.#life(machine).labels.set(first.identity, first.labels);
  }

  /** A relay may have none. */
  #hasSlots(machine: string, identity: string): boolean {
    return this.#context.wire.runner(machine)?.workers.get(identity)?.capacity !== 0;
  }

  /** A worker is usable now: this counts at once, before the next sample of the numbers. */
  #onUsableWorker(machine: string, identity: string): void {
    const { empty, labels } = this.#life(machine);
    for (const gap of empty.values()) if (hasAll(labels.get(identity), gap.require)) gap.since = undefined;
  }

  #submitted(machine: string, jobId: number, options: CallOptions, at: number): void {
    const { calls, empty } = this.#life(machine);
    const key = labelKey(options);
    if (!empty.has(key)) empty.set(key, { require: options.require, since: undefined });
    if (calls.has(jobId)) this.#violation("settles-once", `${machine}: job ${jobId} was taken in twice`);
    const noOutcome = { promise: undefined, event: undefined };
    const now = { said: at, after: 0, unsure: false };
    const phase = { phase: "queued", since: at, parkedAt: at, attempt: now, stay: now } as const;
    calls.set(jobId, { jobId, options, begun: at, ...phase, ...noOutcome });
  }

  #settled(seen: SettledObservation, at: number): void {
    const { machine, jobId, outcome } = seen;
    if (jobId === undefined) {
      if (outcome.ok) this.#violation("settles-once", `${machine}: a call that was never taken in got a value`);
      else if (!fitsRefusal(outcome.error))
        this.#violation("fitting-error", `${machine} refuses a call with ${String(outcome.error)}`);
      return;
    }
    const { calls } = this.#life(machine);
    const call = calls.get(jobId);
    if (call === undefined || call.promise !== undefined)
      return this.#violation("settles-once", `${machine}: the caller of job ${jobId} was told twice, or never asked`);
    call.promise = outcome;
    this.#checkTime(machine, call, at);
    this.#checkError(machine, call, at);
    this.#checkWorkerGap(machine, call, at);
    this.#compare(machine, calls, call);
  }

  #event(machine: string, event: NumberedEvent, at: number): void {
    if (event.type === "worker-resized") this.#life(machine).labels.set(event.identity, event.labels);
    if (event.type === "worker-recovered" && this.#hasSlots(machine, event.identity))
      return this.#onUsableWorker(machine, event.identity);
    if (isWorkerNews(event) && event.capacity > 0) return this.#onUsableWorker(machine, event.identity);
    if (event.type !== "job-started" && event.type !== "job-retried" && event.type !== "job-settled") return;
    const { calls } = this.#life(machine);
    const call = calls.get(event.jobId);
    if (call === undefined) return this.#onUnknownCall(machine, event);
    if (event.type === "job-settled") {
      if (call.event !== undefined)
        this.#violation("settles-once", `${machine} told twice that job ${event.jobId} has settled`);
      call.event = event;
      return this.#compare(machine, calls, call);
    }
    if (call.promise === undefined) this.#checkPhase(machine, call, at);
    const after = event.type === "job-started" ? 0 : event.after;
    call.phase = event.type === "job-started" ? "running" : "queued";
    call.since = at + after;
    const start = { said: at, after, unsure: this.#context.wire.runner(machine)?.unsure(at) === true };
    if (event.type === "job-started") call.attempt = start;
    else if (event.outcome !== "rejected" && event.outcome !== "not-sent") call.stay = start;
  }

  #onUnknownCall(machine: string, event: NumberedEvent): void {
    if (event.type === "job-settled" && this.#context.wire.runner(machine)?.wasSubmitted(event.jobId) === true)
      this.#violation("settles-once", `${machine} told twice that job ${event.jobId} has settled`);
  }

  /** The promise and the event are of the same end. */
  #compare(machine: string, calls: Map<number, OpenCall>, { jobId, promise, event }: OpenCall): void {
    if (promise === undefined || event === undefined) return;
    calls.delete(jobId);
    if (promise.ok !== event.ok || (!promise.ok && !Object.is(promise.error, event.error)))
      this.#violation(
        "settles-once",
        `${machine}: the caller of job ${jobId} was told something else than the runner tells`,
      );
  }

  #checkTime(machine: string, call: OpenCall, at: number): void {
    const late = at - call.begun - call.options.deadline - TICK_MS;
    const what = `job ${call.jobId} settled after its deadline`;
    if (late > 0) this.#context.allowance.claim({ machine, from: call.begun, late, promise: "settles-in-time", what });
    this.#checkPhase(machine, call, at);
  }

  /** No wait and no attempt takes longer than its own limit. */
  #checkPhase(machine: string, call: OpenCall, at: number): void {
    const { options, phase, since, parkedAt, jobId } = call;
    const emptySince = this.#life(machine).empty.get(labelKey(options))?.since;
    let until = since + (phase === "running" ? options.timeout : options.queueTimeout);
    if (phase === "queued" && emptySince !== undefined)
      until = Math.min(
        until,
        Math.max(since, emptySince, this.#queuedAgainSince(machine, jobId)) + options.acquireTimeout,
      );
    if (phase === "queued") until = Math.max(until, parkedAt);
    // The end of a backoff, from which the wait is counted, may be a tick late itself.
    const late = at - until - (phase === "queued" ? 2 * TICK_MS : TICK_MS);
    if (late <= 0) return;
    const what = `job ${jobId} was ${phase} until ${at} ms, over its limit`;
    this.#context.allowance.claim({ machine, from: since, late, promise: "settles-in-time", what });
  }

  /** Since when the job waits at the runner and not at a worker. A prefetched job has a worker, usable or not. */
  #queuedAgainSince(machine: string, jobId: number): number {
    const last = this.#context.wire.runner(machine)?.jobs.get(jobId)?.last;
    if (last === undefined) return Number.NEGATIVE_INFINITY;
    const { sentAt, begunAt = last.overAt } = last;
    return begunAt > sentAt ? begunAt : Number.NEGATIVE_INFINITY;
  }

  /** No call may fail for want of a worker while there is one. */
  #checkWorkerGap(machine: string, { promise, jobId, options }: OpenCall, at: number): void {
    if (promise === undefined || promise.ok || !(promise.error instanceof TimeoutError)) return;
    const wire = this.#context.wire.runner(machine);
    if (promise.error.kind !== "acquire" || wire?.unsure(at) !== false || wire.wasUnfit(jobId)) return;
    const emptySince = this.#life(machine).empty.get(labelKey(options))?.since;
    const empty = emptySince === undefined ? 0 : at - emptySince + this.#context.allowance.jumped(machine, emptySince);
    if (empty < options.acquireTimeout - TICK_MS)
      this.#violation(
        "settles-in-time",
        `${machine}: job ${jobId} could not get a worker, and for the last ${empty} ms only there was none`,
      );
  }

  #checkError(machine: string, call: OpenCall, at: number): void {
    const { promise, jobId, options } = call;
    if (promise === undefined || promise.ok) return;
    const waited = at - call.begun + this.#context.allowance.jumped(machine, call.begun);
    const last = this.#context.wire.runner(machine)?.jobs.get(jobId)?.last?.answer;
    if (last?.type === "FAILED" && fitsFleetLimit(promise.error, last)) return;
    const wrong = fitsSettlement(promise.error, options, waited) ?? this.#tooEarly(machine, call, promise.error, at);
    if (wrong !== undefined) this.#violation("fitting-error", `${machine}: job ${jobId} failed with ${wrong}`);
  }

  /** The limit of an attempt, or of a stay in the queue, runs from its own beginning and not from that of the call. */
  #tooEarly(machine: string, { phase, attempt, stay }: OpenCall, error: unknown, at: number): string | undefined {
    if (!(error instanceof TimeoutError) || (error.kind !== "attempt" && error.kind !== "queue")) return undefined;
    // A runner that stands still, or has just woken, reports late.
    if (this.#context.wire.runner(machine)?.unsure(at) !== false) return undefined;
    if ((error.kind === "attempt") !== (phase === "running")) return `a ${error.kind} timeout while it was ${phase}`;
    const { said, after, unsure } = error.kind === "attempt" ? attempt : stay;
    const took = at - said - after + this.#context.allowance.jumped(machine, said);
    if (unsure || took >= error.ms - EPSILON) return undefined;
    return `a ${error.kind} timeout of ${error.ms} ms after ${took} ms of it`;
  }

  /** Finds calls that never settle before the end of the run. */
  #checkOverdue(now: number): void {
    for (const [machine, { calls }] of this.#lives) {
      for (const call of calls.values()) if (call.promise === undefined) this.#checkTime(machine, call, now);
    }
  }
}

/** Whether a worker can be given work of that kind, now or as soon as a slot is free. */
function isServed({ capacity, workers }: RunnerStats, require: readonly string[]): boolean {
  if (require.length === 0) return capacity > 0;
  return workers.some(
    ({ state, labels, ...worker }) =>
      worker.capacity > 0 && (state === "idle" || state === "busy") && hasAll(labels, require),
  );
}

/** Whether an event tells a worker's slots. */
function isWorkerNews(
  event: NumberedEvent,
): event is Extract<NumberedEvent, { type: "worker-joined" | "worker-resized" }> {
  return event.type === "worker-joined" || event.type === "worker-resized";
}
