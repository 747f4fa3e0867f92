/** A dial that is expected to fail, and all that its error tells. */
import type { Dialer } from "../../../src/core/transport/listener.ts";

const LIMITS = { maxFrameBytes: 64 * 1024 };

/** Everything an error tells, and the errors underneath. */
export function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.message}\n${error.stack ?? ""}\n${JSON.stringify(error)}\n${error.cause === undefined ? "" : told(error.cause)}`;
}

/** What a dial rejects with; nothing, and the connection is closed, when it does not. */
export async function failureOf(dialer: Dialer): Promise<unknown> {
  try {
    (await dialer.dial(new AbortController().signal, LIMITS)).close();
    return undefined;
  } catch (error) {
    return error;
  }
}
