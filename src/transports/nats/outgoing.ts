/**
 * The sending half of a socket: frames wait here until the other end has room for them, are cut into pieces, numbered, and
 * counted until they are taken. At most a window of bytes is under way, so that neither the server nor the other end holds
 * more. Publishes nothing itself: see socket.ts. Browser-safe.
 */
import { PACKET, PACKET_COST } from "./packet.ts";

/** A packet to publish. */
export interface Piece {
  readonly kind: number;
  readonly sequence: number;
  readonly body: Uint8Array;
  /** Of the first piece of a frame, the frame's length. */
  readonly frameBytes?: number;
}

/** A list of what comes in at one end and leaves at the other, without a node for each. */
class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  get first(): T | undefined {
    return this.#items[this.#head];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length || this.#head > 1_024) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

/** How much the other end takes, and in which pieces. */
export interface OutgoingLimits {
  /** Bytes that may be under way. */
  readonly windowBytes: number;
  /** Bytes of a frame in one packet. */
  readonly pieceBytes: number;
}

/** What one end sends. */
export class Outgoing {
  readonly #limits: OutgoingLimits;
  readonly #frames = new Fifo<Uint8Array>();
  /** Bytes of the first frame that have left. */
  #offset = 0;
  #waitingBytes = 0;
  /** Frame bytes of each packet that is under way. */
  readonly #underWay = new Fifo<number>();
  #underWayBytes = 0;
  #sequence: number;
  /** What the CLOSE says, once it is to be sent; it leaves behind the frames. */
  #closeBody: Uint8Array | undefined;

  /** @param sequence - The number of the first packet. */
  constructor(limits: OutgoingLimits, sequence = 0) {
    this.#limits = limits;
    this.#sequence = sequence;
  }

  /** Bytes of frames that the other end has not taken. */
  get bytes(): number {
    return this.#waitingBytes + this.#underWayBytes;
  }

  /** The number of the next packet. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Whether all that was to be sent was taken. */
  get isDone(): boolean {
    return this.#underWay.length === 0 && this.#frames.length === 0 && this.#closeBody === undefined;
  }

  /** Adds a frame. */
  add(frame: Uint8Array): void {
    this.#frames.push(frame);
    this.#waitingBytes += frame.byteLength;
  }

  /** Adds the end, behind all frames. */
  addClose(body: Uint8Array): void {
    this.#closeBody = body;
  }

  /** Takes the next packet there is room for. */
  take(): Piece | undefined {
    const frame = this.#frames.first;
    if (frame === undefined) return this.#takeClose();
    const body = frame.subarray(this.#offset, this.#offset + this.#limits.pieceBytes);
    if (!this.#hasRoom(body.byteLength)) return undefined;
    const isFirst = this.#offset === 0;
    this.#offset += body.byteLength;
    const isLast = this.#offset === frame.byteLength;
    if (isLast) {
      this.#frames.shift();
      this.#offset = 0;
    }
    this.#waitingBytes -= body.byteLength;
    const sequence = this.#count(body.byteLength);
    if (!isFirst) return { kind: PACKET.next, sequence, body };
    if (isLast) return { kind: PACKET.whole, sequence, body };
    return { kind: PACKET.first, sequence, body, frameBytes: frame.byteLength };
  }

  /** The other end has taken so many packets in all, modulo 2^32; `false` when that many were never sent. */
  onTaken(taken: number): boolean {
    const first = (this.#sequence - this.#underWay.length) >>> 0;
    const fresh = (taken - first) >>> 0;
    if (fresh > this.#underWay.length) return false;
    for (let i = 0; i < fresh; i++) this.#underWayBytes -= this.#underWay.shift() ?? 0;
    return true;
  }

  #takeClose(): Piece | undefined {
    const body = this.#closeBody;
    if (body === undefined) return undefined;
    this.#closeBody = undefined;
    return { kind: PACKET.close, sequence: this.#count(0), body };
  }

  /** A packet alone always has room: else a window smaller than a piece would hold it for ever. */
  #hasRoom(bytes: number): boolean {
    const cost = this.#underWayBytes + this.#underWay.length * PACKET_COST;
    return this.#underWay.length === 0 || cost + bytes + PACKET_COST <= this.#limits.windowBytes;
  }

  #count(bytes: number): number {
    const sequence = this.#sequence;
    this.#sequence = (sequence + 1) >>> 0;
    this.#underWay.push(bytes);
    this.#underWayBytes += bytes;
    return sequence;
  }
}
