/** The details of a JOBERR: JSON of the error's own fields, `cause` and `errors`, which hold stacks of their own. */
import type { RemoteError } from "../errors.ts";

/** Returns the error without its stack, and without those within it. */
export function withoutStacks(error: RemoteError): RemoteError {
  const { details = "" } = error;
  if (error.stack === "" && !details.includes('"stack"')) return error;
  if (details === "") return { ...error, stack: "" };
  try {
    // Only the library's own `stack`s: a field of that name is never told.
    const text = JSON.stringify(JSON.parse(details), (key, value: unknown) => (key === "stack" ? undefined : value));
    return { ...error, stack: "", details: text };
  } catch {
    return { ...error, stack: "", details: "" };
  }
}
