/**
 * Writes messages into the bytes of their bodies: one function a message, and one switch for each end, so that neither end
 * carries code that only the other needs. Checks what would damage the frame or the peer's view of it; whether a message makes
 * sense now is checked by the session. The way back is decoder.ts.
 */
import type { ByteWriter } from "./byte-writer.ts";
import { EncodingError, ProtocolError } from "../errors.ts";
import { isIdentity, isPath, isTaskName, MAX_TOLD_LABELS } from "../identifiers.ts";
import type {
  CapacityMessage,
  CreditMessage,
  HelloMessage,
  InputMessage,
  ItemMessage,
  JobErrorMessage,
  JobFailedMessage,
  JobMessage,
  JobResultMessage,
  JobRoute,
  ProgressMessage,
  RunnerMessage,
  WelcomeMessage,
  WireErrorMessage,
  WorkerMessage,
} from "./message.ts";
import { isHoled, MAX_HOLES } from "../job/holed-bytes.ts";
import type { Payload } from "../peer.ts";
import { cutText } from "../job/utf8.ts";
import {
  CANCEL_CODES,
  ERROR_CODES,
  FAILURE_CODES,
  FEATURE,
  FLAG_0,
  FLAG_1,
  FLAG_2,
  FLAG_3,
  FLAG_4,
  FLAG_5,
  FLAG_6,
  FLAG_7,
  GOAWAY_CODES,
  MAX_AVOIDED,
  MAX_ERROR_VALUES,
  MAX_PROGRESS_BYTES,
  NO_LIMIT,
  REJECT_CODES,
  TEXT_BYTES,
} from "./constants.ts";

/**
 * Writes the body of a worker's message. The writer has room for all fixed fields already.
 *
 * @throws ProtocolError when a name or a number is outside its bounds.
 * @throws EncodingError when a result is text with a lone surrogate.
 */
export function encodeWorkerBody(out: ByteWriter, message: WorkerMessage): void {
  switch (message.type) {
    case "JOBRES":
      return encodeResult(out, message);
    case "JOBERR":
      return encodeJobError(out, message);
    case "REJECT":
      out.u64(message.attemptId);
      return out.u8(REJECT_CODES[message.reason]);
    case "ITEM":
    case "PROGRESS":
      return encodePart(out, message);
    case "CREDIT":
      return encodeCredit(out, message);
    case "CANCELLED":
    case "WAITING":
    case "STARTED":
      return out.u64(message.attemptId);
    case "PING":
    case "PONG":
      return out.u32(message.nonce);
    case "FAILED":
      return encodeFailure(out, message);
    case "HELLO":
      return encodeHello(out, message);
    case "CAPACITY":
      return encodeCapacity(out, message);
    case "REMOVE":
      return;
    case "ERROR":
      return encodeWireError(out, message);
  }
}

/**
 * Writes the body of a runner's message. The writer has room for all fixed fields already.
 *
 * @throws ProtocolError when a name or a number is outside its bounds.
 */
export function encodeRunnerBody(out: ByteWriter, message: RunnerMessage): void {
  switch (message.type) {
    case "JOB":
      return encodeJob(out, message);
    case "CANCEL":
      out.u64(message.attemptId);
      return out.u8(CANCEL_CODES[message.reason]);
    case "CREDIT":
      return encodeCredit(out, message);
    case "INPUT":
      return encodePart(out, message);
    case "INPUTEND":
      return out.u64(message.attemptId);
    case "PING":
    case "PONG":
      return out.u32(message.nonce);
    case "WELCOME":
      return encodeWelcome(out, message);
    case "REMOVED":
      return;
    case "GOAWAY":
      out.u8(GOAWAY_CODES[message.reason]);
      return out.u32(wholeMs(message.retryAfter));
    case "ERROR":
      return encodeWireError(out, message);
  }
}

function encodeJob(out: ByteWriter, message: JobMessage): void {
  const { attemptId, attempt, jobId, ttl, job, route, credit, delivered } = message;
  out.u64(attemptId);
  out.u32(attempt);
  out.u64(jobId);
  out.u32(limitMs(ttl));
  const { content, task } = job;
  const kind = kindFlags(out, content) | (task === undefined ? 0 : FLAG_2);
  const wants = (credit === undefined ? 0 : FLAG_3) | (message.wantsProgress === true ? FLAG_5 : 0);
  const gives = (message.hasInput === true ? FLAG_4 : 0) | (delivered === undefined ? 0 : FLAG_1);
  out.u8(kind | wants | gives | (route === undefined ? 0 : FLAG_6));
  if (task !== undefined) encodeTask(out, task);
  if (credit !== undefined || delivered !== undefined) out.reserve(12);
  if (credit !== undefined) out.u32(credit);
  if (delivered !== undefined) out.u64(delivered);
  if (route !== undefined) encodeRoute(out, route);
  if ((kind & FLAG_7) !== 0) encodeHoles(out, content);
  out.text(job.head);
  if (typeof content === "string") out.text(content);
  else encodeBytes(out, content, kind);
}

