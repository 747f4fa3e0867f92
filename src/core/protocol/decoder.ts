/**
 * Reads the bytes of a body into its message: one function a message, and one switch for each end. Every fault a peer can make
 * within one message ends here as a ProtocolError; whether the message makes sense now is checked by the session. The way out is
 * encoder.ts.
 */
import type { ByteReader } from "./byte-reader.ts";
import { ProtocolError } from "../errors.ts";
import { IDENTITY_FORM, isIdentity, isPath, isTaskName, MAX_PATH, TASK_FORM } from "../identifiers.ts";
import { Job } from "../job/job.ts";
import type {
  CapacityMessage,
  CreditMessage,
  HelloMessage,
  JobErrorMessage,
  JobFailedMessage,
  JobMessage,
  JobResultMessage,
  JobRoute,
  Message,
  RunnerMessage,
  WelcomeMessage,
  WireErrorMessage,
  WorkerMessage,
} from "./message.ts";
import { type Hole, HoledBytes } from "../job/holed-bytes.ts";
import type { Payload } from "../peer.ts";
import { PROTOCOL_VERSION } from "./message.ts";
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
  invert,
  MAX_AVOIDED,
  MAX_ERROR_VALUES,
  MAX_PROGRESS_BYTES,
  NO_LIMIT,
  REJECT_CODES,
  TEXT_BYTES,
} from "./constants.ts";

// Marked as free of effects, or a bundler would have to keep those that it has no reader for.
const rejectReasons = /* @__PURE__ */ invert(REJECT_CODES);
const failureCodes = /* @__PURE__ */ invert(FAILURE_CODES);
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
    case "ITEM":
      return { type, attemptId: attemptId(input), value: partValue(input) };
    case "PROGRESS":
      return { type, attemptId: attemptId(input), value: progressValue(input) };
    case "CREDIT":
      return decodeCredit(input);
    case "CANCELLED":
    case "WAITING":
    case "STARTED":
      return { type, attemptId: attemptId(input) };
    case "PING":
    case "PONG":
      return { type, nonce: input.u32() };
    case "FAILED":
      return decodeFailure(input);
    case "HELLO":
      return decodeHello(input);
    case "CAPACITY":
      return { type, capacity: input.u16(), labels: labelList(input) } satisfies CapacityMessage;
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
    case "CREDIT":
      return decodeCredit(input);
    case "INPUT":
      return { type, attemptId: attemptId(input), value: payload(input, checkFlags(input.u8(), FLAG_0)) };
    case "INPUTEND":
      return { type, attemptId: attemptId(input) };
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
  const ttl = limitMs(input.u32(), "ttl");
  const flags = input.u8();
  if (flags > FLAG_0) checkFlags(flags, JOB_FLAGS);
  const task = (flags & FLAG_2) === 0 ? undefined : taskName(input);
  const credit = (flags & FLAG_3) === 0 ? undefined : positive(input.u32(), "credit");
  const delivered = (flags & FLAG_1) === 0 ? undefined : positive(input.u64(), "number of items");
  const route = (flags & FLAG_6) === 0 ? undefined : decodeRoute(input);
  const holes = holesOf(input, flags);
  try {
    const read = readJob(input, flags, holes);
    const job = task === undefined ? read : read.forTask(task);
    const message = { type: "JOB", attemptId: id, attempt, jobId, ttl, job } as const;
    if ((flags & ~(FLAG_0 | FLAG_2)) === 0) return message;
    return {
      ...message,
      ...(route === undefined ? {} : { route }),
      ...(credit === undefined ? {} : { credit }),
      ...(delivered === undefined ? {} : { delivered }),
      ...((flags & FLAG_4) === 0 ? {} : { hasInput: true }),
      ...((flags & FLAG_5) === 0 ? {} : { wantsProgress: true }),
    };
  } catch (cause) {
    if (cause instanceof ProtocolError) throw cause;
    throw new ProtocolError("a JOB holds a malformed job", { cause });
  }
}

function readJob(input: ByteReader, flags: number, holes: readonly Hole[] | undefined): Job {
  const job = input.restAs((flags & FLAG_0) === 0 ? Job.readText : Job.readBytes);
  if (holes === undefined) return job;
  checkPlaces(holes, job.data);
  return job.withHoles(holes);
}

