/**
 * What the two ends tell each other of themselves when one dials: how large a frame may be, and how many bytes may be under way
 * to them. JSON, as it happens once a connection. Browser-safe.
 */
import type { NatsConnectionLike } from "./connection.ts";
import type { OutgoingLimits } from "./outgoing.ts";
import { PACKET_HEAD_BYTES } from "./packet.ts";

/** The version of packets and handshakes. */
const VERSION = 1;
/** A handshake is far shorter. */
const MAX_HANDSHAKE_BYTES = 1_024;

/** Bytes that may be under way to one socket. */
export const MAX_WINDOW_BYTES = 1_048_576;
const MIN_WINDOW_BYTES = 65_536;
/** Bytes that may be under way to all sockets of a connection together. The server cuts it off at 64 MiB. */
const ALL_WINDOWS_BYTES = 33_554_432;
/** The longest part of a frame in one packet: servers take 1 MiB, and share their buffers better with less. */
const MAX_PIECE_BYTES = 262_144;

/** One end's half of a handshake. */
export interface Handshake {
  /** The largest frame it takes and sends, in bytes. */
  readonly maxFrameBytes: number;
  /** Bytes that may be under way to it. */
  readonly windowBytes: number;
}

/** What the other end says when it refuses a dial. */
export interface DialRefusal {
  /** Whether it is for what the dial's principal is. */
  readonly isDenied: boolean;
  /** For people to read. */
  readonly message: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function readJson(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes.byteLength > MAX_HANDSHAKE_BYTES) return {};
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {};
  }
}

function isCount(value: unknown, max: number): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= max;
}

/** Writes a handshake. */
export function encodeHandshake(handshake: Handshake): Uint8Array {
  return encoder.encode(JSON.stringify({ version: VERSION, ...handshake }));
}

/** Reads a handshake; `undefined` when it is none, or one of another version. */
export function decodeHandshake(bytes: Uint8Array): Handshake | undefined {
  const { version, maxFrameBytes, windowBytes } = readJson(bytes);
  if (version !== VERSION || !isCount(maxFrameBytes, 0xffff_ffff)) return undefined;
  return isCount(windowBytes, MAX_WINDOW_BYTES) ? { maxFrameBytes, windowBytes } : undefined;
}

/** Writes a refusal. */
export function encodeRefusal(refusal: DialRefusal): Uint8Array {
  return encoder.encode(JSON.stringify(refusal));
}

/** Reads a refusal. */
export function decodeRefusal(bytes: Uint8Array): DialRefusal {
  const { isDenied, message } = readJson(bytes);
  return { isDenied: isDenied === true, message: typeof message === "string" ? message : "without a reason" };
}

/** The window to give to one more of `sockets`, so that all of them together stay far below what the server holds. */
export function windowFor(sockets: number): number {
  const share = Math.floor(ALL_WINDOWS_BYTES / Math.max(1, sockets));
  return Math.min(MAX_WINDOW_BYTES, Math.max(MIN_WINDOW_BYTES, share));
}

/** How to send to the other end: a quarter of its window at a time, so that acknowledgements keep the rest moving. */
export function outgoingLimits({ info }: NatsConnectionLike, { windowBytes }: Handshake): OutgoingLimits {
  // Behind the head comes the frame's length, in its first piece.
  const most = (info?.max_payload ?? MAX_PIECE_BYTES + PACKET_HEAD_BYTES + 4) - PACKET_HEAD_BYTES - 4;
  return { windowBytes, pieceBytes: Math.max(1, Math.min(MAX_PIECE_BYTES, Math.floor(windowBytes / 4), most)) };
}
