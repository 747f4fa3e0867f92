/**
 * Messages to frames and back: who says what to whom, and how large it may get. The layout of a frame is in frame.ts, that
 * of the bodies in encode.ts and decode.ts. docs/protocol.md specifies all of it.
 */
import type { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { decodeRunnerBody, decodeWorkerBody } from "./decode.ts";
import { encodeRunnerBody, encodeWorkerBody } from "./encode.ts";
import { type Codec, OutgoingFrame, readFrame } from "./frame.ts";
import { JOB_LIMITS } from "./headers.ts";
import type { Message, Payload, RunnerMessage, WorkerMessage } from "./message.ts";
import { utf8Length } from "./text.ts";

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

/** A worker's end. */
export const WORKER_CODEC: Codec<WorkerMessage, RunnerMessage> = { encode: encodeWorkerBody, decode: decodeRunnerBody };

/** A runner's end. */
export const RUNNER_CODEC: Codec<RunnerMessage, WorkerMessage> = { encode: encodeRunnerBody, decode: decodeWorkerBody };

/** The end of somebody who may be either, or looks on. */
export const ANY_CODEC: Codec<Message, Message> = { encode: encodeBody, decode: decodeBody };

function encodeBody(out: ByteWriter, message: Message): void {
  switch (message.type) {
    case "JOB":
    case "CANCEL":
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
