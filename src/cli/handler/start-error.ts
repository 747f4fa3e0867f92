/** What the threads say when none of them can start, or no more of them, and what it means for the command. */
import { scarcityOf } from "../../supervisor/scarcity.ts";
import { WorkerStartError } from "../../index.ts";
import { CommandError, EXIT } from "../terminal/errors.ts";
import { MODULE_FAULT } from "./timed-module.ts";

/** Why the fleet could not start, as one line about what the user named; anything else is handed back as it is. */
export function startError(error: unknown, typed: string): unknown {
  if (!(error instanceof WorkerStartError)) return error;
  const { cause } = error;
  const ofModule = cause instanceof Error && cause.message.startsWith(MODULE_FAULT);
  const said = ofModule ? cause.message.slice(MODULE_FAULT.length) : `cannot load ${typed}: ${error.message}`;
  // What has run out is nothing that was typed wrong.
  return new CommandError(said, scarcityOf(error) === undefined ? EXIT.usage : EXIT.failed, { cause: error });
}

/** Whether a listener's trouble is a thread's place that was given up: one that is tried again is none. */
export function isPlaceLost(error: Error): boolean {
  return error instanceof WorkerStartError && error.retryIn === undefined;
}
