/**
 * Retries are throttled: one after a timeout or a retryable error costs a token. They are counted twice: by the runner's events
 * for any stretch of time, and by the frames over the runner's life. No retry comes sooner than announced, or than its handler
 * asked for.
 */
import type { CallOptions } from "../../core/dispatch/call-options.ts";
import type { CancelledMessage, JobErrorMessage } from "../../core/protocol/message.ts";
import type { Checker, Violation } from "./checker.ts";
import type { NumberedEvent, Observation } from "../history/observation.ts";
import type { CheckerContext } from "./checker-context.ts";
import { getOrCreate } from "./get-or-create.ts";
import type { WireModelObserver } from "./wire-model.ts";
import type { WireAnswer, WireAttempt, WireRunner } from "./wire.ts";

/** Ten tokens, and none is spent when five or fewer would be left. */
const SPENDABLE = 5;
const REFILL = 0.1;
/** Less than a refill: sums of tenths are not exact. */
const EPSILON = 0.05;

/** Times that were added up may differ in their last digits. */
const TINY = 1e-6;

/** A job that is to be tried again, and when that was said. */
interface Pause {
  readonly said: number;
  readonly after: number;
}

interface Count {
  retries: number;
  successes: number;
}

/** Checks retries-throttled. */
export class Throttle implements Checker, WireModelObserver {
  readonly #violation: Violation;
  readonly #context: CheckerContext;
  readonly #pauses = new Map<string, Map<number, Pause>>();
  /** What each runner may spend, at most. */
  readonly #tokens = new Map<string, number>();
  readonly #counts = new WeakMap<WireRunner, Count>();

  /** @param violation - Called for each breach. @param context - Has to be shown each observation first. */
  constructor(violation: Violation, context: CheckerContext) {
    this.#violation = violation;
    this.#context = context;
    context.wire.addObserver(this);
  }

  observe(seen: Observation): void {
    if (seen.kind === "machine" && seen.state === "down") {
      this.#tokens.delete(seen.machine);
      this.#pauses.delete(seen.machine);
    }
    if (seen.kind !== "runner") return;
    const { machine, event } = seen;
    this.#checkPause(machine, event, seen.at);
    const tokens = this.#tokens.get(machine) ?? SPENDABLE;
    if (event.type === "job-settled" && event.ok) this.#tokens.set(machine, Math.min(SPENDABLE, tokens + REFILL));
    if (event.type !== "job-retried" || (event.outcome !== "timeout" && event.outcome !== "error")) return;
    this.#tokens.set(machine, tokens - 1);
    if (tokens - 1 < EPSILON)
      this.#violation(
        "retries-throttled",
        `${machine}: job ${event.jobId} is tried again after its ${event.outcome}, without a token`,
      );
  }

  onJobSent(attempt: WireAttempt): void {
    const { previous, job, connection } = attempt;
    if (previous === undefined) return;
    this.#checkRequestedDelay(attempt, previous);
    if (!isPaidFor(previous)) return;
    const count = this.#count(connection.runner);
    count.retries++;
    if (count.retries > SPENDABLE + REFILL * count.successes - EPSILON)
      this.#violation("retries-throttled", `job ${job.id}: ${count.retries} retries for ${count.successes} successes`);
  }

  onAnswer(attempt: WireAttempt, answer: WireAnswer | CancelledMessage, current: boolean): void {
    if (current && answer.type === "JOBRES") this.#count(attempt.connection.runner).successes++;
  }

  /** A handler that fails may say how long to wait before another attempt. */
  #checkRequestedDelay({ job, connection, sentAt }: WireAttempt, { answer, overAt, doubtful }: WireAttempt): void {
    if (answer?.type !== "JOBERR" || doubtful) return;
    const { machine } = connection.runner;
    const waited = sentAt - overAt + this.#context.allowance.jumped(machine, overAt);
    const requested = requestedDelay(answer, job.options);
    if (waited < requested - TINY)
      this.#violation(
        "retries-throttled",
        `${machine}: job ${job.id} is tried again after ${waited} ms, not ${requested}`,
      );
  }

  /** What is to be tried again after a pause is, and the pause is at least as long as its handler wished. */
  #checkPause(machine: string, event: NumberedEvent, at: number): void {
    if (event.type !== "job-retried" && event.type !== "job-started" && event.type !== "job-settled") return;
    const { jobId } = event;
    const pauses = getOrCreate(this.#pauses, machine, () => new Map());
    const pause = pauses.get(jobId);
    pauses.delete(jobId);
    const runner = this.#context.wire.runner(machine);
    if (event.type === "job-retried") {
      const job = runner?.jobs.get(jobId);
      const last = job?.last;
      const requested =
        event.outcome === "error" && last?.answer?.type === "JOBERR" ? requestedDelay(last.answer, job?.options) : 0;
      if (event.after < requested - TINY && last?.doubtful === false)
        this.#violation(
          "retries-throttled",
          `${machine}: job ${jobId} is to be tried again in ${event.after} ms, not ${requested}`,
        );
      if (event.after > 0 && runner?.unsure(at) === false) pauses.set(jobId, { said: at, after: event.after });
    } else if (event.type === "job-started" && pause !== undefined) {
      const waited = at - pause.said + this.#context.allowance.jumped(machine, pause.said);
      if (waited < pause.after - TINY)
        this.#violation(
          "retries-throttled",
          `${machine}: job ${jobId} starts after a pause of ${waited} ms, not ${pause.after}`,
        );
    }
  }

  #count(runner: WireRunner): Count {
    return getOrCreate(this.#counts, runner, () => ({ retries: 0, successes: 0 }));
  }
}

/** The pause that a handler asked for, as far as it counts for this job. */
function requestedDelay({ retryAfter }: JobErrorMessage, options: CallOptions | undefined): number {
  return options === undefined ? 0 : Math.min(retryAfter, options.maxRetryAfter);
}

/** Whether the attempt after this one took a token. */
function isPaidFor({ answer, cancelReason, doubtful }: WireAttempt): boolean {
  if (doubtful) return false;
  return answer?.type === "JOBERR" ? answer.retryable : cancelReason === "timeout";
}
