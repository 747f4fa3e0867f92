/**
 * Reads the bytes of a body into its message: one function a message, and one switch for each end. Every fault a peer can make
 * within one message ends here as a ProtocolError; whether the message makes sense now is checked by the session. The way out is
 * encoder.ts.
 */
import type { ByteReader } from "./byte-reader.ts";
import { ProtocolError } from "../errors.ts";
import { IDENTITY_FORM, isIdentity, MAX_LABELS } from "../identifiers.ts";
import { Job } from "../job/job.ts";
import type {
  HelloMessage,
  JobErrorMessage,
  JobMessage,
  JobResultMessage,
  Message,
  RunnerMessage,
  WelcomeMessage,
  WireErrorMessage,
  WorkerMessage,
} from "./message.ts";
import { PROTOCOL_VERSION } from "./message.ts";
import {
  CANCEL_CODES,
  ERROR_CODES,
  FLAG_0,
  NO_LIMIT,
  GOAWAY_CODES,
  FLAG_1,
  invert,
  REJECT_CODES,
  TEXT_BYTES,
} from "./constants.ts";

// Marked as free of effects, or a bundler would have to keep those that it has no reader for.
const rejectReasons = /* @__PURE__ */ invert(REJECT_CODES);
const cancelReasons = /* @__PURE__ */ invert(CANCEL_CODES);
const goAwayReasons = /* @__PURE__ */ invert(GOAWAY_CODES);
const errorCodes = /* @__PURE__ */ invert(ERROR_CODES);

/**
 * Reads the body of a message that a worker sent.
 *
 * @throws ProtocolError when it is malformed, or not a worker's to send.
 */
export function decodeWorkerBody(input: ByteReader, type: Message["type"]): WorkerMessage {
  switch (type) {
    case "JOBRES":
      return decodeResult(input);
    case "JOBERR":
      return decodeJobError(input);
    case "REJECT":
      return { type, attemptId: attemptId(input), reason: lookUp(rejectReasons, input.u8(), "reason") };
    case "CANCELLED":
      return { type, attemptId: attemptId(input) };
    case "PING":
    case "PONG":
      return { type, nonce: input.u32() };
    case "HELLO":
      return decodeHello(input);
    case "REMOVE":
      return { type };
    case "ERROR":
      return decodeWireError(input);
    default:
      throw wrongWay(type satisfies Exclude<Message["type"], WorkerMessage["type"]>, "worker");
  }
}

/**
 * Reads the body of a message that a runner sent.
 *
 * @throws ProtocolError when it is malformed, or not a runner's to send.
 */
export function decodeRunnerBody(input: ByteReader, type: Message["type"]): RunnerMessage {
  switch (type) {
    case "JOB":
      return decodeJob(input);
    case "CANCEL":
      return { type, attemptId: attemptId(input), reason: lookUp(cancelReasons, input.u8(), "reason") };
    case "PING":
    case "PONG":
      return { type, nonce: input.u32() };
    case "WELCOME":
      return decodeWelcome(input);
    case "REMOVED":
      return { type };
    case "GOAWAY":
      return { type, reason: lookUp(goAwayReasons, input.u8(), "reason"), retryAfter: input.u32() };
    case "ERROR":
      return decodeWireError(input);
    default:
      throw wrongWay(type satisfies Exclude<Message["type"], RunnerMessage["type"]>, "runner");
  }
}

function wrongWay(type: string, sender: string): ProtocolError {
  return new ProtocolError(`${type} is not a ${sender}'s to send`);
}

function decodeJob(input: ByteReader): JobMessage {
  const id = attemptId(input);
  const attempt = positive(input.u32(), "attempt number");
  const jobId = input.u64();
  const ttl = limitMs(input.u32());
  try {
    const job = input.restAs(flag(input) ? Job.readBytes : Job.readText);
    return { type: "JOB", attemptId: id, attempt, jobId, ttl, job };
  } catch (cause) {
    if (cause instanceof ProtocolError) throw cause;
    throw new ProtocolError("a JOB holds a malformed job", { cause });
  }
}

function decodeResult(input: ByteReader): JobResultMessage {
  const id = attemptId(input);
  const flags = flagsOf(input);
  const durationMs = (flags & FLAG_1) === 0 ? undefined : input.u32() / 1_000;
  const value = (flags & FLAG_0) === 0 ? input.restText() : input.restKept();
  return { type: "JOBRES", attemptId: id, value, durationMs };
}

