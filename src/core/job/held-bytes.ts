/**
 * How many bytes a value counts against a budget: an upper bound of the memory its content takes, in constant time. A text
 * counts two bytes for each UTF-16 unit, as V8 keeps it at most; what a value shares with others counts for each of them.
 */
import { ExecutionError, PowerhoseError, VerificationError } from "../errors.ts";
import { NO_HEADERS } from "./headers.ts";
import { filledBytes } from "./holed-bytes.ts";
import { Job } from "./job.ts";
import type { Payload } from "../peer.ts";
import { isBytes } from "./utf8.ts";

/** An error besides its texts: its trace, above all. */
const ERROR_BYTES = 1_024;
/** One record of an attempt. */
const ATTEMPT_BYTES = 128;

const NO_HEADERS_BYTES = 2 * NO_HEADERS.length;

/** The bytes of a text, or of bytes. */
export function heldPayloadBytes(value: Payload): number {
  return typeof value === "string" ? 2 * value.length : filledBytes(value);
}

/** The bytes of a job: its data and its headers. */
export function heldJobBytes({ content, head }: Job): number {
  return heldPayloadBytes(content) + 2 * head.length;
}

/** The bytes of the job that is made of what a caller gives; 0 when none can be. */
export function heldInputBytes(input: unknown): number {
  const job = Job.adopt(input);
  if (job !== undefined) return heldJobBytes(job);
  return typeof input === "string" || isBytes(input) ? heldPayloadBytes(input) + NO_HEADERS_BYTES : 0;
}

/** The bytes of so many records of attempts. */
export function heldAttemptBytes(attempts: number): number {
  return attempts * ATTEMPT_BYTES;
}

/** The bytes of an error. One that this library did not make is the caller's own, and is not looked into. */
export function heldErrorBytes(error: unknown): number {
  if (!(error instanceof PowerhoseError)) return ERROR_BYTES;
  let bytes = ERROR_BYTES + heldPayloadBytes(error.message) + heldAttemptBytes(error.attempts.length);
  if (error instanceof ExecutionError) {
    const { remoteName, remoteMessage, remoteStack, remoteDetails, remoteValues } = error;
    bytes += 2 * (remoteName.length + remoteMessage.length + remoteStack.length + remoteDetails.length);
    bytes += remoteValues?.length ?? 0;
  }
  if (error instanceof VerificationError) for (const { value } of error.answers) bytes += heldPayloadBytes(value);
  return bytes;
}
