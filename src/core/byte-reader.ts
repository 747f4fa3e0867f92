/**
 * A cursor over the bytes of one frame that never leaves the body it is in: every read is checked, every failure is a
 * ProtocolError. Knows nothing of messages: see decode.ts.
 */
import { ProtocolError } from "./errors.ts";
import { cutText, plainBytes, readUtf8 } from "./text.ts";

/** Reads big-endian numbers, texts and bytes one after the other. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #end: number;

  constructor(frame: Uint8Array) {
    this.#bytes = plainBytes(frame);
    this.#view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    this.#end = frame.length;
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

  /** Reads one byte. */
  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  /** Reads two bytes. */
  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  /** Reads four bytes. */
  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  /** Reads eight bytes, a safe integer. */
  u64(): number {
    const at = this.#take(8);
    const high = this.#view.getUint32(at);
    if (high >= 0x20_0000) throw this.#wrong("a number over 2^53 - 1");
    return high * 0x1_0000_0000 + this.#view.getUint32(at + 4);
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

  /** The rest of the body as it lies in the frame, for reading at once. */
  restView(): Uint8Array {
    const start = this.#take(this.#end - this.#at);
    return this.#bytes.subarray(start, this.#end);
  }

  /**
   * The rest of the body, to keep. A copy, unless it makes up most of the memory it lies in: a small result must not
   * keep a large frame alive, nor let its holder see what else came with it.
   */
  restKept(): Uint8Array {
    const view = this.restView();
    const { buffer } = view;
    // Shared memory could change under the reader.
    return buffer instanceof ArrayBuffer && 2 * view.length > buffer.byteLength ? view : new Uint8Array(view);
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