/** The places of buffers that came beside the frame. Text has none. */
function holesOf(input: ByteReader, flags: number): readonly Hole[] | undefined {
  if ((flags & FLAG_7) === 0) return undefined;
  if ((flags & FLAG_0) === 0) throw new ProtocolError("holes in a text");
  return input.holes();
}

function checkPlaces(holes: readonly Hole[], { length }: Payload): void {
  const last = holes.at(-1)?.at ?? 0;
  if (last > length) throw new ProtocolError(`a hole at byte ${last} of a payload of ${length}`);
}

function taskName(input: ByteReader): string {
  const name = input.shortText(0xffff);
  if (!isTaskName(name)) throw new ProtocolError(`${JSON.stringify(name)} cannot be a task: expected ${TASK_FORM}`);
  return name;
}

function decodeRoute(input: ByteReader): JobRoute {
  const deadline = limitMs(input.u32(), "deadline");
  const priority = input.u32() | 0;
  const origin = identifier(input, "runner id");
  const labels = labelList(input);
  const count = input.u8();
  if (count > MAX_AVOIDED) throw new ProtocolError(`${count} paths to avoid: at most ${MAX_AVOIDED}`);
  const avoid: string[] = [];
  for (let i = 0; i < count; i++) avoid.push(path(input));
  return { origin, deadline, priority, labels, avoid };
}

function decodeResult(input: ByteReader): JobResultMessage {
  const id = attemptId(input);
  const flags = checkFlags(input.u8(), ANSWER_FLAGS | FLAG_3 | FLAG_7);
  const durationMs = (flags & FLAG_1) === 0 ? undefined : input.u32() / 1_000;
  const route = pathOf(input, flags);
  const value = payload(input, flags);
  if ((flags & FLAG_3) !== 0) return { type: "JOBRES", attemptId: id, value, durationMs, ...route, endsStream: true };
  return { type: "JOBRES", attemptId: id, value, durationMs, ...route };
}

function decodeCredit(input: ByteReader): CreditMessage {
  return { type: "CREDIT", attemptId: attemptId(input), bytes: positive(input.u32(), "credit") };
}

function payload(input: ByteReader, flags: number): Payload {
  const holes = holesOf(input, flags);
  if ((flags & FLAG_0) === 0) return input.restText();
  const bytes = input.restKept();
  if (holes === undefined) return bytes;
  checkPlaces(holes, bytes);
  return new HoledBytes(bytes, holes);
}

function partValue(input: ByteReader): Payload {
  return payload(input, checkFlags(input.u8(), FLAG_0 | FLAG_7));
}

function progressValue(input: ByteReader): Payload {
  const flags = checkFlags(input.u8(), FLAG_0);
  if (input.left > MAX_PROGRESS_BYTES) throw new ProtocolError(`progress of ${input.left} bytes`);
  return payload(input, flags);
}

function decodeJobError(input: ByteReader): JobErrorMessage {
  const id = attemptId(input);
  const flags = checkFlags(input.u8(), ANSWER_FLAGS | FLAG_2 | FLAG_3);
  const retryable = (flags & FLAG_0) !== 0;
  const durationMs = (flags & FLAG_1) === 0 ? undefined : input.u32() / 1_000;
  const route = pathOf(input, flags);
  const retryAfter = input.u32();
  const name = input.shortText(TEXT_BYTES.name);
  const message = input.shortText(TEXT_BYTES.message);
  const code = input.shortText(TEXT_BYTES.code);
  const stack = input.shortText(TEXT_BYTES.stack);
  const details = (flags & FLAG_2) === 0 ? {} : { details: input.shortText(TEXT_BYTES.details) };
  const values = (flags & FLAG_3) === 0 ? {} : errorValues(input);
  return {
    type: "JOBERR",
    attemptId: id,
    error: { name, message, code, stack, ...details, ...values },
    retryable,
    retryAfter,
    durationMs,
    ...route,
  };
}

/** The fields of an error. Too many cost themselves and not the error, as with the texts. */
function errorValues(input: ByteReader): { readonly values?: Uint8Array } {
  const values = input.restKept();
  return values.length > MAX_ERROR_VALUES ? {} : { values };
}

