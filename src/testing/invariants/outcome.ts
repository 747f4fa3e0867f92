/** Which errors a caller may see: the closed set, and the limits they speak of. Knows no call. */
import type { CallOptions } from "../../core/dispatch/call-options.ts";
import type { JobFailedMessage } from "../../core/protocol/message.ts";
import {
  type AttemptOutcome,
  EncodingError,
  PowerhoseError,
  QueueFullError,
  TimeoutError,
  WorkerLostError,
} from "../../core/errors.ts";

const OF_SETTLED: ReadonlySet<string> = new Set([
  "TIMEOUT",
  "EXECUTION",
  "WORKER_LOST",
  "NO_WORKER",
  "ENCODING",
  "RUNNER_STOPPED",
  "ABORTED",
]);
const OF_REFUSED: ReadonlySet<string> = new Set(["ENCODING", "RUNNER_STOPPED", "ABORTED"]);

/** Whether `execute` may refuse a call with this. A wrong argument is a TypeError or RangeError; a caller's own reason to abort may be anything. */
export function fitsRefusal(error: unknown): boolean {
  if (error instanceof QueueFullError) return true;
  if (error instanceof PowerhoseError) return OF_REFUSED.has(error.code);
  return !(error instanceof ReferenceError);
}

/**
 * Says what is wrong with the error of a call that was taken in and settled `waited` ms later; `undefined` when nothing is.
 * No limit may have been said to pass before it has.
 */
export function fitsSettlement(error: unknown, options: CallOptions, waited: number): string | undefined {
  if (options.signal?.aborted === true && Object.is(error, options.signal.reason)) return undefined;
  if (!(error instanceof PowerhoseError)) return `what is no error of this library: ${String(error)}`;
  if (!OF_SETTLED.has(error.code)) return `${error.code}, which is not for a call that was taken in`;
  if (error.code === "ABORTED" && options.signal === undefined) return "ABORTED, and no signal could abort it";
  if (error.code === "NO_WORKER" && !options.failFast) return "NO_WORKER, and it did not ask to fail fast";
  if (error instanceof WorkerLostError) return fitsLoss(error, options);
  if (!(error instanceof TimeoutError)) return undefined;
  const limit = limitOf(error, options);
  if (error.ms !== limit) return `a ${error.kind} timeout of ${error.ms} ms, and the limit is ${limit}`;
  return waited < limit - 1e-6 ? `a ${error.kind} timeout of ${limit} ms after ${waited} ms` : undefined;
}

/** Whether an error is the limit of a relay's fleet that its answer tells. */
export function fitsFleetLimit(error: unknown, { code, limit }: JobFailedMessage): boolean {
  switch (code) {
    case "maxQueue":
    case "maxQueueBytes":
      return error instanceof QueueFullError && error.limit === code && error.max === limit;
    case "acquire":
    case "queue":
      return error instanceof TimeoutError && error.kind === code && error.ms === limit;
    case "encoding":
      return error instanceof EncodingError;
    default:
      return false;
  }
}

/** A job is given up with its worker only when it may not be tried again. */
function fitsLoss({ attempts }: WorkerLostError, options: CallOptions): string | undefined {
  const count = (outcome: AttemptOutcome): number => attempts.filter((one) => one.outcome === outcome).length;
  const last = attempts.at(-1)?.outcome;
  const made = attempts.length - count("rejected") - count("not-sent");
  if (last !== "lost" || made >= options.attempts || count("lost") >= options.maxLost) return undefined;
  return `WORKER_LOST after ${count("lost")} losses and ${made} attempts, of ${options.maxLost} and ${options.attempts}`;
}

function limitOf({ kind }: TimeoutError, options: CallOptions): number {
  switch (kind) {
    case "acquire":
      return options.acquireTimeout;
    case "queue":
      return options.queueTimeout;
    case "attempt":
      return options.timeout;
    case "deadline":
      return options.deadline;
  }
}