function decodeJobError(input: ByteReader): JobErrorMessage {
  const id = attemptId(input);
  const flags = flagsOf(input);
  const retryable = (flags & FLAG_0) !== 0;
  const durationMs = (flags & FLAG_1) === 0 ? undefined : input.u32() / 1_000;
  const retryAfter = input.u32();
  const name = input.shortText(TEXT_BYTES.name);
  const message = input.shortText(TEXT_BYTES.message);
  const code = input.shortText(TEXT_BYTES.code);
  const stack = input.shortText(TEXT_BYTES.stack);
  return {
    type: "JOBERR",
    attemptId: id,
    error: { name, message, code, stack },
    retryable,
    retryAfter,
    durationMs,
  };
}

function decodeHello(input: ByteReader): HelloMessage {
  const version = input.u16();
  if (version !== PROTOCOL_VERSION) {
    // What follows is that version's business. The runner must get to see the version, to be able to say so.
    input.skipRest();
    return { type: "HELLO", version, identity: "", instance: "", capacity: 0, blocking: false, served: 0, labels: [] };
  }
  const flags = flagsOf(input);
  const blocking = (flags & FLAG_0) !== 0;
  const capacity = positive(input.u16(), "capacity");
  const served = input.u64();
  const identity = identifier(input, "identity");
  const instance = identifier(input, "instance");
  const count = input.u8();
  if (count > MAX_LABELS) throw new ProtocolError(`a HELLO with ${count} labels: at most ${MAX_LABELS}`);
  const labels: string[] = [];
  for (let i = 0; i < count; i++) labels.push(identifier(input, "label"));
  const prefetchLimit = (flags & FLAG_1) === 0 ? undefined : positive(input.u16(), "prefetch limit");
  return { type: "HELLO", version, identity, instance, capacity, prefetchLimit, blocking, served, labels };
}

function decodeWelcome(input: ByteReader): WelcomeMessage {
  const version = input.u16();
  if (version !== PROTOCOL_VERSION) throw new ProtocolError(`a WELCOME of protocol version ${version}`);
  const heartbeat = positive(input.u32(), "heartbeat");
  const maxPayload = input.u32();
  const sessionId = identifier(input, "session id");
  const runnerId = identifier(input, "runner id");
  return { type: "WELCOME", version, sessionId, runnerId, heartbeat, maxPayload };
}

function decodeWireError(input: ByteReader): WireErrorMessage {
  const code = lookUp(errorCodes, input.u8(), "error code");
  const retryAfter = input.u32();
  return { type: "ERROR", code, text: input.shortText(TEXT_BYTES.text), retryAfter };
}

function attemptId(input: ByteReader): number {
  return positive(input.u64(), "attempt id");
}

function flag(input: ByteReader): boolean {
  const flags = input.u8();
  if (flags > FLAG_0) throw new ProtocolError(`flags of no meaning: ${flags}`);
  return flags === FLAG_0;
}

/** The flags of a message that has two. */
function flagsOf(input: ByteReader): number {
  const flags = input.u8();
  if (flags > (FLAG_0 | FLAG_1)) throw new ProtocolError(`flags of no meaning: ${flags}`);
  return flags;
}

function limitMs(ms: number): number {
  return ms === NO_LIMIT ? Number.POSITIVE_INFINITY : positive(ms, "ttl");
}

function positive(value: number, field: string): number {
  if (value === 0) throw new ProtocolError(`the ${field} must not be 0`);
  return value;
}

function identifier(input: ByteReader, field: string): string {
  const text = input.shortText(0xffff);
  // Not quoted: it may be long, and comes from a peer that breaks the rules.
  if (!isIdentity(text)) throw new ProtocolError(`a malformed ${field}: expected ${IDENTITY_FORM}`);
  return text;
}

/**
 * The name of a code.
 *
 * @throws ProtocolError when it has none.
 */
export function lookUp<Name extends string>(names: readonly (Name | undefined)[], code: number, field: string): Name {
  const name = names[code];
  if (name === undefined) throw new ProtocolError(`an unknown ${field}: ${code}`);
  return name;
}
