/** What an ERROR of a runner means for its worker. */
import { AuthError, ProtocolError } from "../errors.ts";
import type { WireErrorMessage } from "../protocol/message.ts";

/** A refusal in words; `error` when to connect again would not help. */
export interface RunnerRefusal {
  readonly text: string;
  readonly error: AuthError | ProtocolError | undefined;
}

/** What the runner says. */
export function refusalBy({ code, text: said }: WireErrorMessage): RunnerRefusal {
  const text = `the runner says ${code}: ${said}`;
  if (code === "UNAUTHORIZED" || code === "ID_TAKEN") return { text, error: new AuthError(text) };
  const isFatal = code === "VERSION" || code === "PROTOCOL";
  return { text, error: isFatal ? new ProtocolError(text) : undefined };
}
