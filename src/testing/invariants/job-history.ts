/** What became of the jobs of a simulated world that is worth counting: how they were retried, aborted and given up. */
import type { CallOptions } from "../../core/dispatch/call-options.ts";
import {
  AbortError,
  ExecutionError,
  PowerhoseError,
  RunnerStoppedError,
  TimeoutError,
  WorkerLostError,
} from "../../core/errors.ts";
import type { NumberedEvent, Observation, SettledObservation } from "../history/observation.ts";
import type { CheckerContext } from "./checker-context.ts";
import { getOrCreate } from "./get-or-create.ts";
import type { CoveragePoint } from "./coverage-points.ts";

/** Where a job is. */
interface JobState {
  phase: "queued" | "running" | "backoff";
  /** When its backoff is over. */
  due: number;
}

/** Told by the names of {@link CoveragePoint}. */
export class JobHistory {
  readonly #context: CheckerContext;
  readonly #saw: (name: CoveragePoint) => void;
  readonly #jobs = new Map<string, Map<number, JobState>>();
  /** Runners that drain, and whether they have given up a job. */
  readonly #drains = new Map<string, boolean>();

  constructor(context: CheckerContext, saw: (name: CoveragePoint) => void) {
    this.#context = context;
    this.#saw = saw;
  }

  /** Takes one in. */
  observe(seen: Observation): void {
    if (seen.kind === "runner") this.#event(seen.machine, seen.event, seen.at);
    else if (seen.kind === "settled") this.#settled(seen);
    else if (seen.kind === "machine" && seen.state === "down") {
      this.#jobs.delete(seen.machine);
      this.#drains.delete(seen.machine);
    }
  }

  #states(machine: string): Map<number, JobState> {
    return getOrCreate(this.#jobs, machine, () => new Map());
  }

  #event(machine: string, event: NumberedEvent, at: number): void {
    const states = this.#states(machine);
    switch (event.type) {
      case "job-started":
        return void states.set(event.jobId, { phase: "running", due: at });
      case "job-retried":
        states.set(event.jobId, { phase: event.after > 0 ? "backoff" : "queued", due: at + event.after });
        return this.#retried(event);
      case "job-settled":
        this.#ended(machine, event, states.get(event.jobId), at);
        return void states.delete(event.jobId);
      case "runner-state":
        return this.#state(machine, event.state);
      default:
    }
  }

  #retried({ outcome, after }: Extract<NumberedEvent, { type: "job-retried" }>): void {
    if (outcome === "not-sent") this.#saw("job not sent");
    else if (outcome === "rejected")
      this.#saw(after > 0 ? "rejected and retried after a pause" : "rejected and retried at once");
    else if (outcome === "lost") this.#saw("retry after a loss");
    else if (outcome === "timeout") this.#saw("retry after a timeout");
    else if (outcome === "error") this.#saw("retry after an error");
  }

  #state(machine: string, state: string): void {
    const gaveUp = this.#drains.get(machine);
    if (state === "draining") this.#drains.set(machine, false);
    else if (gaveUp !== undefined) {
      this.#drains.delete(machine);
      if (!gaveUp) this.#saw("drained with nothing given up");
    }
  }

  #settled({ outcome }: SettledObservation): void {
    if (outcome.ok) return;
    const { error } = outcome;
    if (error instanceof TimeoutError) this.#saw(`error: TIMEOUT ${error.kind}`);
    else if (!(error instanceof PowerhoseError)) this.#saw("error: a reason of the caller's own");
    else if (error.code in CODES) this.#saw(CODES[error.code as keyof typeof CODES]);
  }

  #ended(
    machine: string,
    event: Extract<NumberedEvent, { type: "job-settled" }>,
    state: JobState | undefined,
    at: number,
  ): void {
    const job = this.#context.wire.runner(machine)?.jobs.get(event.jobId);
    const { error } = event;
    if (event.ok) return event.attempts > 1 ? this.#saw("retry succeeded") : undefined;
    if (error instanceof RunnerStoppedError) return this.#stopped(machine, error);
    if (error instanceof AbortError) this.#saw(CODES.ABORTED); // of a `map` that is not read to its end
    const inBackoff = state?.phase === "backoff" && at < state.due;
    if (error instanceof TimeoutError && error.kind === "deadline" && inBackoff)
      this.#saw("backoff cut by the deadline");
    const options = job?.options;
    if (options === undefined) return;
    if (options.signal?.aborted === true && !(error instanceof TimeoutError)) this.#aborted(state, at);
    if (error instanceof WorkerLostError && losses(error) >= options.maxLost) this.#saw("poison stop");
    if (event.attempts < options.attempts && isThrottled(error, options, job?.last?.answer))
      this.#saw("retry throttled");
  }

  #stopped(machine: string, error: Error): void {
    if (!this.#drains.has(machine)) return;
    this.#drains.set(machine, true);
    if (error.message.includes("took over")) this.#saw("drain timeout hit");
  }

  #aborted(state: JobState | undefined, at: number): void {
    if (state?.phase === "running") this.#saw("abort while running");
    else if (state?.phase === "backoff" && at < state.due) this.#saw("abort while in backoff");
    else this.#saw("abort while queued");
  }
}

const CODES = {
  EXECUTION: "error: EXECUTION",
  WORKER_LOST: "error: WORKER_LOST",
  NO_WORKER: "error: NO_WORKER",
  QUEUE_FULL: "error: QUEUE_FULL",
  ENCODING: "error: ENCODING",
  RUNNER_STOPPED: "error: RUNNER_STOPPED",
  ABORTED: "error: ABORTED",
} as const;

function losses({ attempts }: WorkerLostError): number {
  return attempts.filter(({ outcome }) => outcome === "lost").length;
}

/** Whether only the throttle can be why there was no further attempt. */
function isThrottled(
  error: unknown,
  options: CallOptions,
  answer: { readonly type: string; readonly retryable?: boolean; readonly retryAfter?: number } | undefined,
): boolean {
  if (error instanceof TimeoutError) return error.kind === "attempt" && options.retryOnTimeout;
  // A pause that would end after the deadline is another reason.
  const inTime = options.deadline === Number.POSITIVE_INFINITY || answer?.retryAfter === 0;
  return error instanceof ExecutionError && answer?.type === "JOBERR" && answer.retryable === true && inTime;
}
