/** Frames for tests: the golden ones, any valid message, and the shortest ways to write and read a frame. */
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { ANY_CODEC, FrameWriter, readFrame } from "../../src/core/protocol/codec.ts";
import { HoledBytes } from "../../src/core/job/holed-bytes.ts";
import { Job } from "../../src/core/job/job.ts";
import type { Message } from "../../src/core/protocol/message.ts";
import type { Payload } from "../../src/core/peer.ts";

/** One entry of `test/golden/frames.json`: bytes stand as `{"bytes": hex}`, no limit as `"Infinity"`, a job as its data and headers. */
export interface Golden {
  readonly name: string;
  readonly messages: readonly Message[];
  readonly hex: string;
  readonly frame: Uint8Array;
  /** What goes beside the frame; absent: nothing. */
  readonly attachments: readonly ArrayBuffer[] | undefined;
}

interface Stored {
  name: string;
  message: Message | Message[];
  hex: string;
  attachments?: string[];
}

function isHole(value: unknown): value is { readonly at: number; readonly content: Uint8Array } {
  return typeof value === "object" && value !== null && "at" in value && "content" in value;
}

function revive(_: string, value: unknown): unknown {
  if (value === "Infinity") return Number.POSITIVE_INFINITY;
  if (typeof value !== "object" || value === null) return value;
  if ("bytes" in value && typeof value.bytes === "string") {
    const bytes = fromHex(value.bytes);
    if (!("holes" in value) || !Array.isArray(value.holes)) return bytes;
    return new HoledBytes(bytes, value.holes.filter(isHole));
  }
  if ("data" in value) {
    const job = Reflect.construct(Job, [value.data, "headers" in value ? value.headers : []]) as Job;
    return "task" in value ? job.forTask(String(value.task)) : job;
  }
  return value;
}

const STORED = readFileSync(new URL("../golden/frames.json", import.meta.url), "utf8");

const all: readonly Golden[] = (JSON.parse(STORED, revive) as Stored[]).map((stored) => ({
  name: stored.name,
  hex: stored.hex,
  messages: [stored.message].flat(),
  frame: fromHex(stored.hex),
  attachments: stored.attachments?.map((hex) => fromHex(hex).buffer),
}));

/** What a frame's bytes are, and the messages they mean. */
export const golden: readonly Golden[] = all.filter(({ attachments }) => attachments === undefined);

/** The same of frames that come with buffers beside them. */
export const goldenApart: readonly Golden[] = all.filter(({ attachments }) => attachments !== undefined);

/** A value as JSON in ASCII: any other character as `\uXXXX`. */
function inAscii(value: unknown): string {
  const escape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value).replaceAll(/[^\x20-\x7e]/g, escape);
}

/** The messages of a golden frame as docs/protocol.md shows them: a line each, all fields by name. */
export function goldenWords(name: string): string[] {
  const stored = (JSON.parse(STORED) as { name: string; message: object | object[] }[]).find(
    (one) => one.name === name,
  );
  return [stored?.message ?? []].flat().map((message) =>
    Object.entries(message)
      .map(([field, value]) => (field === "type" ? String(value) : `${field}=${inAscii(value)}`))
      .join(" "),
  );
}

/** Bytes from hexadecimal digits. */
export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

/** Hexadecimal digits of bytes. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** The frame of these messages. */
export function encode(...messages: Message[]): Uint8Array<ArrayBuffer> {
  const writer = new FrameWriter();
  for (const message of messages) writer.append(message);
  return writer.take();
}

/** The frame of these messages, and the buffers that go beside it. */
export function encodeApart(...messages: Message[]): { frame: Uint8Array; attachments: ArrayBufferLike[] } {
  const writer = new FrameWriter();
  writer.leaveHoles();
  for (const message of messages) writer.append(message);
  const attachments = (writer.attached ?? []).flatMap(({ holes }) => holes.map(({ content }) => content.buffer));
  return { frame: writer.take(), attachments };
}

/** The messages of a frame. */
export function decode(frame: Uint8Array, attachments?: readonly ArrayBufferLike[]): Message[] {
  const messages: Message[] = [];
  readFrame(frame, ANY_CODEC.decode, (message) => messages.push(message), attachments);
  return messages;
}

/** The one message of a frame. */
export function decodeOne(frame: Uint8Array): Message {
  const [message, ...more] = decode(frame);
  if (message === undefined || more.length > 0) throw new Error("expected one message");
  return message;
}

/** A message as plain data: two jobs are equal when their contents are. */
export function plain(message: Message): unknown {
  if (message.type !== "JOB") return message;
  const { content: data, headers, task } = message.job;
  return { ...message, job: { data, headers: [...headers], ...(task === undefined ? {} : { task }) } };
}

/** A JOBRES with this value. */
export function result(value: Payload): Message {
  return { type: "JOBRES", attemptId: 1, value };
}

/** The value of a JOBRES. */
export function valueOf(message: Message | undefined): Payload {
  if (message?.type !== "JOBRES") throw new Error("expected a JOBRES");
  return message.value;
}

/** The value of a JOBRES, which is bytes. */
export function bytesOf(message: Message | undefined): Uint8Array {
  const value = valueOf(message);
  if (typeof value === "string") throw new Error("expected bytes");
  return value;
}

