/**
 * Follows the frames that arrive on a connection of `ws`, by their heads and without touching their bodies (RFC 6455, section
 * 5.2). A large message reserves its whole length of the runner's budget before its body is read; while it has to wait, the
 * connection is not read.
 */
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { IncomingReservation, SocketLimits } from "../../../core/transport/socket.ts";
import type { WebSocketSocket } from "../adapter.ts";

/** A message of up to so many bytes reserves nothing: Node reads as much at once from a connection before anything can stop it. */
const FREE_BYTES = 65_536;
/** Bytes of a message under way that count as a sign of life of the peer. */
const PROGRESS_BYTES = 16_384;

const MAX_HEAD_BYTES = 14;
const FINAL = 0x80;
const OPCODE = 0x0f;
const CONTROL = 0x08;
const MASKED = 0x80;
const LENGTH = 0x7f;

/** How long the head of a frame is, by its second byte. */
function headSize(second: number): number {
  const length = second & LENGTH;
  const extended = length === 127 ? 8 : length === 126 ? 2 : 0;
  return 2 + extended + ((second & MASKED) === 0 ? 0 : 4);
}

/** Whether a frame is a message of its own, by its first byte. */
function isWholeMessage(first: number): boolean {
  return (first & FINAL) !== 0 && (first & OPCODE & CONTROL) === 0;
}

/** Where one connection is in its stream of frames. */
export class FrameTracker {
  /** Bytes of the message under way: its fragments so far, the last one in full. 0 between messages. */
  message = 0;
  /** Those of them that have arrived. */
  received = 0;
  /** Messages that have arrived whole. */
  completed = 0;
  readonly #head = new Uint8Array(MAX_HEAD_BYTES);
  #headLength = 0;
  #headSize = 2;
  /** Bytes of the frame's body that are still to come. */
  #left = 0;
  #isControl = false;
  #isFinal = false;

  /** Follows the next bytes of the stream. */
  track(chunk: Uint8Array): void {
    const isBetween = this.#left === 0 && this.#headLength === 0 && this.message === 0;
    let at = isBetween ? this.#skipWhole(chunk) : 0;
    while (at < chunk.length) at += this.#left > 0 ? this.#body(chunk.length - at) : this.#readHead(chunk, at);
  }

  /** Passes over messages of one frame that lie whole in a chunk, as most do. Returns where the next one begins. */
  #skipWhole(chunk: Uint8Array): number {
    const { length } = chunk;
    let at = 0;
    let skipped = 0;
    while (at + 4 <= length && isWholeMessage(chunk[at] ?? 0)) {
      const second = chunk[at + 1] ?? 0;
      const short = second & LENGTH;
      if (short === 127) break;
      const size = short < 126 ? short : ((chunk[at + 2] ?? 0) << 8) | (chunk[at + 3] ?? 0);
      const end = at + (short < 126 ? 2 : 4) + ((second & MASKED) === 0 ? 0 : 4) + size;
      if (end > length) break;
      at = end;
      skipped++;
    }
    this.completed += skipped;
    return at;
  }

  #body(available: number): number {
    const taken = Math.min(this.#left, available);
    this.#left -= taken;
    if (!this.#isControl) this.received += taken;
    if (this.#left === 0) this.#end();
    return taken;
  }

  #readHead(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length && this.#headLength < this.#headSize) {
      const byte = chunk[at++] ?? 0;
      this.#head[this.#headLength++] = byte;
      if (this.#headLength === 2) this.#headSize = headSize(byte);
    }
    if (this.#headLength === this.#headSize) this.#begin();
    return at - from;
  }

  #begin(): void {
    const [first = 0] = this.#head;
    this.#isFinal = (first & FINAL) !== 0;
    this.#isControl = (first & OPCODE & CONTROL) !== 0;
    this.#left = this.#bodySize();
    this.#headLength = 0;
    this.#headSize = 2;
    if (!this.#isControl) this.message += this.#left;
    if (this.#left === 0) this.#end();
  }

  #bodySize(): number {
    const length = (this.#head[1] ?? 0) & LENGTH;
    if (length < 126) return length;
    let size = 0;
    for (let at = 2; at < (length === 126 ? 4 : 10); at++) size = size * 256 + (this.#head[at] ?? 0);
    return size;
  }

  #end(): void {
    if (this.#isControl || !this.#isFinal) return;
    this.message = this.received = 0;
    this.completed++;
  }
}

/** Meters one connection, from its opening to its close. */
class FrameMeter {
  readonly #ws: WebSocket;
  readonly #socket: WebSocketSocket;
  readonly #maxFrameBytes: number;
  readonly #reservation: IncomingReservation | undefined;
  readonly #frames = new FrameTracker();
  /** Messages that were complete at the last chunk. */
  #completed = 0;
  /** Bytes of the message under way that counted as signs of life. */
  #reported = 0;

  constructor(ws: WebSocket, socket: WebSocketSocket, { maxFrameBytes, incoming }: SocketLimits) {
    this.#ws = ws;
    this.#socket = socket;
    this.#maxFrameBytes = maxFrameBytes;
    this.#reservation = incoming?.reservation({
      onGranted: () => {
        ws.resume();
        // This end did not read: the peer's silence counts from here.
        socket.progressed();
      },
      onEvicted: (message) => {
        socket.failed({ code: "too-slow", message });
        ws.terminate();
      },
    });
  }

  readonly onData = (chunk: Uint8Array): void => {
    const frames = this.#frames;
    frames.track(chunk);
    if (frames.completed !== this.#completed) {
      this.#completed = frames.completed;
      this.#reported = 0;
      this.#reservation?.release();
    }
    if (frames.message >= PROGRESS_BYTES) this.#underWay();
  };

  readonly onClose = (): void => this.#reservation?.release();

  #underWay(): void {
    const { message, received } = this.#frames;
    // `ws` ends a connection over such a frame, by the same limit; what comes after the end is no frame.
    if (message > this.#maxFrameBytes || this.#ws.readyState !== this.#ws.OPEN) return;
    if (received - this.#reported >= PROGRESS_BYTES) {
      this.#reported = received;
      this.#socket.progressed();
    }
    const reservation = this.#reservation;
    if (reservation === undefined || message <= FREE_BYTES) return;
    if (reservation.isWaiting) return reservation.progress(received);
    if (!reservation.reserve(message, received)) this.#ws.pause();
  }
}

/** Meters the frames that arrive on a WebSocket which has just opened over `tcp`. */
export function meterFrames(ws: WebSocket, tcp: Duplex, socket: WebSocketSocket, limits: SocketLimits): void {
  const meter = new FrameMeter(ws, socket, limits);
  // Behind the listener of `ws`: a message that is complete was delivered before its bytes are given back.
  tcp.on("data", meter.onData);
  ws.on("close", meter.onClose);
}
