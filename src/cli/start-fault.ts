/** Turns what the threads say when none of them can start into one line about what the user named. */
import { WorkerStartError } from "../index.ts";
import { CommandError, EXIT } from "./faults.ts";
import { MODULE_FAULT } from "./metered-module.ts";

/** Why the fleet could not start, as one line about what the user named; anything else is handed back as it is. */
export function startFault(error: unknown, typed: string): unknown {
  if (!(error instanceof WorkerStartError)) return error;
  const { cause } = error;
  const ofModule = cause instanceof Error && cause.message.startsWith(MODULE_FAULT);
  const said = ofModule ? cause.message.slice(MODULE_FAULT.length) : `cannot load ${typed}: ${error.message}`;
  return new CommandError(said, EXIT.usage, { cause: error });
}
