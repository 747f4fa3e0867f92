/**
 * Grown buffers that no writer needs now, kept for the next one that outgrows its own. Bounded in bytes for the whole
 * process, so that what is retained does not grow with the number of sessions. See byte-writer.ts.
 */

/** Spare buffers hold no more than this together: a turn in which 32 sessions each fill a batch of 64 KiB reuses all. */
export const MAX_SPARE_BYTES: number = 4 * 1024 * 1024;
/** A larger buffer is dropped with the frame that made it grow. */
const MAX_KEPT_BYTES = 256 * 1024;
/** The smallest size, as a power of two. */
const FIRST_CLASS = 10;

/** A buffer and its view, made once and used together. */
export class GrowingBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.view = new DataView(this.bytes.buffer);
  }
}

/** The smallest class whose buffers hold `length` bytes. Class n holds 2^(n + FIRST_CLASS) bytes. */
function classOf(length: number): number {
  return Math.max(0, 32 - Math.clz32(length - 1) - FIRST_CLASS);
}

/** Buffers by size, each size a power of two. */
export class SpareBuffers {
  readonly #classes: GrowingBuffer[][] = Array.from({ length: classOf(MAX_KEPT_BYTES) + 1 }, () => []);
  #bytes = 0;

  /** Bytes of all spare buffers. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Returns a buffer of at least `needed` bytes.
   * @param expected - What it will have to hold in the end, by the last frame. Heeded only when such a buffer is spare:
   *   allocated on a guess, thousands of sessions could hold one each.
   */
  borrow(needed: number, expected: number): GrowingBuffer {
    if (needed > MAX_KEPT_BYTES) return new GrowingBuffer(needed);
    const least = classOf(needed);
    const wanted = expected > needed && expected <= MAX_KEPT_BYTES ? classOf(expected) : least;
    const spare = this.#classes[wanted]?.pop() ?? (wanted === least ? undefined : this.#classes[least]?.pop());
    if (spare === undefined) return new GrowingBuffer(2 ** (least + FIRST_CLASS));
    this.#bytes -= spare.bytes.length;
    return spare;
  }

  /** Takes a buffer back, unless it is too large or enough are spare. */
  giveBack(buffer: GrowingBuffer): void {
    const { length } = buffer.bytes;
    if (length > MAX_KEPT_BYTES || this.#bytes + length > MAX_SPARE_BYTES) return;
    // An exact size serves the class below it.
    const down = classOf(length + 1) - 1;
    if (down < 0) return;
    this.#classes[down]?.push(buffer);
    this.#bytes += length;
  }
}
