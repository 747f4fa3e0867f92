/**
 * A cursor over the bytes of one frame that never leaves the body it is in: every read is checked, every failure is a
 * ProtocolError. Knows nothing of messages: see decoder.ts.
 */
import { ProtocolError } from "../errors.ts";
import { type Hole, MAX_HOLES } from "../job/holed-bytes.ts";
import { cutText, keptBytes, plainBytes, readUtf8 } from "../job/utf8.ts";

/** Reads big-endian numbers, texts and bytes one after the other. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #end: number;
  readonly #attachments: readonly ArrayBufferLike[] | undefined;
  #nextAttachment = 0;

  /** @param attachments - The buffers that came with the frame. */
  constructor(frame: Uint8Array, attachments?: readonly ArrayBufferLike[]) {
    this.#bytes = plainBytes(frame);
    this.#end = frame.length;
    this.#attachments = attachments;
  }

  /** Whether the frame holds more. Asked between two bodies. */
  get more(): boolean {
    return this.#at < this.#bytes.length;
  }

  /** Lets the cursor read the next `length` bytes and no further, until {@link ByteReader.leave}. */
  enter(length: number): void {
    if (length > this.#end - this.#at) throw this.#wrong("the frame ends within a message");
    this.#end = this.#at + length;
  }

  /** Ends a body, which must have been read to its end. */
  leave(): void {
    if (this.#at !== this.#end) throw this.#wrong(`${this.#end - this.#at} bytes too many in a message`);
    this.#end = this.#bytes.length;
  }

  /** Ends the frame, whose attachments must all have been read. */
  end(): void {
    const left = (this.#attachments?.length ?? 0) - this.#nextAttachment;
    if (left > 0) throw this.#wrong(`${left} attachments too many`);
  }

  /** Reads where in the payload behind it buffers belong. Each takes the next attachment. */
  holes(): Hole[] {
    const count = this.u16();
    if (count === 0 || count > MAX_HOLES) throw this.#wrong(`${count} holes: expected 1 to ${MAX_HOLES}`);
    const holes: Hole[] = [];
    let before = 0;
    for (let i = 0; i < count; i++) {
      const at = this.u32();
      if (at < before) throw this.#wrong("holes that are not in the order of their places");
      before = at;
      holes.push({ at, content: this.#attachment(this.u64(), this.u64()) });
    }
    return holes;
  }

  #attachment(start: number, length: number): Uint8Array {
    const buffer = this.#attachments?.[this.#nextAttachment++];
    if (buffer === undefined) throw this.#wrong("a hole without an attachment");
    if (start + length > buffer.byteLength)
      throw this.#wrong(`a hole of ${length} bytes from ${start} on, in an attachment of ${buffer.byteLength}`);
    return new Uint8Array(buffer, start, length);
  }

  /** Bytes of the body that were not read. */
  get left(): number {
    return this.#end - this.#at;
  }

  /** Reads one byte. */
  u8(): number {
    return this.#bytes[this.#take(1)] ?? 0;
  }

  /** Reads two bytes. */
  u16(): number {
    const at = this.#take(2);
    const bytes = this.#bytes;
    return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  }

  /** Reads four bytes. */
  u32(): number {
    return this.#u32(this.#take(4));
  }

  /** Reads eight bytes, a safe integer. */
  u64(): number {
    const at = this.#take(8);
    const high = this.#u32(at);
    if (high >= 0x20_0000) throw this.#wrong("a number over 2^53 - 1");
    return high * 0x1_0000_0000 + this.#u32(at + 4);
  }

  // Byte by byte, as that spares a short frame the making of a DataView.
  #u32(at: number): number {
    const bytes = this.#bytes;
    const low = ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
    return (bytes[at] ?? 0) * 0x100_0000 + low;
  }

  /** Reads a length of two bytes and so many bytes of UTF-8; what is over `maxBytes` is cut off after it was checked. */
  shortText(maxBytes: number): string {
    const length = this.u16();
    const text = this.#text(length);
    return length > maxBytes ? cutText(text, maxBytes) : text;
  }

  /** Reads the rest of the body as UTF-8. */
  restText(): string {
    return this.#text(this.#end - this.#at);
  }

  /** The rest of the body, to keep: see {@link keptBytes}. */
  restKept(): Uint8Array {
    const end = this.#end;
    return keptBytes(this.#bytes, this.#take(end - this.#at), end);
  }

  /** Passes over the rest of the body and has `read` make something of it, where it lies in the frame. */
  restAs<Value>(read: (bytes: Uint8Array, start: number, end: number) => Value): Value {
    const end = this.#end;
    return read(this.#bytes, this.#take(end - this.#at), end);
  }

  /** Passes over the rest of the body. */
  skipRest(): void {
    this.#at = this.#end;
  }

  #text(length: number): string {
    const start = this.#take(length);
    try {
      return readUtf8(this.#bytes, start, start + length);
    } catch (cause) {
      throw this.#wrong("a text is not UTF-8", cause);
    }
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#end - at) throw this.#wrong("a message ends within a field");
    this.#at = at + count;
    return at;
  }

  #wrong(what: string, cause?: unknown): ProtocolError {
    return new ProtocolError(`byte ${this.#at} of a frame of ${this.#bytes.length}: ${what}`, { cause });
  }
}
