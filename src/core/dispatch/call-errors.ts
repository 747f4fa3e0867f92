/** The errors a call settles with when its handler is not the cause: limits, missing workers, a stopped runner. */
import { type WorkerSelector, describeLabels } from "../pool/worker-selector.ts";
import { type AttemptRecord, because, NoWorkerError, TimeoutError, WorkerLostError } from "../errors.ts";

type Records = readonly AttemptRecord[];

/** The missing workers in words; `anyMissing` when there is no selector. */
function missing(selector: WorkerSelector | undefined, anyMissing: string): string {
  if (selector === undefined) return anyMissing;
  const { labels, excludedPrincipals: except } = selector;
  if (except.size > 0) return `no worker of another principal is registered${describeLabels(labels)}`;
  return `no registered worker has the label${labels.length === 1 ? "" : "s"} ${labels.join(", ")}`;
}

/** No worker that could take it registered for `ms`. */
export function acquireTimedOut(
  ms: number,
  selector: WorkerSelector | undefined,
  attempts: Records,
  trouble: Error | undefined,
): TimeoutError {
  const why = `${missing(selector, "none is registered")}${because(trouble)}`;
  return new TimeoutError(`Could not get a worker in ${ms} ms (${why})`, "acquire", ms, { attempts, cause: trouble });
}

/** No slot was free for `ms`. */
export function queueTimedOut(
  ms: number,
  workers: number,
  selector: WorkerSelector | undefined,
  attempts: Records,
): TimeoutError {
  const busy = `${workers} workers${describeLabels(selector?.labels ?? [])}, all busy`;
  const message = `waited ${ms} ms for a free slot (${workers === 0 ? missing(selector, "none is registered") : busy})`;
  return new TimeoutError(message, "queue", ms, { attempts });
}

/** The attempt of that number took longer than `ms`. */
export function attemptTimedOut(ms: number, attempt: number, identity: string, attempts: Records): TimeoutError {
  return new TimeoutError(`attempt ${attempt} on ${identity} took over ${ms} ms`, "attempt", ms, { attempts });
}

/** The whole call took longer than `ms`. */
export function deadlinePassed(ms: number, attempts: Records): TimeoutError {
  return new TimeoutError(`the deadline of ${ms} ms passed`, "deadline", ms, { attempts });
}

/** No worker matches, and the call is to fail fast. */
export function noWorker(
  selector: WorkerSelector | undefined,
  attempts: Records,
  trouble: Error | undefined,
): NoWorkerError {
  const message = `${missing(selector, "no worker is registered")}, and the call asked to fail fast${because(trouble)}`;
  return new NoWorkerError(message, { attempts, cause: trouble });
}

/** The leased worker does not match. */
export function unfitLease(selector: WorkerSelector | undefined): NoWorkerError {
  return new NoWorkerError(`the leased worker is not one${describeLabels(selector?.labels ?? [])}`);
}

/** A job on a leased worker cannot be verified by several principals. */
export function verifiedOnLease(principals: number): NoWorkerError {
  return new NoWorkerError(`a leased worker is of one principal, and the job is to be verified by ${principals}`);
}

/** Fewer principals have workers than the call is to be verified by. */
export function tooFewPrincipals(
  needed: number,
  there: number,
  labels: readonly string[],
  attempts: Records,
  cause?: unknown,
): NoWorkerError {
  const message = `verified by ${needed}, the job needs workers of ${needed} principals${describeLabels(labels)}: ${there} ${there === 1 ? "is" : "are"} registered`;
  return new NoWorkerError(message, { attempts, cause });
}

/** The worker and the attempt at it are gone; `text` says how. */
export function workerLost(identity: string, text: string, attempts: Records): WorkerLostError {
  return new WorkerLostError(`worker ${identity} ${text}`, { attempts });
}
