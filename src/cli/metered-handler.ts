/**
 * What the threads of `powerhose run` load: the user's module, its handler timed. Runs in the threads, never in the
 * command itself; what the times are used for is summary.ts.
 */
import { workerData } from "node:worker_threads";
import type { Handler } from "../index.ts";
import { wordsOf } from "./faults.ts";
import { CANNOT_LOAD, type MeteredModule } from "./metered-module.ts";
import { RunMeter } from "./run-meter.ts";

async function load({ typed, module, exportName }: MeteredModule): Promise<Handler> {
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = (await import(module)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    const name = error instanceof Error ? `${error.name}: ` : "";
    throw new Error(`${CANNOT_LOAD}${typed}: ${name}${wordsOf(error).split("\n", 1)[0] ?? ""}`, { cause: error });
  }
  const handler = exported[exportName];
  if (typeof handler === "function") return handler as Handler;
  const names = Object.keys(exported).join(", ");
  const why = Object.hasOwn(exported, exportName)
    ? `its export \`${exportName}\` is not a function`
    : `it has no export \`${exportName}\` (it exports ${names === "" ? "nothing" : names})`;
  throw new Error(`${CANNOT_LOAD}${typed}: ${why}`);
}

const orders = workerData as MeteredModule;
const meter = new RunMeter(orders.meter);
// The results own stdout: what a handler prints for people must not end up among them.
process.stdout.write = process.stderr.write.bind(process.stderr);
const handler = await load(orders);

/** Runs the user's handler and counts the time until it has returned, thrown or settled. */
export const metered: Handler = (job, context) => {
  const since = process.hrtime.bigint();
  let pending = false;
  try {
    const result = handler(job, context);
    pending = result instanceof Promise;
    return result instanceof Promise ? result.finally(() => meter.count(since)) : result;
  } finally {
    if (!pending) meter.count(since);
  }
};
