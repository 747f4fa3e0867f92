/** What a command ends with when it cannot go on, and the exit codes of all commands. See main.ts for how it is printed. */
import { describeError } from "../../core/describe-error.ts";

/** The exit codes of every command. */
export const EXIT: Readonly<{ ok: 0; failed: 1; usage: 2; interrupted: 130 }> = Object.freeze({
  /** Everything worked. */
  ok: 0,
  /** Some jobs failed, or what the command needs went away. */
  failed: 1,
  /** The command line, or something it names, is wrong: nothing was run. */
  usage: 2,
  /** Ended by SIGINT or SIGTERM. */
  interrupted: 130,
});

/** The command cannot do what it was asked: one line for the terminal and an exit code, never a stack. */
export class CommandError extends Error {
  /** What the process exits with. */
  readonly exitCode: number;

  /** One line, without the `powerhose: ` before it. */
  constructor(message: string, exitCode: number = EXIT.failed, options?: ErrorOptions) {
    super(message, options);
    this.name = "CommandError";
    this.exitCode = exitCode;
  }
}

/** The command line is wrong. */
export function usage(message: string, cause?: unknown): CommandError {
  return new CommandError(message, EXIT.usage, cause === undefined ? undefined : { cause });
}

/** Whatever was thrown, as an error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(describeError(thrown));
}

/** The host's code of an error, such as `ENOENT`, or nothing. */
export function codeOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
}
