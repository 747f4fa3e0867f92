/** What a call is rejected with when it was not the handler's fault, in words. */
import { type AttemptRecord, NoWorkerError, TimeoutError, WorkerLostError } from "./errors.ts";

type Records = readonly AttemptRecord[];

/** No worker registered for `ms`. */
export function acquireTimedOut(ms: number, attempts: Records): TimeoutError {
  return new TimeoutError(`Could not get a worker in ${ms} ms (none is registered)`, "acquire", ms, { attempts });
}

/** No slot was free for `ms`. */
export function queueTimedOut(ms: number, workers: number, attempts: Records): TimeoutError {
  return new TimeoutError(`waited ${ms} ms for a free slot (${workers} workers, all busy)`, "queue", ms, { attempts });
}

/** The attempt of that number took longer than `ms`. */
export function attemptTimedOut(ms: number, attempt: number, identity: string, attempts: Records): TimeoutError {
  return new TimeoutError(`attempt ${attempt} on ${identity} took over ${ms} ms`, "attempt", ms, { attempts });
}

/** The whole call took longer than `ms`. */
export function deadlinePassed(ms: number, attempts: Records): TimeoutError {
  return new TimeoutError(`the deadline of ${ms} ms passed`, "deadline", ms, { attempts });
}

/** There is no worker, and the caller did not want to wait for one. */
export function noWorker(attempts: Records): NoWorkerError {
  return new NoWorkerError("no worker is registered, and the call asked to fail fast", { attempts });
}

/** The worker and the attempt at it are gone; `what` says how. */
export function workerLost(identity: string, what: string, attempts: Records): WorkerLostError {
  return new WorkerLostError(`worker ${identity} ${what}`, { attempts });
}
