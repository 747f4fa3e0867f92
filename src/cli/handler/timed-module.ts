/** What the commands and their threads tell each other about the user's module: see timed-handler.ts. */

/** What a command hands to each thread. */
export interface TimedModule {
  /** Its path as the user typed it, for messages. */
  readonly path: string;
  /** The module's URL. */
  readonly module: string;
  /** The export that is the handler. */
  readonly exportName: string;
  /** The meter all threads share. */
  readonly meter: SharedArrayBuffer;
}

/** What a message about a module that is of no use begins with, so that the command finds it among the causes. */
export const MODULE_FAULT = "module fault: ";
