/**
 * A growing buffer that numbers and texts are written into, once, without arrays in between. Knows nothing of messages:
 * see encoder.ts. A number that does not fit its field is the caller's mistake and wraps; encoder.ts sees to it.
 *
 * Invariant: a writer without unsent bytes retains its own {@link OWN_BYTES} and nothing more. See spare-buffers.ts.
 */
import type { HoledBytes } from "../job/holed-bytes.ts";
import { GrowingBuffer, SpareBuffers } from "./spare-buffers.ts";

const encoder = new TextEncoder();

/** What each writer owns; most frames of a quiet session fit. */
export const OWN_BYTES = 512;
/** Up to here a loop in JavaScript beats the call into the host. */
const SHORT_TEXT = 24;
/** From here a piece counts as large: room is made for it exactly, in the hope that the frame ends with it. */
const LARGE_BYTES = 32 * 1024;

/** The grown buffers of all writers. Why one for all: thousands of sessions are open, and few write at the same time. */
const spareBuffers: SpareBuffers = new SpareBuffers();

/** Writes big-endian numbers, texts and bytes one after the other. */
export class ByteWriter {
  readonly #spares: SpareBuffers;
  readonly #own: GrowingBuffer = new GrowingBuffer(OWN_BYTES);
  #buffer: GrowingBuffer = this.#own;
  #bytes: Uint8Array<ArrayBuffer> = this.#own.bytes;
  #view: DataView<ArrayBuffer> = this.#own.view;
  #at = 0;
  /** Length of the last frame that outgrew the own buffer: the next one grows to it in one step. */
  #expected = 0;

  /** Payloads whose holes are left out of the bytes, in order; absent where holes are filled. */
  attached: HoledBytes[] | undefined;

  /** @param spares - Where grown buffers come from, and go back to. */
  constructor(spares: SpareBuffers = spareBuffers) {
    this.#spares = spares;
  }

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#at;
  }

  /** Bytes of memory this writer holds, unsent bytes included. */
  get retained(): number {
    return this.#buffer === this.#own ? OWN_BYTES : OWN_BYTES + this.#bytes.length;
  }

  /** Makes room for `count` bytes. Required before numbers are written. */
  reserve(count: number): void {
    const needed = this.#at + count;
    if (needed <= this.#bytes.length) return;
    // A large piece on top of little gets exactly its room: a frame that fills its buffer leaves without another copy.
    // Otherwise doubling, so that a long frame is not copied for each of its messages.
    const exact = count >= LARGE_BYTES && this.#at < count;
    const doubled = Math.max(needed, 2 * this.#bytes.length);
    const larger = exact ? new GrowingBuffer(needed) : this.#spares.borrow(doubled, this.#expected);
    larger.bytes.set(this.#bytes.subarray(0, this.#at));
    if (this.#buffer !== this.#own) this.#spares.giveBack(this.#buffer);
    this.#replace(larger);
  }

  #replace(buffer: GrowingBuffer): void {
    this.#buffer = buffer;
    this.#bytes = buffer.bytes;
    this.#view = buffer.view;
  }

  /** Writes one byte. */
  u8(value: number): void {
    this.#view.setUint8(this.#at++, value);
  }

  /** Writes two bytes. */
  u16(value: number): void {
    this.#view.setUint16(this.#at, value);
    this.#at += 2;
  }

  /** Writes four bytes. */
  u32(value: number): void {
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
  }

  /** Writes eight bytes; `value` is a safe integer of at least 0. */
  u64(value: number): void {
    this.#view.setUint32(this.#at, Math.floor(value / 0x1_0000_0000));
    this.#view.setUint32(this.#at + 4, value >>> 0);
    this.#at += 8;
  }

  /** Writes two bytes over what stands at `at`. */
  patchU16(at: number, value: number): void {
    this.#view.setUint16(at, value);
  }

  /** Writes four bytes over what stands at `at`. */
  patchU32(at: number, value: number): void {
    this.#view.setUint32(at, value);
  }

  /** Copies `bytes`, making room. */
  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Writes `text` as UTF-8, making room. */
  text(text: string): void {
    if (text.length <= SHORT_TEXT && this.#shortAscii(text)) return;
    let rest = text;
    // One byte a unit is a guess, right for most texts and exact when it is; three are always enough.
    this.reserve(rest.length);
    for (;;) {
      const { read, written } = encoder.encodeInto(rest, this.#bytes.subarray(this.#at));
      this.#at += written;
      if (read === rest.length) return;
      rest = rest.slice(read);
      this.reserve(3 * rest.length);
    }
  }

  #shortAscii(text: string): boolean {
    this.reserve(text.length);
    const bytes = this.#bytes;
    const at = this.#at;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x80) return false;
      bytes[at + i] = unit;
    }
    this.#at = at + text.length;
    return true;
  }

  /** Forgets what was written after `length` bytes. */
  truncate(length: number): void {
    this.#at = length;
  }

  /** What was written, in a buffer of its own that nothing here refers to any more. Then starts anew. */
  take(): Uint8Array<ArrayBuffer> {
    const length = this.#at;
    this.#at = 0;
    if (this.attached !== undefined && this.attached.length > 0) this.attached = [];
    const buffer = this.#buffer;
    if (buffer === this.#own) return this.#bytes.slice(0, length);
    this.#expected = length;
    this.#replace(this.#own);
    if (length === buffer.bytes.length) return buffer.bytes;
    const taken = buffer.bytes.slice(0, length);
    this.#spares.giveBack(buffer);
    return taken;
  }
}
