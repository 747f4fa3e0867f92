/**
 * Judges runners by the frames on the wire alone: what they may send to which worker, and which answer may settle a job. A
 * wrong counter in a runner cannot vouch for itself here. See wire-model.ts for the model.
 */
import type { JobMessage, Message } from "../../core/protocol/message.ts";
import { samePayload } from "../../core/dispatch/verification.ts";
import type { Checker, ObservedRunner, Violation } from "./checker.ts";
import type { Observation, SettledObservation } from "../history/observation.ts";
import type { CheckerContext } from "./checker-context.ts";
import type { WireModelObserver } from "./wire-model.ts";
import { hasRequiredLabels, type WireAttempt, type WireConnection, type WireJob } from "./wire.ts";

interface Overlap {
  readonly older: WireAttempt;
  readonly at: number;
}

interface Broken {
  readonly connection: WireConnection;
  readonly what: string;
}

function place(attempt: WireAttempt): string {
  const { job, number, id, connection } = attempt;
  return `job ${job.id}, attempt ${number} (number ${id} of connection ${connection.number})`;
}

/** Checks current-answer-counts, within-capacity, one-current-attempt, only-ready-workers, ended-connection-is-silent, attempts-limited, no-retry-of-final, nonsense-ends-its-connection and required-labels, and of leaves-nothing-behind that a settled job has no attempt left. */
export class Oracle implements Checker, WireModelObserver {
  readonly #violation: Violation;
  readonly #context: CheckerContext;
  #overlaps: Overlap[] = [];
  #broken: Broken[] = [];

  /** @param violation - Called for each breach. @param context - Has to be shown each observation first. */
  constructor(violation: Violation, context: CheckerContext) {
    this.#violation = violation;
    this.#context = context;
    context.wire.addObserver(this);
  }

  observe(seen: Observation): void {
    if (seen.kind === "settled") this.#checkSettlement(seen, seen.at);
  }

  betweenEvents(now: number, _runners: readonly ObservedRunner[]): void {
    if (this.#broken.length > 0) this.#checkBroken();
    if (this.#overlaps.length > 0) this.#checkOverlaps(now);
  }

  onJobSent(attempt: WireAttempt, at: number): void {
    this.#checkConnection(attempt, at);
    this.#checkHistory(attempt, at);
  }

  onSettledJobSent(connection: WireConnection, message: JobMessage): void {
    this.#violation(
      "no-retry-of-final",
      `job ${message.jobId} has settled, and is sent on connection ${connection.number}`,
    );
  }

  onProtocolError(connection: WireConnection, what: string): void {
    // The end that dials may be opened a moment after the first frames have arrived for it.
    if (!connection.dialled) this.#broken.push({ connection, what });
  }

  onRegistered(connection: WireConnection): void {
    if (connection.closed || connection.ended !== undefined)
      this.#violation("ended-connection-is-silent", `WELCOME after the end of connection ${connection.number}`);
  }

  onOtherSent(connection: WireConnection, message: Message): void {
    if (connection.ended !== undefined)
      this.#violation(
        "ended-connection-is-silent",
        `${message.type} after ${connection.ended} on connection ${connection.number}`,
      );
    if (message.type !== "REMOVED") return;
    const left = [...connection.inFlight.values()].find(({ doubtful }) => !doubtful);
    if (left !== undefined) this.#violation("leaving-loses-no-job", `REMOVED while it is in flight: ${place(left)}`);
  }

  onInputSent(connection: WireConnection, attempt: WireAttempt | undefined, wasAsked: boolean, at: number): void {
    // What a runner that has just woken reads and sends in one moment is seen in another order.
    if (connection.runner.unsure(at)) return;
    if (attempt === undefined || attempt.cancelReason !== undefined)
      this.#violation("ended-connection-is-silent", `input of no attempt on connection ${connection.number}`);
    else if (!wasAsked) this.#violation("within-bounds", `input that was not asked for: ${place(attempt)}`);
  }

  onSentAfterClose(machine: string, connection: number): void {
    this.#violation("ended-connection-is-silent", `${machine} sends on connection ${connection}, which it has closed`);
  }

