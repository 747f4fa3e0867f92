/**
 * What the threads of the commands load: the user's module, its handler timed. Runs in the threads, never in the command
 * itself; what the times are used for is summary.ts.
 */
import { workerData } from "node:worker_threads";
import { scarcityOf, withCode } from "../../supervisor/scarcity.ts";
import type { Handler } from "../../index.ts";
import { loadHandler } from "../../threads/load.ts";
import { messageOf } from "../terminal/errors.ts";
import { type TimedModule, MODULE_FAULT } from "./timed-module.ts";
import { HandlerTimer } from "./handler-timer.ts";

async function load({ path, module, exportName }: TimedModule): Promise<Handler> {
  try {
    return await loadHandler(module, exportName, path);
  } catch (error) {
    // Not with its cause: what cannot leave the thread would take the words along.
    const message = `${MODULE_FAULT}${messageOf(error)}`;
    throw withCode(new Error(message), message, scarcityOf(error));
  }
}

function isPending(result: unknown): result is PromiseLike<unknown> {
  return typeof result === "object" && result !== null && "then" in result && typeof result.then === "function";
}

const orders = workerData as TimedModule;
const meter = new HandlerTimer(orders.meter);
// The results own stdout: what a handler prints for people must not end up among them.
process.stdout.write = process.stderr.write.bind(process.stderr);
const handler = await load(orders);

/** Runs the user's handler and counts the time until it has returned, thrown or settled. */
export const timed: Handler = (job, context) => {
  const since = process.hrtime.bigint();
  let pending = false;
  try {
    const result: unknown = handler(job, context);
    pending = isPending(result);
    // Whatever can be awaited is a promise to the library too.
    return (pending ? Promise.resolve(result).finally(() => meter.count(since)) : result) as ReturnType<Handler>;
  } finally {
    if (!pending) meter.count(since);
  }
};
