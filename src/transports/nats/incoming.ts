/**
 * The receiving half of a socket: checks that no packet is missing, puts frames together, and says how many packets were
 * taken. What is not said to be taken holds back the other end: so a large frame waits for its place in the runner's budget.
 * Browser-safe.
 */
import type { IncomingOwner, IncomingReservation, SocketLimits } from "../../core/transport/socket.ts";
import { PACKET, PACKET_COST, type Packet, readUint32 } from "./packet.ts";

/** Frames up to this length are free: the budget is for those that add up. */
const FREE_BYTES = 65_536;

/** What came of a packet. */
export type IncomingPart =
  | { readonly kind: "frame"; readonly frame: Uint8Array }
  /** Part of a frame. */
  | { readonly kind: "part" }
  /** A frame over the limit begins. */
  | { readonly kind: "too-large"; readonly bytes: number }
  /** What no socket of this kind sends. */
  | { readonly kind: "violation" };

const PART: IncomingPart = { kind: "part" };
const VIOLATION: IncomingPart = { kind: "violation" };

/** What one end receives. */
export class Incoming {
  readonly #maxFrameBytes: number;
  readonly #reservation: IncomingReservation | undefined;
  #expected = 0;
  /** Packets said to be taken: behind those that arrived while the budget has no room. */
  #taken = 0;
  #owedBytes = 0;
  /** Of the frame under way: its length, what has arrived of it, and the pieces. 0 when there is none. */
  #frameBytes = 0;
  #arrivedBytes = 0;
  #pieces: Uint8Array[] = [];
  #isPaused = false;

  constructor({ maxFrameBytes, incoming }: SocketLimits, owner: IncomingOwner) {
    this.#maxFrameBytes = maxFrameBytes;
    this.#reservation = incoming?.reservation({
      onGranted: () => {
        this.#isPaused = false;
        owner.onGranted();
      },
      onEvicted: (message) => owner.onEvicted(message),
    });
  }

  /** Whether the other end is held back until there is room for its frame. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Bytes that arrived since `tell` was called last, as the other end counts them; 0 while it is held back. */
  get owedBytes(): number {
    return this.#isPaused ? 0 : this.#owedBytes;
  }

  /** Whether this is the number of the packet that comes next. */
  isExpected(sequence: number): boolean {
    return sequence === this.#expected;
  }

  /** The number of packets taken, for the packet that is about to tell it. */
  tell(): number {
    if (this.#isPaused) return this.#taken;
    this.#owedBytes = 0;
    return (this.#taken = this.#expected);
  }

  /** Counts a packet that bears the expected number. */
  count({ kind, body }: Packet): void {
    this.#expected = (this.#expected + 1) >>> 0;
    this.#owedBytes += PACKET_COST + body.byteLength - (kind === PACKET.first ? 4 : 0);
  }

  /** Takes the bytes of a counted packet. */
  take({ kind, body }: Packet): IncomingPart {
    if (kind === PACKET.whole) return this.#takeWhole(body);
    return kind === PACKET.first ? this.#takeFirst(body) : this.#takeNext(body);
  }

  /** Gives back what the frame under way has reserved: it was delivered, or never will be. */
  release(): void {
    this.#frameBytes = this.#arrivedBytes = 0;
    this.#pieces = [];
    this.#isPaused = false;
    this.#reservation?.release();
  }

  #takeWhole(body: Uint8Array): IncomingPart {
    if (this.#frameBytes > 0) return VIOLATION;
    const { byteLength: bytes } = body;
    return bytes > this.#maxFrameBytes ? { kind: "too-large", bytes } : { kind: "frame", frame: body };
  }

  #takeFirst(body: Uint8Array): IncomingPart {
    const bytes = readUint32(body, 0);
    const piece = body.subarray(4);
    if (this.#frameBytes > 0 || piece.byteLength === 0 || piece.byteLength >= bytes) return VIOLATION;
    if (bytes > this.#maxFrameBytes) return { kind: "too-large", bytes };
    this.#frameBytes = bytes;
    if (bytes > FREE_BYTES) this.#isPaused = this.#reservation?.reserve(bytes, piece.byteLength) === false;
    return this.#add(piece);
  }

  #takeNext(piece: Uint8Array): IncomingPart {
    if (piece.byteLength === 0 || piece.byteLength > this.#frameBytes - this.#arrivedBytes) return VIOLATION;
    return this.#add(piece);
  }

  #add(piece: Uint8Array): IncomingPart {
    this.#pieces.push(piece);
    this.#arrivedBytes += piece.byteLength;
    this.#reservation?.progress(this.#arrivedBytes);
    return this.#arrivedBytes < this.#frameBytes ? PART : { kind: "frame", frame: this.#joinPieces() };
  }

  /** Not earlier: a length is easily claimed, and memory is to be had for bytes only. */
  #joinPieces(): Uint8Array {
    const frame = new Uint8Array(this.#frameBytes);
    let at = 0;
    for (const piece of this.#pieces) {
      frame.set(piece, at);
      at += piece.byteLength;
    }
    this.#frameBytes = this.#arrivedBytes = 0;
    this.#pieces = [];
    return frame;
  }
}