  onForgotten(job: WireJob): void {
    if (job.current !== undefined && !job.current.doubtful)
      this.#violation(
        "leaves-nothing-behind",
        `job ${job.id} has settled, and its attempt is still wanted: ${place(job.current)}`,
      );
  }

  /** May this connection be given a job? */
  #checkConnection(attempt: WireAttempt, at: number): void {
    const { connection } = attempt;
    const { runner, leaving, leavingAt } = connection;
    if (connection.welcome === undefined)
      this.#violation("only-ready-workers", `a JOB before WELCOME: ${place(attempt)}`);
    if (connection.ended !== undefined)
      this.#violation("ended-connection-is-silent", `a JOB after ${connection.ended}: ${place(attempt)}`);
    // A job may cross the worker's REMOVE within one turn, and the holder of a lease may still send.
    const crossed = at === leavingAt || runner.unsure(at) || attempt.job.options === undefined;
    if (leaving !== undefined && !crossed)
      this.#violation("only-ready-workers", `a JOB after ${leaving}: ${place(attempt)}`);
    if (!hasRequiredLabels(connection, attempt.job.options))
      this.#violation("required-labels", `${connection.identity} has not the labels of ${place(attempt)}`);
    if (attempt.id !== connection.nextAttempt)
      this.#violation("one-current-attempt", `the next attempt is number ${connection.nextAttempt}: ${place(attempt)}`);
    const most = connection.capacity + (connection.hello?.prefetchLimit ?? 0);
    if (connection.inFlight.size >= most)
      this.#violation("within-capacity", `${connection.inFlight.size} of ${most} are in flight: ${place(attempt)}`);
  }

  /** May this job be tried again? */
  #checkHistory(attempt: WireAttempt, at: number): void {
    const { job, previous, number } = attempt;
    if (job.current !== undefined) this.#overlaps.push({ older: job.current, at });
    const { options } = job;
    const calls = options?.verify ?? 1;
    if (options !== undefined && number > options.attempts)
      this.#violation("attempts-limited", `there are ${options.attempts} attempts: ${place(attempt)}`);
    if (options !== undefined && job.lost >= options.maxLost * calls)
      this.#violation("attempts-limited", `it was lost ${job.lost} times: ${place(attempt)}`);
    if (previous === undefined || previous.doubtful) return;
    // With `verify` another principal is asked, in a call that counts from 1.
    if (calls > 1 && number === 1) return;
    const neverBegan = previous.answer?.type === "REJECT" || previous.state === "recalled";
    if (number < previous.number || (number === previous.number && !neverBegan))
      this.#violation("attempts-limited", `attempt numbers grow: ${place(attempt)} after attempt ${previous.number}`);
    if (isFinal(previous))
      this.#violation("no-retry-of-final", `it was over: ${place(attempt)} after ${place(previous)}`);
  }

  #checkSettlement({ machine, jobId, outcome }: SettledObservation, at: number): void {
    const job = jobId === undefined ? undefined : this.#context.wire.runner(machine)?.jobs.get(jobId);
    if (job === undefined) return;
    const answer = job.result?.answer;
    const value = answer?.type === "JOBRES" ? answer.value : undefined;
    if (outcome.ok && (value === undefined || !samePayload(value, outcome.value))) {
      // What came before the fault in a malformed frame may have settled it, and cannot be seen.
      const muddy = job.last?.doubtful === true && job.last.answer === undefined;
      if (!muddy)
        this.#violation(
          "current-answer-counts",
          `job ${job.id} got a value that no current attempt of it was answered with`,
        );
    } else if (
      !outcome.ok &&
      value !== undefined &&
      job.result?.doubtful === false &&
      !isAborted(job, outcome.error, at)
    )
      this.#violation(
        "current-answer-counts",
        `job ${job.id} failed although the result of its current attempt had arrived`,
      );
  }

  #checkBroken(): void {
    const broken = this.#broken;
    this.#broken = [];
    for (const { connection, what } of broken) {
      if (!connection.closed && this.#isUp(connection))
        this.#violation("nonsense-ends-its-connection", `connection ${connection.number} is still open after ${what}`);
    }
  }

  /** CANCEL for the old and JOB for the new may leave in any order, but in the same turn. */
  #checkOverlaps(now: number): void {
    const due = this.#overlaps.filter(({ older, at }) => now > at && !older.connection.runner.unsure(now));
    if (due.length === 0) return;
    this.#overlaps = this.#overlaps.filter((overlap) => !due.includes(overlap));
    for (const { older, at } of due) {
      const { connection, overAt, doubtful } = older;
      if (overAt > at && !doubtful && connection.runner.wokeAt < at && this.#isUp(connection))
        this.#violation("one-current-attempt", `it had two current attempts at ${at} ms: the older is ${place(older)}`);
    }
  }

  #isUp({ runner }: WireConnection): boolean {
    return this.#context.wire.runner(runner.machine) === runner;
  }
}

/** Whether its caller gave it up: that may be in the middle of the frame with its result. */
function isAborted({ options, result }: WireJob, error: unknown, at: number): boolean {
  return result?.overAt === at && options?.signal?.aborted === true && Object.is(options.signal.reason, error);
}

/** Whether nothing may follow an attempt. */
function isFinal({ answer, cancelReason, job }: WireAttempt): boolean {
  if (answer?.type === "JOBRES") return true;
  if (answer?.type === "JOBERR") return !answer.retryable;
  if (cancelReason === "timeout") return job.options?.retryOnTimeout === false;
  return cancelReason !== undefined;
}
