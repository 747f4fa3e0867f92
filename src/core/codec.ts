/**
 * Messages to frames and back: the front of the only place that knows the wire layout. A frame is one or more messages,
 * each a type byte, the length of the body in four bytes, and the body: encode.ts, decode.ts. When a frame is sent is
 * for link.ts to decide. docs/protocol.md specifies all of it.
 */
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { decodeMessage } from "./decode.ts";
import { encodeBody, FIXED_BYTES } from "./encode.ts";
import { ProtocolError } from "./errors.ts";
import { JOB_LIMITS } from "./headers.ts";
import type { Message, Payload } from "./message.ts";
import { utf8Length } from "./text.ts";
import { HEAD_BYTES, MESSAGE_CODES } from "./wire-format.ts";

export { isIdentity } from "./wire-format.ts";

/** Room in a frame for what stands before and around the largest payload: a batch of 64 KiB at most, fixed fields. */
const SLACK_BYTES = 128 * 1024;

/** The largest frame, in bytes, that payloads of up to `maxPayload` bytes can lead to. */
export function frameLimit(maxPayload: number): number {
  return maxPayload + JOB_LIMITS.maxHeaderBytes + SLACK_BYTES;
}

/** How many bytes `value` takes on the wire: what `maxPayload` bounds. Text counts in UTF-8. */
export function payloadBytes(value: Payload): number {
  return typeof value === "string" ? utf8Length(value) : value.length;
}

/** Collects messages into one frame. Reusable: its buffer outlives the frame, but nothing of an earlier frame leaves it. */
export class FrameWriter {
  readonly #out: ByteWriter = new ByteWriter();
  #messages = 0;

  /** Messages in the frame so far. */
  get messages(): number {
    return this.#messages;
  }

  /** Bytes in the frame so far. */
  get bytes(): number {
    return this.#out.length;
  }

  /**
   * Adds a message at the end of the frame. Texts for people (JOBERR, ERROR) are cut to their bounds and made
   * well-formed; durations are rounded up to whole milliseconds.
   *
   * @throws ProtocolError when a name or a number is outside its bounds; the frame is as before.
   * @throws EncodingError when a result is text with a lone surrogate; the frame is as before.
   */
  append(message: Message): void {
    const out = this.#out;
    const start = out.length;
    try {
      out.reserve(FIXED_BYTES);
      out.u8(MESSAGE_CODES[message.type]);
      out.u32(0);
      encodeBody(out, message);
    } catch (error) {
      out.truncate(start);
      throw error;
    }
    out.patchU32(start + 1, out.length - start - HEAD_BYTES);
    this.#messages++;
  }

  /** Hands out the frame, in memory of its own that belongs to the caller, and starts an empty one. */
  take(): Uint8Array<ArrayBuffer> {
    this.#messages = 0;
    return this.#out.take();
  }
}

/**
 * Reads a frame and shows each message to `visit`, in order. Messages before a malformed one have been visited when
 * the error is thrown. Payloads of bytes are plain `Uint8Array`s: a view when the payload is more than half of the
 * memory the frame lies in, else a copy. The frame must not be changed afterwards.
 *
 * A HELLO of another protocol version is visited with its `version` and all other fields empty.
 *
 * @throws ProtocolError when the frame is empty or malformed, and nothing else but what `visit` throws.
 */
export function decodeFrame(frame: Uint8Array, visit: (message: Message) => void): void {
  if (frame.length === 0) throw new ProtocolError("an empty frame");
  const input = new ByteReader(frame);
  do visit(decodeMessage(input));
  while (input.more);
}
