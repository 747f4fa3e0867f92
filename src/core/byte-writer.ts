/**
 * A growing buffer that numbers and texts are written into, once, without arrays in between. Knows nothing of messages:
 * see encode.ts. A number that does not fit its field is the caller's mistake and wraps; encode.ts sees to it.
 */

const encoder = new TextEncoder();

/** What an idle writer holds on to; most frames of a quiet session fit. */
const FIRST_BYTES = 512;
/** A buffer that has grown larger than this is given up with the frame that made it grow. */
const MAX_KEPT_BYTES = 256 * 1024;
/** Up to here a loop in JavaScript beats the call into the host. */
const SHORT_TEXT = 24;
/** From here a piece counts as large: room is made for it exactly, in the hope that the frame ends with it. */
const LARGE_BYTES = 32 * 1024;

/** Writes big-endian numbers, texts and bytes one after the other. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_BYTES);
  #view: DataView<ArrayBuffer> = new DataView(this.#bytes.buffer);
  #at = 0;

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#at;
  }

  /** Makes room for `count` bytes. Whoever writes numbers must have asked for their room first. */
  reserve(count: number): void {
    const needed = this.#at + count;
    if (needed <= this.#bytes.length) return;
    // A large piece on top of little gets exactly its room: a frame that fills its buffer leaves without another copy.
    // Otherwise doubling, so that a long frame is not copied for each of its messages.
    const exact = count >= LARGE_BYTES && this.#at < count;
    const bytes = new Uint8Array(exact ? needed : Math.max(needed, 2 * this.#bytes.length));
    bytes.set(this.#bytes.subarray(0, this.#at));
    this.#replace(bytes);
  }

  #replace(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
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
    const full = this.#at === this.#bytes.length;
    const taken = full ? this.#bytes : this.#bytes.slice(0, this.#at);
    this.#at = 0;
    if (full || this.#bytes.length > MAX_KEPT_BYTES) this.#replace(new Uint8Array(FIRST_BYTES));
    return taken;
  }
}
