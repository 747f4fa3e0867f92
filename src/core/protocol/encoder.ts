/**
 * Writes messages into the bytes of their bodies: one function a message, and one switch for each end, so that neither end
 * carries code that only the other needs. Checks what would damage the frame or the peer's view of it; whether a message makes
 * sense now is checked by the session. The way back is decoder.ts.
 */
import type { ByteWriter } from "./byte-writer.ts";
import { EncodingError, ProtocolError } from "../errors.ts";
import { isIdentity, MAX_LABELS } from "../identifiers.ts";
import type {
  HelloMessage,
  JobErrorMessage,
  JobMessage,
  JobResultMessage,
  RunnerMessage,
  WelcomeMessage,
  WireErrorMessage,
  WorkerMessage,
} from "./message.ts";
import { cutText } from "../job/utf8.ts";
import {
  CANCEL_CODES,
  ERROR_CODES,
  FLAG_0,
  NO_LIMIT,
  GOAWAY_CODES,
  FLAG_1,
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
    case "CANCELLED":
      return out.u64(message.attemptId);
    case "PING":
    case "PONG":
      return out.u32(message.nonce);
    case "HELLO":
      return encodeHello(out, message);
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

function encodeJob(out: ByteWriter, { attemptId, attempt, jobId, ttl, job }: JobMessage): void {
  out.u64(attemptId);
  out.u32(attempt);
  out.u64(jobId);
  out.u32(limitMs(ttl));
  const { data } = job;
  out.u8(typeof data === "string" ? 0 : FLAG_0);
  out.text(job.head);
  if (typeof data === "string") out.text(data);
  else out.raw(data);
}

function encodeResult(out: ByteWriter, { attemptId, value, durationMs }: JobResultMessage): void {
  out.u64(attemptId);
  flagsAndTime(out, typeof value === "string" ? 0 : FLAG_0, durationMs);
  if (typeof value !== "string") return out.raw(value);
  if (!value.isWellFormed()) throw new EncodingError("the result has a lone surrogate, which UTF-8 cannot carry");
  out.text(value);
}

function encodeJobError(
  out: ByteWriter,
  { attemptId, error, retryable, retryAfter, durationMs }: JobErrorMessage,
): void {
  out.u64(attemptId);
  flagsAndTime(out, retryable ? FLAG_0 : 0, durationMs);
  out.u32(wholeMs(retryAfter));
  for (const part of ["name", "message", "code", "stack"] as const) {
    shortText(out, cutText(error[part], TEXT_BYTES[part]));
  }
}

function flagsAndTime(out: ByteWriter, flags: number, durationMs: number | undefined): void {
  if (durationMs === undefined) return out.u8(flags);
  out.u8(flags | FLAG_1);
  out.u32(Math.min(Math.max(Math.round(durationMs * 1_000), 0), 0xffff_ffff));
}

function encodeHello(out: ByteWriter, message: HelloMessage): void {
  const { version, identity, instance, capacity, prefetchLimit = 0, blocking, served, labels } = message;
  if (!(Number.isInteger(capacity) && capacity >= 1 && capacity <= 0xffff)) {
    throw new ProtocolError(`expected a capacity from 1 to 65535, got ${capacity}`);
  }
  if (labels.length > MAX_LABELS) throw new ProtocolError(`more than ${MAX_LABELS} labels`);
  out.u16(version);
  out.u8((blocking ? FLAG_0 : 0) | (prefetchLimit > 0 ? FLAG_1 : 0));
  out.u16(capacity);
  out.u64(served);
  identifier(out, "identity", identity);
  identifier(out, "instance", instance);
  out.reserve(1);
  out.u8(labels.length);
  for (const label of labels) identifier(out, "label", label);
  if (prefetchLimit === 0) return;
  out.reserve(2);
  out.u16(Math.min(prefetchLimit, 0xffff));
}

function encodeWelcome(out: ByteWriter, message: WelcomeMessage): void {
  out.u16(message.version);
  out.u32(Math.max(wholeMs(message.heartbeat), 1));
  out.u32(Math.min(message.maxPayload, 0xffff_ffff));
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
