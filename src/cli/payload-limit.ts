/** How large a job or a result may be: what `--max-payload` of all commands means. Enforced by the library. */
import type { Flags } from "./flags.ts";

/** What holds when nothing is said, in bytes. */
export const DEFAULT_MAX_PAYLOAD: number = 1_048_576;

/** Beyond that a text of twice the bytes no longer fits in one string, and a few jobs fill the memory. */
const LARGEST = 256 * 1_048_576;

/**
 * Reads `--max-payload`, in bytes.
 * @throws CommandError (usage) when it is not a whole number from 1 to 256 MiB.
 */
export function readMaxPayload(flags: Flags): number {
  return flags.integer("max-payload", 1, LARGEST) ?? DEFAULT_MAX_PAYLOAD;
}
