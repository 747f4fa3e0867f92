/**
 * Messages to frames and back: which messages each end may send, the layout of a frame, and the size limits. The bodies of
 * messages are in encoder.ts and decoder.ts. docs/protocol.md specifies all of it.
 */
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { decodeRunnerBody, decodeWorkerBody, lookUp } from "./decoder.ts";
import { encodeRunnerBody, encodeWorkerBody } from "./encoder.ts";
import { ProtocolError } from "../errors.ts";
import { JOB_LIMITS } from "../job/headers.ts";
import type { Message, RunnerMessage, WorkerMessage } from "./message.ts";
import { filledBytes, type HoledBytes } from "../job/holed-bytes.ts";
import type { Payload } from "../peer.ts";
import { utf8Length } from "../job/utf8.ts";
import { HEAD_BYTES, MESSAGE_CODES, invert } from "./constants.ts";

/** Room for the head and all fixed fields of any message. */
const FIXED_BYTES = 64;

const messageTypes = /* @__PURE__ */ invert(MESSAGE_CODES);

/** How one end writes what it says and reads what it hears. */
export interface Codec<Sent extends Message, Heard extends Message> {
  /** Writes a body. May throw a ProtocolError or an EncodingError. */
  readonly encode: (out: ByteWriter, message: Sent) => void;
  /** Reads a body. May throw a ProtocolError. */
  readonly decode: (input: ByteReader, type: Message["type"]) => Heard;
}

/** Collects messages into one frame. Reusable: nothing of an earlier frame leaves it. */
export class OutgoingFrame<Sent extends Message> {
  readonly #encode: Codec<Sent, never>["encode"];
  readonly #out: ByteWriter = new ByteWriter();
  #messages = 0;

  constructor(encode: Codec<Sent, never>["encode"]) {
    this.#encode = encode;
  }

  /** Messages in the frame so far. */
  get messages(): number {
    return this.#messages;
  }

  /** Bytes in the frame so far. */
  get bytes(): number {
    return this.#out.length;
  }

  /**
   * Adds a message at the end of the frame and returns its length in bytes. Texts for people (JOBERR, ERROR) are cut to their bounds and made
   * well-formed; durations are rounded up to whole milliseconds.
   *
   * @throws ProtocolError when a name or a number is outside its bounds; the frame is as before.
   * @throws EncodingError when a result is text with a lone surrogate; the frame is as before.
   */
  append(message: Sent): number {
    const out = this.#out;
    const start = out.length;
    try {
      out.reserve(FIXED_BYTES);
      out.u8(MESSAGE_CODES[message.type]);
      out.u32(0);
      this.#encode(out, message);
    } catch (error) {
      out.truncate(start);
      throw error;
    }
    const bytes = out.length - start;
    out.patchU32(start + 1, bytes - HEAD_BYTES);
    this.#messages++;
    return bytes;
  }

  /** From now on the buffers of payloads stand apart, as the other end takes attachments. */
  leaveHoles(): void {
    this.#out.attached ??= [];
  }

  /** Hands out the frame, in memory of its own that belongs to the caller, and starts an empty one. */
  take(): Uint8Array<ArrayBuffer> {
    this.#messages = 0;
    return this.#out.take();
  }

  /** The payloads whose buffers belong to the frame, in order. To be asked for before the frame is taken. */
  get attached(): readonly HoledBytes[] | undefined {
    const { attached } = this.#out;
    return attached === undefined || attached.length === 0 ? undefined : attached;
  }
}

/**
 * Reads a frame and shows each message to `visit`, in order. Messages before a malformed one have been visited when
 * the error is thrown. Payloads of bytes are plain `Uint8Array`s: a view when the payload is more than half of the
 * memory the frame lies in, else a copy. The frame must not be changed afterwards.
 *
 * A HELLO of another protocol version is visited with its `version` and all other fields empty.
 *
 * @param attachments - The buffers that came with the frame; each belongs to one hole of a payload, in order.
 * @throws ProtocolError when the frame is empty or malformed, and nothing else but what `visit` throws.
 */
export function readFrame<Heard extends Message>(
  frame: Uint8Array,
  decode: Codec<never, Heard>["decode"],
  visit: (message: Heard) => void,
  attachments?: readonly ArrayBufferLike[],
): void {
  if (frame.length === 0) throw new ProtocolError("an empty frame");
  const input = new ByteReader(frame, attachments);
  do {
    const type = lookUp(messageTypes, input.u8(), "message type");
    input.enter(input.u32());
    const message = decode(input, type);
    input.leave();
    visit(message);
  } while (input.more);
  input.end();
}

export { isIdentity } from "../identifiers.ts";

/** Room in a frame for what stands before and around the largest payload: a batch of 64 KiB at most, fixed fields. */
const SLACK_BYTES = 128 * 1024;

/** The largest frame, in bytes, that payloads of up to `maxPayload` bytes can lead to. */
export function frameLimit(maxPayload: number): number {
  return maxPayload + JOB_LIMITS.maxHeaderBytes + SLACK_BYTES;
}

/** How many bytes `value` takes on the wire, holes filled: what `maxPayload` bounds. Text counts in UTF-8. */
export function wirePayloadBytes(value: Payload): number {
  return typeof value === "string" ? utf8Length(value) : filledBytes(value);
}

/** A worker's end. */
export const WORKER_CODEC: Codec<WorkerMessage, RunnerMessage> = { encode: encodeWorkerBody, decode: decodeRunnerBody };

/** A runner's end. */
export const RUNNER_CODEC: Codec<RunnerMessage, WorkerMessage> = { encode: encodeRunnerBody, decode: decodeWorkerBody };

/** Reads the messages of both ends: for tests and tools. */
export const ANY_CODEC: Codec<Message, Message> = { encode: encodeBody, decode: decodeBody };

function encodeBody(out: ByteWriter, message: Message): void {
  switch (message.type) {
    case "JOB":
    case "CANCEL":
    case "CREDIT":
    case "INPUT":
    case "INPUTEND":
    case "WELCOME":
    case "REMOVED":
    case "GOAWAY":
      return encodeRunnerBody(out, message);
    default:
      return encodeWorkerBody(out, message);
  }
}

function decodeBody(input: ByteReader, type: Message["type"]): Message {
  switch (type) {
    case "JOB":
    case "CANCEL":
    case "CREDIT":
    case "INPUT":
    case "INPUTEND":
    case "WELCOME":
    case "REMOVED":
    case "GOAWAY":
      return decodeRunnerBody(input, type);
    default:
      return decodeWorkerBody(input, type);
  }
}

/** Collects messages of either end into one frame. */
export class FrameWriter extends OutgoingFrame<Message> {
  constructor() {
    super(ANY_CODEC.encode);
  }
}

/** Reads a frame of either end, as {@link readFrame}. */
export function decodeFrame(frame: Uint8Array, visit: (message: Message) => void): void {
  readFrame(frame, ANY_CODEC.decode, visit);
}