function encodeTask(out: ByteWriter, task: string): void {
  if (!isTaskName(task)) throw new ProtocolError(`${JSON.stringify(task)} cannot be a task`);
  shortText(out, task);
}

function encodeRoute(out: ByteWriter, { origin, deadline, priority, labels, avoid }: JobRoute): void {
  if (avoid.length > MAX_AVOIDED) throw new ProtocolError(`more than ${MAX_AVOIDED} paths to avoid`);
  out.reserve(8);
  out.u32(limitMs(deadline));
  out.u32(priority >>> 0);
  identifier(out, "runner id", origin);
  labelList(out, labels);
  out.reserve(1);
  out.u8(avoid.length);
  for (const path of avoid) pathText(out, path);
}

function encodeResult(out: ByteWriter, message: JobResultMessage): void {
  const { attemptId, value, durationMs, path } = message;
  out.u64(attemptId);
  const flags = kindFlags(out, value) | (message.endsStream === true ? FLAG_3 : 0);
  flagsAndTime(out, flags, durationMs, path);
  if ((flags & FLAG_7) !== 0) encodeHoles(out, value);
  encodePayload(out, value, flags);
}

function encodeCredit(out: ByteWriter, { attemptId, bytes }: CreditMessage): void {
  out.u64(attemptId);
  out.u32(bytes);
}

function encodePart(out: ByteWriter, { type, attemptId, value }: ItemMessage | InputMessage | ProgressMessage): void {
  out.u64(attemptId);
  // Only what a handler gives stands apart: the buffers of other parts are copied.
  const flags = type === "ITEM" ? kindFlags(out, value) : plainFlags(value);
  out.u8(flags);
  if ((flags & FLAG_7) !== 0) encodeHoles(out, value);
  const start = out.length;
  encodePayload(out, value, flags);
  if (type === "PROGRESS" && out.length - start > MAX_PROGRESS_BYTES)
    throw new ProtocolError(`progress of over ${MAX_PROGRESS_BYTES} bytes`);
}

/** How a payload is written: as text, as bytes, or as bytes whose buffers stand apart. */
function kindFlags({ attached }: ByteWriter, value: Payload): number {
  if (typeof value === "string") return 0;
  return attached !== undefined && isHoled(value) ? FLAG_0 | FLAG_7 : FLAG_0;
}

function plainFlags(value: Payload): number {
  return typeof value === "string" ? 0 : FLAG_0;
}

/** Where buffers belong that are attached to the frame. Nothing may fail behind it. */
function encodeHoles(out: ByteWriter, value: Payload): void {
  if (!isHoled(value)) return;
  const { holes } = value;
  if (value.hasLeft || holes.length > MAX_HOLES) throw new ProtocolError("a payload whose buffers cannot be attached");
  out.reserve(2 + 20 * holes.length);
  out.u16(holes.length);
  for (const { at, content } of holes) {
    out.u32(at);
    out.u64(content.byteOffset);
    out.u64(content.length);
  }
  out.attached?.push(value);
}

function encodeBytes(out: ByteWriter, value: Uint8Array, flags: number): void {
  if ((flags & FLAG_7) !== 0 || !isHoled(value)) return out.raw(value);
  value.checkCarrier(undefined);
  out.reserve(value.length + value.attachedBytes);
  value.eachPiece((piece) => out.raw(piece));
}

function encodePayload(out: ByteWriter, value: Payload, flags: number): void {
  if (typeof value !== "string") return encodeBytes(out, value, flags);
  if (!value.isWellFormed()) throw new EncodingError("the text has a lone surrogate, which UTF-8 cannot carry");
  out.text(value);
}

function encodeJobError(
  out: ByteWriter,
  { attemptId, error, retryable, retryAfter, durationMs, path }: JobErrorMessage,
): void {
  out.u64(attemptId);
  const { details, values } = error;
  const hasValues = values !== undefined && values.length <= MAX_ERROR_VALUES;
  const flags = (retryable ? FLAG_0 : 0) | (details === undefined ? 0 : FLAG_2) | (hasValues ? FLAG_3 : 0);
  flagsAndTime(out, flags, durationMs, path);
  out.reserve(4);
  out.u32(wholeMs(retryAfter));
  for (const part of ["name", "message", "code", "stack"] as const) {
    shortText(out, cutText(error[part], TEXT_BYTES[part]));
  }
  if (details !== undefined) shortText(out, cutText(details, TEXT_BYTES.details));
  if (hasValues) out.raw(values);
}

