/** The limits of payloads as the runner keeps them: of a job by both ends, of a result by its own, whatever a worker sends. */
import { EncodingError, type RemoteError } from "../errors.ts";
import { framedBytes, isHoled } from "../job/holed-bytes.ts";
import type { AttachmentKind, Payload } from "../peer.ts";
import { wirePayloadBytes } from "../protocol/codec.ts";
import { RESULT_TOO_LARGE } from "../protocol/constants.ts";

/** The limits of a runner. */
export interface PayloadLimits {
  /** Bytes of a payload as it is framed. */
  readonly maxPayload: number;
  /** Bytes of the buffers that stand apart from it. */
  readonly maxAttachments: number;
}

/** What a payload is sent over, as far as its limits go. */
export interface PayloadCarrier {
  readonly identity: string;
  /** The limit that the worker named in its HELLO. */
  readonly maxPayload: number;
  /** What stands apart on the way; absent: nothing. */
  readonly attachments: AttachmentKind | undefined;
}

/** The bytes of a payload that is over `limit`; `undefined` when it is not. Buffers that stand apart count where they are filled in. */
function bytesOver(data: Payload, limit: number, kind: AttachmentKind | undefined): number | undefined {
  // Three bytes a UTF-16 unit at most: only a string near the limit has to be measured.
  if (typeof data === "string" && data.length * 3 <= limit) return undefined;
  const bytes = typeof data === "string" ? wirePayloadBytes(data) : framedBytes(data, kind);
  return bytes > limit ? bytes : undefined;
}

function attachedBytesOver(data: Payload, limit: number): number | undefined {
  return isHoled(data) && data.attachedBytes > limit ? data.attachedBytes : undefined;
}

/**
 * Checks a job's data against the runner's limits, as if all its buffers could stand apart: which worker it gets is yet unknown.
 * @throws EncodingError when it is over.
 */
export function checkJobSize(data: Payload, { maxPayload, maxAttachments }: PayloadLimits): void {
  const bytes = bytesOver(data, maxPayload, "shared");
  if (bytes !== undefined)
    throw new EncodingError(`the job's data has ${bytes} bytes, over maxPayload (${maxPayload})`);
  const attached = attachedBytesOver(data, maxAttachments);
  if (attached !== undefined)
    throw new EncodingError(`the job's buffers have ${attached} bytes, over maxAttachments (${maxAttachments})`);
}

/**
 * Checks a job's data against the limit that a worker named in its HELLO. Sent all the same, it could cost the session.
 * @throws EncodingError when it is over, the message names both limits; and when it holds memory that cannot go there.
 */
export function checkWorkerLimit(data: Payload, worker: PayloadCarrier, maxPayload: number): void {
  let limit = worker.maxPayload;
  if (isHoled(data)) {
    data.checkCarrier(worker.attachments);
    // Filled in, it may be over the runner's own limit, which was checked without its buffers.
    limit = Math.min(limit, maxPayload);
  }
  const bytes = bytesOver(data, limit, worker.attachments);
  if (bytes === undefined) return;
  throw new EncodingError(
    `the job's data has ${bytes} bytes, over the maxPayload of worker ${worker.identity} (${worker.maxPayload}); ` +
      `the runner's is ${maxPayload}`,
  );
}

/**
 * Checks a job's data before it is sent. Bytes are measured again, as the caller may have resized them since.
 * @throws EncodingError as {@link checkJobSize} and {@link checkWorkerLimit}.
 */
export function checkSendable(data: Payload, worker: PayloadCarrier, limits: PayloadLimits): void {
  if (typeof data !== "string") checkJobSize(data, limits);
  checkWorkerLimit(data, worker, limits.maxPayload);
}

/**
 * Checks an item that goes into a job against the limit that a worker named in its HELLO.
 * @throws EncodingError when it is over.
 */
export function checkItemLimit(item: Payload, { identity, maxPayload, attachments }: PayloadCarrier): void {
  const bytes = bytesOver(item, maxPayload, attachments);
  if (bytes === undefined) return;
  const limit = `over the maxPayload of worker ${identity} (${maxPayload})`;
  throw new EncodingError(`an item of \`input\` has ${bytes} bytes, ${limit}`);
}

/** The words for a result that its worker did not send, as it is over the runner's limit; `undefined` for any other error. */
export function unsentResult({ code, message }: RemoteError, identity: string): string | undefined {
  return code === RESULT_TOO_LARGE ? `worker ${identity}: ${message}` : undefined;
}

/** The words for a result over the runner's limit; `undefined` when it is not. */
export function resultFault(value: Payload, identity: string, limits: PayloadLimits): string | undefined {
  const { maxPayload, maxAttachments } = limits;
  const bytes = bytesOver(value, maxPayload, "shared");
  if (bytes !== undefined)
    return `the result of worker ${identity} has ${bytes} bytes, over maxPayload (${maxPayload})`;
  const attached = attachedBytesOver(value, maxAttachments);
  if (attached === undefined) return undefined;
  return `the buffers of the result of worker ${identity} have ${attached} bytes, over maxAttachments (${maxAttachments})`;
}