/** The path of an answer, if it has one. */
function pathOf(input: ByteReader, flags: number): { readonly path: string } | undefined {
  return (flags & FLAG_6) === 0 ? undefined : { path: path(input) };
}

function decodeFailure(input: ByteReader): JobFailedMessage {
  const id = attemptId(input);
  const code = lookUp(failureCodes, input.u8(), "failure code");
  const limit = input.u64();
  const queued = input.u64();
  const queuedBytes = input.u64();
  const way = input.shortText(0xffff);
  if (way !== "") checkPath(way);
  const text = input.shortText(TEXT_BYTES.text);
  return { type: "FAILED", attemptId: id, code, path: way, text, limit, queued, queuedBytes };
}

function decodeHello(input: ByteReader): HelloMessage {
  const version = input.u16();
  if (version !== PROTOCOL_VERSION) {
    // What follows is that version's business. The runner must get to see the version, to be able to say so.
    input.skipRest();
    return helloOfVersion(version);
  }
  const features = input.u32();
  const flags = checkFlags(input.u8(), FLAG_0 | FLAG_1 | FLAG_2);
  const blocking = (flags & FLAG_0) !== 0;
  const slots = input.u16();
  const capacity = (features & FEATURE.capacity) === 0 ? positive(slots, "capacity") : slots;
  const maxPayload = input.u32();
  const served = input.u64();
  const identity = identifier(input, "identity");
  const instance = identifier(input, "instance");
  const labels = labelList(input);
  const prefetchLimit = (flags & FLAG_1) === 0 ? undefined : positive(input.u16(), "prefetch limit");
  const names = { identity, instance, labels };
  const limits = { capacity, prefetchLimit, blocking, served, features, maxPayload };
  return { type: "HELLO", version, ...names, ...limits, isRelay: (flags & FLAG_2) !== 0 };
}

function helloOfVersion(version: number): HelloMessage {
  const none = { capacity: 0, blocking: false, served: 0, labels: [], features: 0, maxPayload: 0, isRelay: false };
  return { type: "HELLO", version, identity: "", instance: "", ...none };
}

function labelList(input: ByteReader): string[] {
  const count = input.u8();
  const labels: string[] = [];
  for (let i = 0; i < count; i++) labels.push(identifier(input, "label"));
  return labels;
}

function decodeWelcome(input: ByteReader): WelcomeMessage {
  const version = input.u16();
  if (version !== PROTOCOL_VERSION) throw new ProtocolError(`a WELCOME of protocol version ${version}`);
  const heartbeat = positive(input.u32(), "heartbeat");
  const maxPayload = input.u32();
  const features = input.u32();
  const sessionId = identifier(input, "session id");
  const runnerId = identifier(input, "runner id");
  return { type: "WELCOME", version, sessionId, runnerId, heartbeat, maxPayload, features };
}

function decodeWireError(input: ByteReader): WireErrorMessage {
  const code = lookUp(errorCodes, input.u8(), "error code");
  const retryAfter = input.u32();
  return { type: "ERROR", code, text: input.shortText(TEXT_BYTES.text), retryAfter };
}

function attemptId(input: ByteReader): number {
  return positive(input.u64(), "attempt id");
}

/** The flags of JOB. */
const JOB_FLAGS = FLAG_0 | FLAG_1 | FLAG_2 | FLAG_3 | FLAG_4 | FLAG_5 | FLAG_6 | FLAG_7;

/** The flags of JOBRES and JOBERR. */
const ANSWER_FLAGS = FLAG_0 | FLAG_1 | FLAG_6;

/** Returns the flags, which have no bits but those of `allowed`. */
function checkFlags(flags: number, allowed: number): number {
  if ((flags & ~allowed) !== 0) throw new ProtocolError(`flags of no meaning: ${flags}`);
  return flags;
}

function limitMs(ms: number, field: string): number {
  return ms === NO_LIMIT ? Number.POSITIVE_INFINITY : positive(ms, field);
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

function path(input: ByteReader): string {
  return checkPath(input.shortText(0xffff));
}

function checkPath(text: string): string {
  if (!isPath(text)) throw new ProtocolError(`a malformed path: expected 1 to ${MAX_PATH} identities joined by /`);
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
