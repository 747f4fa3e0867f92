/** The threads in which the commands run the user's module: timed, and with what it prints kept off stdout. */
import type { Listener } from "../../index.ts";
import { threads, type ThreadsOptions } from "../../threads/index.ts";
import type { TimedModule } from "./timed-module.ts";
import type { ModuleName } from "./module-path.ts";
import type { HandlerTimer } from "./handler-timer.ts";

/** What local threads are called. */
const THREAD_NAME = "thread";

/** Nobody wants to wait half a minute between two crashes to learn that a module is of no use. */
const PERSISTENCE = { maxCrashes: 12, restartMax: 500 };

/** Threads that serve a module's handler and count its runs. */
export function userThreads(
  { path, url, exportName }: ModuleName,
  meter: HandlerTimer,
  options: Pick<ThreadsOptions, "size" | "capacity">,
): Listener {
  const orders: TimedModule = { path, module: url.href, exportName, meter: meter.memory };
  const script = new URL("./timed-handler.js", import.meta.url);
  return threads(script, { ...PERSISTENCE, ...options, name: THREAD_NAME, export: "timed", workerData: orders });
}