const id = fc.oneof(
  fc.constantFrom(1, 0xffff_ffff, 0x1_0000_0000, Number.MAX_SAFE_INTEGER),
  fc.maxSafeNat().map((n) => n || 1),
);
const u32 = fc.nat(0xffff_ffff);
const limit = fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 1, max: 0xffff_fffe }));
const someText = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constant("\ufeffx"),
);
const payload = fc.oneof(someText, fc.uint8Array({ maxLength: 60 }));
const durationMs = fc.option(
  u32.map((us) => us / 1_000),
  { nil: undefined },
);
const someName = fc.stringMatching(/^[A-Za-z0-9._:-]{1,20}$/);
const path = fc.array(someName, { minLength: 1, maxLength: 8 }).map((names) => names.join("/"));
const anyJob = fc
  .tuple(payload, fc.uniqueArray(fc.tuple(someText, someText), { maxLength: 3, selector: ([header]) => header }))
  .map(([data, headers]) => new Job(data, headers));

const taskJob = fc.tuple(anyJob, fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/)).map(([job, task]) => job.forTask(task));

function type<T extends Message["type"]>(value: T): fc.Arbitrary<T> {
  return fc.constant(value);
}

/** Any message the codec carries unchanged. */
export const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    type: type("HELLO"),
    version: fc.constant(1),
    identity: someName,
    instance: someName,
    capacity: fc.integer({ min: 1, max: 65_535 }),
    prefetchLimit: fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }),
    blocking: fc.boolean(),
    served: fc.maxSafeNat(),
    labels: fc.array(someName, { maxLength: 32 }),
    features: u32,
    maxPayload: u32,
    isRelay: fc.boolean(),
  }),
  fc.record({ type: type("CAPACITY"), capacity: fc.nat(65_535), labels: fc.array(someName, { maxLength: 32 }) }),
  fc.record({
    type: type("WELCOME"),
    version: fc.constant(1),
    sessionId: someName,
    runnerId: someName,
    heartbeat: fc.integer({ min: 1, max: 0xffff_ffff }),
    maxPayload: u32,
    features: u32,
  }),
  fc.record({ type: fc.constantFrom("PING" as const, "PONG" as const), nonce: u32 }),
  fc.record(
    {
      type: type("JOB"),
      attemptId: id,
      attempt: fc.integer({ min: 1, max: 0xffff_ffff }),
      jobId: fc.maxSafeNat(),
      ttl: limit,
      job: fc.oneof(anyJob, taskJob),
      route: fc.record({
        origin: someName,
        deadline: limit,
        priority: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        labels: fc.array(someName, { maxLength: 32 }),
        avoid: fc.array(path, { maxLength: 16 }),
      }),
      credit: fc.integer({ min: 1, max: 0xffff_ffff }),
      delivered: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      hasInput: fc.constant(true),
      wantsProgress: fc.constant(true),
    },
    { requiredKeys: ["type", "attemptId", "attempt", "jobId", "ttl", "job"] },
  ),
  fc.record({
    type: fc.constantFrom("ITEM" as const, "INPUT" as const, "PROGRESS" as const),
    attemptId: id,
    value: payload,
  }),
  fc.record({ type: type("INPUTEND"), attemptId: id }),
  fc.record({ type: type("CREDIT"), attemptId: id, bytes: fc.integer({ min: 1, max: 0xffff_ffff }) }),
  fc.record({ type: type("JOBRES"), attemptId: id, value: payload, durationMs, endsStream: fc.constant(true) }),
  fc.record({ type: type("JOBRES"), attemptId: id, value: payload, durationMs }),
  fc.record({ type: type("JOBRES"), attemptId: id, value: payload, durationMs, path }),
  fc.record({
    type: type("FAILED"),
    attemptId: id,
    code: fc.constantFrom("lost" as const, "maxQueueBytes" as const, "acquire" as const),
    path: fc.oneof(path, fc.constant("")),
    text: someText,
    limit: fc.maxSafeNat(),
    queued: fc.maxSafeNat(),
    queuedBytes: fc.maxSafeNat(),
  }),
  fc.record({
    type: type("JOBERR"),
    attemptId: id,
    error: fc.record(
      {
        name: someText,
        message: someText,
        code: someText,
        stack: someText,
        details: fc.constant('{"fields":{}}'),
        values: fc.uint8Array({ maxLength: 64 }),
      },
      { requiredKeys: ["name", "message", "code", "stack"] },
    ),
    retryable: fc.boolean(),
    retryAfter: u32,
    durationMs,
  }),
  fc.record({
    type: type("REJECT"),
    attemptId: id,
    reason: fc.constantFrom("draining" as const, "overloaded" as const, "recalled" as const, "unfit" as const),
  }),
  fc.record({
    type: type("CANCEL"),
    attemptId: id,
    reason: fc.constantFrom(
      "cancelled" as const,
      "timeout" as const,
      "deadline" as const,
      "stopped" as const,
      "recalled" as const,
    ),
  }),
  fc.record({ type: fc.constantFrom("CANCELLED" as const, "WAITING" as const, "STARTED" as const), attemptId: id }),
  fc.record({ type: fc.constantFrom("REMOVE" as const, "REMOVED" as const) }),
  fc.record({
    type: type("GOAWAY"),
    reason: fc.constantFrom("stopping" as const, "draining" as const),
    retryAfter: u32,
  }),
  fc.record({
    type: type("ERROR"),
    code: fc.constantFrom("PROTOCOL" as const, "VERSION" as const, "FLAPPING" as const, "TOO_SLOW" as const),
    text: someText,
    retryAfter: u32,
  }),
);
