/** The limits of payloads as the runner keeps them: of a job by both ends, of a result by its own, whatever a worker sends. */
import { EncodingError, type RemoteError } from "../errors.ts";
import type { Payload } from "../peer.ts";
import { wirePayloadBytes } from "../protocol/codec.ts";
import { RESULT_TOO_LARGE } from "../protocol/constants.ts";

/** The bytes of a payload that is over `limit`; `undefined` when it is not. */
function bytesOver(data: Payload, limit: number): number | undefined {
  // Three bytes a UTF-16 unit at most: only a string near the limit has to be measured.
  if (typeof data === "string" && data.length * 3 <= limit) return undefined;
  const bytes = wirePayloadBytes(data);
  return bytes > limit ? bytes : undefined;
}

/**
 * Checks a job's data against the runner's limit.
 * @throws EncodingError when it is over.
 */
export function checkJobSize(data: Payload, maxPayload: number): void {
  const bytes = bytesOver(data, maxPayload);
  if (bytes !== undefined)
    throw new EncodingError(`the job's data has ${bytes} bytes, over maxPayload (${maxPayload})`);
}

/**
 * Checks a job's data against the limit that a worker named in its HELLO. Sent all the same, it could cost the session.
 * @throws EncodingError when it is over; the message names both limits.
 */
export function checkWorkerLimit(
  data: Payload,
  worker: { readonly identity: string; readonly maxPayload: number },
  maxPayload: number,
): void {
  const bytes = bytesOver(data, worker.maxPayload);
  if (bytes === undefined) return;
  throw new EncodingError(
    `the job's data has ${bytes} bytes, over the maxPayload of worker ${worker.identity} (${worker.maxPayload}); ` +
      `the runner's is ${maxPayload}`,
  );
}

/** The words for a result that its worker did not send, as it is over the runner's limit; `undefined` for any other error. */
export function unsentResult({ code, message }: RemoteError, identity: string): string | undefined {
  return code === RESULT_TOO_LARGE ? `worker ${identity}: ${message}` : undefined;
}

/** The words for a result over the runner's limit; `undefined` when it is not. */
export function resultFault(value: Payload, identity: string, maxPayload: number): string | undefined {
  const bytes = bytesOver(value, maxPayload);
  return bytes === undefined
    ? undefined
    : `the result of worker ${identity} has ${bytes} bytes, over maxPayload (${maxPayload})`;
}
