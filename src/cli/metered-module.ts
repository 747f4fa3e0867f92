/** What `powerhose run` and its threads tell each other about the user's module: see metered-handler.ts. */

/** What the command hands to each thread. */
export interface MeteredModule {
  /** As the user typed it, for messages. */
  readonly typed: string;
  /** The module's URL. */
  readonly module: string;
  /** The export that is the handler. */
  readonly exportName: string;
  /** The meter all threads share. */
  readonly meter: SharedArrayBuffer;
}

/** What a message about a module that is of no use begins with, so that the command finds it among the causes. */
export const CANNOT_LOAD = "cannot load ";
