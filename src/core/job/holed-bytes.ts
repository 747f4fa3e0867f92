/**
 * Payloads whose large buffers stand apart, so that a transport may hand over memory instead of copying it. With the holes filled
 * they are bytes like any other. Made by powerhose/tasks, and where a frame came with attachments; filled by whatever carries bytes
 * alone. Relays pass them on as they are.
 */
import { EncodingError } from "../errors.ts";
import type { AttachmentKind, Payload } from "../peer.ts";

/** A place in bytes where the content of a buffer is left out. */
export interface Hole {
  /** How many of the bytes come before it. */
  readonly at: number;
  /** What belongs there: all of a buffer that was given away, or any part of shared memory. */
  readonly content: Uint8Array;
  /** Of shared memory: where in the value it is, such as `input.image`. */
  readonly path?: string;
}

/** The most buffers that stand apart from one payload. Why a limit: a frame has room for their places beside the payload. */
export const MAX_HOLES = 1_024;

/** Whether bytes lie in memory that several threads see. */
export function isShared({ buffer }: Uint8Array): boolean {
  return !(buffer instanceof ArrayBuffer) && Object.prototype.toString.call(buffer) === "[object SharedArrayBuffer]";
}

/**
 * The bytes of a payload without the content of its holes. Why a class of bytes: what only passes a payload on treats all alike.
 * Its `length` is that of the bytes alone, so what measures a payload uses {@link filledBytes}.
 */
export class HoledBytes extends Uint8Array {
  /** Slices are plain bytes. */
  static get [Symbol.species](): Uint8ArrayConstructor {
    return Uint8Array;
  }

  /** Bytes of all holes together. */
  readonly attachedBytes: number;
  #holes: readonly Hole[];
  #hasLeft = false;

  /** @param holes - In the order of their places, which are within the bytes. */
  constructor(bytes: Uint8Array, holes: readonly Hole[]) {
    super(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
    this.#holes = holes;
    this.attachedBytes = holes.reduce((sum, { content }) => sum + content.length, 0);
  }

  /** The holes; none any more once the buffers have left. */
  get holes(): readonly Hole[] {
    return this.#holes;
  }

  /** Whether its buffers were given away: then it can be sent no more. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** It was posted, and what is not shared belongs to the other end. */
  leave(): void {
    if (this.#holes.every(({ content }) => isShared(content))) return;
    this.#holes = [];
    this.#hasLeft = true;
  }

  /**
   * Checks that a socket can carry it.
   *
   * @throws EncodingError when it holds shared memory and the socket none, and when its buffers were given away before.
   */
  checkCarrier(kind: AttachmentKind | undefined): void {
    if (this.#hasLeft) throw new EncodingError("its buffers were transferred with an earlier attempt");
    if (kind === "shared") return;
    const shared = this.#holes.find(({ content }) => isShared(content));
    if (shared === undefined) return;
    const place = shared.path === undefined ? "" : `at ${shared.path}: `;
    throw new EncodingError(`${place}a SharedArrayBuffer crosses threads of one machine only; send a copy`);
  }

  /** Shows each run of its bytes, the content of holes included, in order. */
  eachPiece(visit: (piece: Uint8Array) => void): void {
    let from = 0;
    for (const { at, content } of this.#holes) {
      visit(this.subarray(from, at));
      visit(content);
      from = at;
    }
    visit(this.subarray(from));
  }

  /** Copies it with its holes filled. Shared memory is copied as it is now. */
  joined(): Uint8Array<ArrayBuffer> {
    if (this.#hasLeft) throw new EncodingError("its buffers were transferred");
    const joined = new Uint8Array(this.length + this.attachedBytes);
    let at = 0;
    this.eachPiece((piece) => {
      joined.set(piece, at);
      at += piece.length;
    });
    return joined;
  }
}

/** Whether buffers stand apart from a payload. Why not `instanceof`: it costs a tenth of a 16-byte job, which is asked ten times. */
export function isHoled(payload: Payload): payload is HoledBytes {
  return typeof payload !== "string" && payload.constructor === HoledBytes;
}

/** The bytes of a payload of bytes with its holes filled. */
export function filledBytes(payload: Uint8Array): number {
  return isHoled(payload) ? payload.length + payload.attachedBytes : payload.length;
}

/** The payload for a receiver that knows no holes. */
export function wholePayload(payload: Payload): Payload {
  return isHoled(payload) ? payload.joined() : payload;
}

/** The bytes of a payload of bytes that count as a frame on a socket of this kind. */
export function framedBytes(payload: Uint8Array, kind: AttachmentKind | undefined): number {
  return kind === undefined ? filledBytes(payload) : payload.length;
}
