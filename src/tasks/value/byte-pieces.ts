/**
 * Growing bytes that leave out what is large: such a piece stays where it is until all are joined, once and into memory of the
 * right size. Knows nothing of values: see value-encoder.ts.
 *
 * Invariant: after `take` nothing here refers to what was written, and at most {@link OWN_BYTES} are retained.
 */
import type { Hole } from "../../core/job/holed-bytes.ts";
import { MAX_VALUE_BYTES } from "./cbor-profile.ts";
import type { EncodedValue } from "./value-codec.ts";

/** Up to here the buffer is kept for the next value. */
const OWN_BYTES: number = 64 * 1024;
const FIRST_BYTES = 1_024;

interface Piece extends Hole {
  /** When it was added; its memory may change before it is read. */
  readonly length: number;
  readonly isHole: boolean;
}

/** Thrown for more bytes than a value may have, and for a piece whose buffer a getter of the value has changed meanwhile. */
export class PieceError extends Error {}

/** Bytes and pieces of bytes, in order. */
export class BytePieces {
  /** The bytes so far; only {@link BytePieces.reserve} replaces them. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_BYTES);
  /** The same memory. */
  view: DataView<ArrayBuffer> = new DataView(this.bytes.buffer);
  /** Where the next byte is written. */
  at = 0;
  #pieces: Piece[] = [];
  #pieceBytes = 0;
  /** The length of the last value that outgrew what is kept: the next one grows to it in one step. */
  #expected = 0;

  /** Makes room for `count` bytes. */
  reserve(count: number): void {
    if (this.at + count > this.bytes.length) this.#grow(this.at + count);
  }

  #grow(needed: number): void {
    this.#check();
    const larger = new Uint8Array(Math.max(needed, 2 * this.bytes.length, needed > OWN_BYTES ? this.#expected : 0));
    larger.set(this.bytes.subarray(0, this.at));
    this.#use(larger);
  }

  #use(bytes: Uint8Array<ArrayBuffer>): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }

  /** Copies `bytes`. */
  copy(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /**
   * Adds `content` without copying it yet; that of a hole is never copied.
   * @param hole - Whether it is one; of shared memory, where in the value.
   */
  add(content: Uint8Array, hole: boolean | string = false): void {
    const path = typeof hole === "string" ? { path: hole } : {};
    this.#pieces.push({ at: this.at, content, length: content.length, isHole: hole !== false, ...path });
    if (hole === false) this.#pieceBytes += content.length;
    this.#check();
  }

  /** Checked as it grows. Why: a text that is met a million times is one in memory, and a million here. */
  #check(): void {
    if (this.at + this.#pieceBytes > MAX_VALUE_BYTES)
      throw new PieceError(`more than ${MAX_VALUE_BYTES} bytes in one value`);
  }

  /** Returns all of it, in memory of its own, and starts anew. Throws a {@link PieceError}. */
  take(): EncodedValue {
    const pieces = this.#pieces;
    if (pieces.length === 0) return { bytes: this.bytes.slice(0, this.at), holes: [] };
    if (pieces.some(({ content, length }) => content.length !== length))
      throw new PieceError("a buffer has changed while it was encoded");
    const copied = pieces.filter(({ isHole }) => !isHole);
    const joined = new Uint8Array(this.at + copied.reduce((sum, { length }) => sum + length, 0));
    const holes: Hole[] = [];
    let from = 0;
    let to = 0;
    for (const { at, content, isHole, path } of pieces) {
      joined.set(this.bytes.subarray(from, at), to);
      to += at - from;
      from = at;
      if (isHole) holes.push({ at: to, content, ...(path === undefined ? {} : { path }) });
      else {
        joined.set(content, to);
        to += content.length;
      }
    }
    joined.set(this.bytes.subarray(from, this.at), to);
    return { bytes: joined, holes };
  }

  /** Forgets all. */
  clear(): void {
    if (this.bytes.length > OWN_BYTES) {
      this.#expected = this.at;
      this.#use(new Uint8Array(FIRST_BYTES));
    }
    this.at = 0;
    if (this.#pieces.length === 0) return;
    this.#pieces = [];
    this.#pieceBytes = 0;
  }
}
