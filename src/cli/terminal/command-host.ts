/** The host's side of a command: its streams, its environment and its end. Commands get it from main.ts. */
import type { Environment } from "./flags.ts";
import type { HostStream } from "./output.ts";

/** What a command has of the process. */
export interface CommandHost {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: HostStream;
  readonly env: Environment;
  /** Ends the process at once. */
  exit(code: number): never;
}
