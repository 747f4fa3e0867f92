/** The errors a call settles with: of its handler, of limits, of missing workers, of a stopped runner. */
import { type WorkerSelector, describeLabels, nameLabels } from "../pool/worker-selector.ts";
import {
  type AttemptRecord,
  because,
  EncodingError,
  ExecutionError,
  NoWorkerError,
  type PowerhoseError,
  QueueFullError,
  type RemoteError,
  TimeoutError,
  WorkerLostError,
} from "../errors.ts";
import { withoutStacks } from "../protocol/error-details.ts";
import type { JobFailedMessage } from "../protocol/message.ts";
import { remoteCause } from "./remote-error.ts";

/** The job an error is about, and what was tried. */
export interface FailedCall {
  readonly jobId: string;
  readonly attempts: readonly AttemptRecord[];
}

/** The missing workers in words; `anyMissing` when there is no selector. */
function missing(selector: WorkerSelector | undefined, anyMissing: string): string {
  if (selector === undefined) return anyMissing;
  const { labels, excludedPrincipals: except } = selector;
  if (except.size > 0) return `no worker of another principal is registered${describeLabels(labels)}`;
  return `no registered worker has ${nameLabels(labels)}`;
}

/** What an error of a call carries besides its words. */
export function about({ jobId, attempts }: FailedCall): FailedCall {
  return { jobId, attempts };
}

/** Its handler threw. */
export function handlerFailed(thrown: RemoteError, showsStacks: boolean, call: FailedCall): ExecutionError {
  const told = showsStacks ? thrown : withoutStacks(thrown);
  return new ExecutionError(told, { ...about(call), cause: remoteCause(told) });
}

/** Its data could not be sent: it is over a limit, or its bytes are gone. */
export function unsendable(cause: unknown, call: FailedCall): EncodingError {
  if (cause instanceof EncodingError) return new EncodingError(cause.message, -1, about(call));
  return new EncodingError("the job's data cannot be read any more", -1, { ...about(call), cause });
}

/** No worker that could take it registered for `ms`. */
export function acquireTimedOut(
  ms: number,
  selector: WorkerSelector | undefined,
  call: FailedCall,
  trouble: Error | undefined,
): TimeoutError {
  const why = `${missing(selector, "none is registered")}${because(trouble)}`;
  return new TimeoutError(`Could not get a worker in ${ms} ms (${why})`, "acquire", ms, {
    ...about(call),
    cause: trouble,
  });
}

/** No slot was free for `ms`. */
export function queueTimedOut(
  ms: number,
  workers: number,
  selector: WorkerSelector | undefined,
  call: FailedCall,
): TimeoutError {
  const busy = `${workers} workers${describeLabels(selector?.labels ?? [])}, all busy`;
  const message = `waited ${ms} ms for a free slot (${workers === 0 ? missing(selector, "none is registered") : busy})`;
  return new TimeoutError(message, "queue", ms, about(call));
}

/** The attempt of that number took, or was silent for, longer than `ms`. */
export function attemptTimedOut(
  ms: number,
  attempt: number,
  identity: string,
  did: "took" | "sent nothing for",
  call: FailedCall,
): TimeoutError {
  return new TimeoutError(`attempt ${attempt} on ${identity} ${did} over ${ms} ms`, "attempt", ms, about(call));
}

/** The whole call took longer than `ms`. */
export function deadlinePassed(ms: number, call: FailedCall): TimeoutError {
  return new TimeoutError(`the deadline of ${ms} ms passed`, "deadline", ms, about(call));
}

/** No worker matches, and the call is to fail fast. */
export function noWorker(
  call: FailedCall & { readonly selector: WorkerSelector | undefined },
  trouble: Error | undefined,
): NoWorkerError {
  const message = `${missing(call.selector, "no worker is registered")}, and the call asked to fail fast${because(trouble)}`;
  return new NoWorkerError(message, { ...about(call), cause: trouble });
}

/** The leased worker does not match. */
export function unfitLease(selector: WorkerSelector | undefined, call: FailedCall): NoWorkerError {
  return new NoWorkerError(`the leased worker is not one${describeLabels(selector?.labels ?? [])}`, about(call));
}

/** A job on a leased worker cannot be verified by several principals. */
export function verifiedOnLease(principals: number, call: FailedCall): NoWorkerError {
  const message = `a leased worker is of one principal, and the job is to be verified by ${principals}`;
  return new NoWorkerError(message, about(call));
}

/** Fewer principals have workers than the call is to be verified by. */
export function tooFewPrincipals(
  needed: number,
  there: number,
  labels: readonly string[],
  call: FailedCall,
  cause?: unknown,
): NoWorkerError {
  const message = `verified by ${needed}, the job needs workers of ${needed} principals${describeLabels(labels)}: ${there} ${there === 1 ? "is" : "are"} registered`;
  return new NoWorkerError(message, { ...about(call), cause });
}

/** The job failed in the fleet behind a relay: the error is that of the same failure in this runner's own fleet. */
export function fleetFailed(
  { code, path, text, limit, queued, queuedBytes }: Omit<JobFailedMessage, "type" | "attemptId">,
  call: FailedCall,
): PowerhoseError {
  const info = about(call);
  switch (code) {
    case "maxQueue":
    case "maxQueueBytes":
      return new QueueFullError(text, { limit: code, max: limit, queued, queuedBytes }, info);
    case "acquire":
    case "queue":
      return new TimeoutError(text, code, limit, info);
    case "encoding":
      return new EncodingError(text, -1, info);
    case "lost":
    case "bystander":
      return workerLost(path, `was lost with the job in flight: ${text}`, call);
  }
}

/** The worker and the attempt at it are gone; `text` says how. */
export function workerLost(identity: string, text: string, call: FailedCall, cause?: unknown): WorkerLostError {
  return new WorkerLostError(`worker ${identity} ${text}`, { ...about(call), cause });
}
