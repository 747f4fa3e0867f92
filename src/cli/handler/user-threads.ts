/** The threads in which the commands run the user's module, and what their failures mean for the command. */
import { type Listener, WorkerStartError } from "../../index.ts";
import { scarcityOf } from "../../supervisor/scarcity.ts";
import { threads, type ThreadsOptions } from "../../threads/index.ts";
import { CommandError, EXIT } from "../terminal/errors.ts";
import { type HandlerTimer, MODULE_FAULT, type TimedModule } from "./handler-timer.ts";
import type { ModuleName } from "./module-path.ts";

/** What local threads are called. */
const THREAD_NAME = "thread";

/** A user learns within seconds that a module is of no use: the pauses between two crashes stay short. */
const RESTARTS = { maxCrashes: 12, restartMax: 500 };

/** Threads that serve a module's handler and time its runs. */
export function userThreads(
  { path, url, exportName }: ModuleName,
  timer: HandlerTimer,
  options: Pick<ThreadsOptions, "size" | "capacity">,
): Listener {
  const module: TimedModule = { path, module: url.href, exportName, timer: timer.memory };
  const script = new URL("./timed-handler.js", import.meta.url);
  return threads(script, { ...RESTARTS, ...options, name: THREAD_NAME, export: "timed", workerData: module });
}

/** Why the threads could not start, as one line about the module that was typed; any other error is returned as it is. */
export function startError(error: unknown, typed: string): unknown {
  if (!(error instanceof WorkerStartError)) return error;
  const { cause } = error;
  const isModuleFault = cause instanceof Error && cause.message.startsWith(MODULE_FAULT);
  const message = isModuleFault ? cause.message.slice(MODULE_FAULT.length) : `cannot load ${typed}: ${error.message}`;
  // A resource that has run out is no mistake on the command line.
  return new CommandError(message, scarcityOf(error) === undefined ? EXIT.usage : EXIT.failed, { cause: error });
}

/** Whether a listener's error means that all threads are given up. */
export function isLastThreadLost(error: Error): boolean {
  return error instanceof WorkerStartError && error.givenUp === "all";
}
