/**
 * The words of anything thrown. No function here throws, whatever a getter, a proxy or a `toString` does. `describeError` is for
 * a message that already says what failed, `errorLine` for one that does not, `errorParts` for a record.
 */

/** The name and message of anything thrown. */
export interface ErrorParts {
  /** Empty when what was thrown is not an Error. */
  readonly name: string;
  /** Of what is not an Error, its text. */
  readonly message: string;
}

/** Returns name and message of anything thrown. */
export function errorParts(thrown: unknown): ErrorParts {
  try {
    if (!(thrown instanceof Error)) return { name: "", message: String(thrown) };
    // Typed as strings, but any value may be assigned to them.
    const { name, message }: { readonly name: unknown; readonly message: unknown } = thrown;
    return { name: String(name), message: String(message) };
  } catch {
    return { name: "", message: "an error without words" };
  }
}

/** Returns an error's message, without name and stack; of anything else, its text. */
export function describeError(thrown: unknown): string {
  return errorParts(thrown).message;
}

/** Returns the first line of `TypeError: two is one too many`; of what is not an Error, of its text. */
export function errorLine(thrown: unknown): string {
  const { name, message } = errorParts(thrown);
  const [line = ""] = (name === "" ? message : `${name}: ${message}`).split("\n", 1);
  return line;
}
