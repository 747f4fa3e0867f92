/** The script of the commands' threads: loads the user's module and times its handler. See summary.ts for the use of times. */
import { workerData } from "node:worker_threads";
import { describeError } from "../../core/describe-error.ts";
import { scarcityOf, withCode } from "../../supervisor/scarcity.ts";
import type { Handler } from "../../index.ts";
import { likeHandler } from "../../core/worker/handler-lifecycle.ts";
import { loadExportOrTask } from "./export-or-task.ts";
import { isStream } from "../../core/async/item-pump.ts";
import { TimedItems } from "./timed-items.ts";
import { HandlerTimer, MODULE_FAULT, type TimedModule } from "./handler-timer.ts";

async function load({ path, module, exportName }: TimedModule): Promise<Handler> {
  try {
    return await loadExportOrTask(module, exportName, path);
  } catch (error) {
    // Without its cause: one that cannot be cloned would lose the message too.
    const message = `${MODULE_FAULT}${describeError(error)}`;
    throw withCode(new Error(message), message, scarcityOf(error));
  }
}

function isPending(result: unknown): result is PromiseLike<unknown> {
  return typeof result === "object" && result !== null && "then" in result && typeof result.then === "function";
}

const userModule = workerData as TimedModule;
const timer = new HandlerTimer(userModule.timer);
// stdout holds nothing but results: what a handler prints goes to stderr.
process.stdout.write = process.stderr.write.bind(process.stderr);
const handler = await load(userModule);

/** Counts the run when the result is there, or at the end of a stream. */
function counted(result: unknown, since: bigint): unknown {
  if (isStream(result)) return new TimedItems(result, timer, since);
  timer.count(since);
  return result;
}

/** Runs the user's handler and counts the time until it has returned, thrown or settled. */
const timedHandler: Handler = (job, context) => {
  const since = process.hrtime.bigint();
  const onError = (error: unknown): never => {
    timer.count(since);
    throw error;
  };
  try {
    const result: unknown = handler(job, context);
    // The library treats every thenable as a promise.
    const timed = isPending(result)
      ? Promise.resolve(result).then((value) => counted(value, since), onError)
      : counted(result, since);
    return timed as ReturnType<Handler>;
  } catch (error) {
    return onError(error);
  }
};

/** The same for the tasks that the handler may have. */
export const timed: Handler = likeHandler(timedHandler, handler);