function flagsAndTime(out: ByteWriter, flags: number, durationMs: number | undefined, path: string | undefined): void {
  out.u8(flags | (durationMs === undefined ? 0 : FLAG_1) | (path === undefined ? 0 : FLAG_6));
  if (durationMs !== undefined) out.u32(Math.min(Math.max(Math.round(durationMs * 1_000), 0), 0xffff_ffff));
  if (path !== undefined) pathText(out, path);
}

function encodeFailure(out: ByteWriter, message: JobFailedMessage): void {
  out.u64(message.attemptId);
  out.u8(FAILURE_CODES[message.code]);
  out.u64(message.limit);
  out.u64(message.queued);
  out.u64(message.queuedBytes);
  if (message.path === "") shortText(out, "");
  else pathText(out, message.path);
  shortText(out, cutText(message.text, TEXT_BYTES.text));
}

function encodeHello(out: ByteWriter, message: HelloMessage): void {
  const { version, identity, instance, prefetchLimit = 0, features, labels } = message;
  out.u16(version);
  out.u32(features);
  out.u8((message.blocking ? FLAG_0 : 0) | (prefetchLimit > 0 ? FLAG_1 : 0) | (message.isRelay ? FLAG_2 : 0));
  slots(out, message.capacity, (features & FEATURE.capacity) === 0 ? 1 : 0);
  out.u32(Math.min(message.maxPayload, 0xffff_ffff));
  out.u64(message.served);
  identifier(out, "identity", identity);
  identifier(out, "instance", instance);
  labelList(out, labels);
  if (prefetchLimit === 0) return;
  out.reserve(2);
  out.u16(Math.min(prefetchLimit, 0xffff));
}

function encodeCapacity(out: ByteWriter, { capacity, labels }: CapacityMessage): void {
  slots(out, capacity, 0);
  labelList(out, labels);
}

function slots(out: ByteWriter, capacity: number, min: number): void {
  if (!(Number.isInteger(capacity) && capacity >= min && capacity <= 0xffff)) {
    throw new ProtocolError(`expected a capacity from ${min} to 65535, got ${capacity}`);
  }
  out.u16(capacity);
}

function labelList(out: ByteWriter, labels: readonly string[]): void {
  if (labels.length > MAX_TOLD_LABELS) throw new ProtocolError(`more than ${MAX_TOLD_LABELS} labels`);
  out.reserve(1);
  out.u8(labels.length);
  for (const label of labels) identifier(out, "label", label);
}

function encodeWelcome(out: ByteWriter, message: WelcomeMessage): void {
  out.u16(message.version);
  out.u32(Math.max(wholeMs(message.heartbeat), 1));
  out.u32(Math.min(message.maxPayload, 0xffff_ffff));
  out.u32(message.features);
  identifier(out, "session id", message.sessionId);
  identifier(out, "runner id", message.runnerId);
}

function encodeWireError(out: ByteWriter, message: WireErrorMessage): void {
  out.u8(ERROR_CODES[message.code]);
  out.u32(wholeMs(message.retryAfter));
  shortText(out, cutText(message.text, TEXT_BYTES.text));
}

function identifier(out: ByteWriter, field: string, text: string): void {
  if (!isIdentity(text)) throw new ProtocolError(`${JSON.stringify(text)} cannot be a ${field}`);
  shortText(out, text);
}

function pathText(out: ByteWriter, path: string): void {
  if (!isPath(path)) throw new ProtocolError(`${JSON.stringify(path)} cannot be a path`);
  shortText(out, path);
}

function shortText(out: ByteWriter, text: string): void {
  out.reserve(2);
  const at = out.length;
  out.u16(0);
  out.text(text);
  out.patchU16(at, out.length - at - 2);
}

/** A limit on the wire: rounded up, so that it is never zero, which would be over before it began. */
function limitMs(ms: number): number {
  return ms === Number.POSITIVE_INFINITY ? NO_LIMIT : Math.min(Math.max(Math.ceil(ms), 1), NO_LIMIT - 1);
}

/** A wish on the wire; what a handler asked for may be any number. */
function wholeMs(ms: number): number {
  return ms > 0 ? Math.min(Math.ceil(ms), 0xffff_ffff) : 0;
}
