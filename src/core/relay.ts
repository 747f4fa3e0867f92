/**
 * A handler that hands its jobs to another runner, so that runners can be stacked. A process whose connection lives on the main
 * thread and whose handlers run in threads is a Worker with a relay to a runner over threads. A broker is the same with remote
 * workers.
 */
import type { ExecuteOptions } from "./job/execute-options.ts";
import { ExecutionError, PowerhoseError } from "./errors.ts";
import type { JobRunner } from "./runner/runner.ts";
import type { Handler } from "./worker/execution.ts";

/** A failure that is the fleet's, not the job's: the caller's runner may try elsewhere. */
function asRetryable(error: PowerhoseError): Error {
  return Object.assign(new Error(error.message, { cause: error }), {
    name: error.name,
    code: error.code,
    retryable: true,
  });
}

/**
 * Makes a handler of a runner. The caller's runner keeps count of attempts and time, so by default each job is tried once
 * here and without a limit of its own; an abort is passed on, a handler's error arrives as it was thrown.
 */
export function relay(runner: JobRunner, options: Omit<ExecuteOptions, "signal"> = {}): Handler {
  const defaults: ExecuteOptions = { attempts: 1, timeout: Number.POSITIVE_INFINITY, ...options };
  return async (job, { signal }) => {
    try {
      return await runner.execute(job, { ...defaults, signal });
    } catch (error) {
      throw error instanceof PowerhoseError && !(error instanceof ExecutionError) ? asRetryable(error) : error;
    }
  };
}
