/** The seam between values and bytes: what a codec is, and what it may know besides. The default one is in cbor.ts. */
import type { Hole } from "../../core/job/holed-bytes.ts";

/** Turns the values of a typed task into the bytes of a payload, and back. */
export interface ValueCodec {
  /** Names the format, as both ends of a connection compare it: 1 to 128 characters out of `A–Z a–z 0–9 . _ : -`. */
  readonly name: string;
  /**
   * Returns the bytes of `value`, in memory of their own.
   *
   * @param root - What the value is, as the first word of a path in an error: `input`, `result`; `value` unless told.
   * @throws EncodingError for what cannot be carried, with the path to it.
   */
  encode(value: unknown, root?: string): Uint8Array;
  /**
   * Returns the value of these bytes, which may lie in them.
   *
   * @throws EncodingError when they are malformed.
   */
  decode(bytes: Uint8Array): unknown;
  /**
   * Returns bytes that are equal for values that mean the same, in whatever order their keys came. Without it
   * values are compared by their bytes; those of the default codec by canonicalValue in canonical.ts.
   *
   * @throws EncodingError when `bytes` are malformed.
   */
  canonical?(bytes: Uint8Array): Uint8Array;
}

/** The bytes of a value without the content of its transferred buffers. With the holes filled they are what `encode` gives. */
export interface EncodedValue {
  /** All but that content. */
  readonly bytes: Uint8Array;
  /** In the order of their places. */
  readonly holes: readonly Hole[];
  /** Of the named buffers those that the value holds: whether it holds all of one. Absent when none were named. */
  readonly found?: ReadonlyMap<ArrayBufferLike, boolean> | undefined;
}

/** The buffers that are to stand apart: those named, or all large ones of which a value holds the whole; and shared memory, or that alone. */
export type ApartBuffers = Iterable<ArrayBufferLike> | "all" | "shared";

/** A codec that can leave out the content of large buffers, for a transport that hands over memory instead of copying it. */
export interface HoleCodec extends ValueCodec {
  /**
   * As {@link ValueCodec.encode}, with a hole for each of `buffers` that the value holds whole and that has at least 64 KiB, and for
   * all shared memory, which `encode` refuses. A buffer that is met again is copied there, and so are those after 1,024 holes.
   *
   * @throws EncodingError for what cannot be carried, with the path to it.
   */
  encodeWithHoles(value: unknown, buffers: ApartBuffers, root?: string): EncodedValue;
  /**
   * Returns the value, whose buffers are those of the holes.
   *
   * @throws EncodingError when the bytes are malformed or the holes are not theirs.
   */
  decodeWithHoles(encoded: EncodedValue): unknown;
}
