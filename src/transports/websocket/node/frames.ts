/**
 * Follows the frames that arrive on a connection of `ws`, by their heads and without touching their bodies (RFC 6455, section
 * 5.2). A large message reserves its whole length of the runner's budget before its body is read; while it has to wait, the
 * connection is not read. The body itself reaches `ws` in few pieces: see pieces.ts.
 */
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { IncomingReservation, SocketLimits } from "../../../core/transport/socket.ts";
import type { WebSocketSocket } from "../adapter.ts";
import { LARGE_CHUNK_BYTES, PieceCollector } from "./pieces.ts";

/** A message of up to so many bytes reserves nothing: Node reads as much at once from a connection before anything can stop it. */
const FREE_BYTES = 65_536;

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

  /** Bytes of the frame under way that are still to come; 0 before its head is there. */
  get left(): number {
    return this.#left;
  }

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

/** What takes the bytes of a connection: the listener of `ws`. */
type DataListener = (this: Duplex, chunk: Uint8Array) => void;

/** Meters one connection, from its opening to its close. */
class FrameMeter {
  readonly #ws: WebSocket;
  readonly #socket: WebSocketSocket;
  readonly #maxFrameBytes: number;
  readonly #reservation: IncomingReservation | undefined;
  readonly #frames = new FrameTracker();
  readonly #pieces: PieceCollector;
  readonly #deliver: (chunk: Uint8Array) => void;
  /** Messages that were complete at the last chunk. */
  #completed = 0;

  constructor(
    ws: WebSocket,
    socket: WebSocketSocket,
    { maxFrameBytes, incoming }: SocketLimits,
    deliver: (chunk: Uint8Array) => void,
  ) {
    this.#ws = ws;
    this.#socket = socket;
    this.#maxFrameBytes = maxFrameBytes;
    this.#deliver = deliver;
    this.#pieces = new PieceCollector(deliver);
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
    if (frames.left > chunk.length && chunk.length < LARGE_CHUNK_BYTES) {
      this.#pieces.add(chunk, frames.left);
    } else {
      this.#pieces.flush();
      this.#deliver(chunk);
    }
    // Behind the delivery: a message that is complete was delivered before its bytes are given back.
    frames.track(chunk);
    if (frames.completed !== this.#completed) {
      this.#completed = frames.completed;
      this.#reservation?.release();
    }
    if (frames.message > 0) this.#underWay();
  };

  /** Hands over what is held back. */
  flush(): void {
    this.#pieces.flush();
  }

  readonly onClose = (): void => this.#reservation?.release();

  #underWay(): void {
    const { message, received } = this.#frames;
    // `ws` ends a connection over such a frame, by the same limit; what comes after the end is no frame.
    if (message > this.#maxFrameBytes || this.#ws.readyState !== this.#ws.OPEN) return;
    this.#socket.progressed();
    const reservation = this.#reservation;
    if (reservation === undefined || message <= FREE_BYTES) return;
    if (reservation.isWaiting) return reservation.progress(received);
    if (!reservation.reserve(message, received)) this.#ws.pause();
  }
}

/**
 * Meters the frames that arrive on a WebSocket which has just opened over `tcp`, by standing in for the listener that `ws` has
 * there. Node finds a listener by its property `listener`, too, as that of `once`: so `ws` still removes its own.
 */
export function meterFrames(ws: WebSocket, tcp: Duplex, socket: WebSocketSocket, limits: SocketLimits): void {
  const listener = tcp.listeners("data").at(-1) as DataListener | undefined;
  if (listener === undefined) throw new Error("this WebSocket does not read its connection");
  const meter = new FrameMeter(ws, socket, limits, (chunk) => listener.call(tcp, chunk));
  tcp.off("data", listener);
  tcp.on("data", Object.assign(meter.onData, { listener }));
  // `ws` reads the rest of a connection that has closed while it was paused, unless it has ended before.
  tcp.prependListener("close", () => {
    if (tcp.listeners("data").includes(listener)) meter.flush();
  });
  ws.on("close", meter.onClose);
}
