/**
 * Collects the small reads in the middle of a frame into pieces, so that a frame costs memory by its size, however many reads
 * it comes in. Why: `ws` keeps every chunk of a frame as it is until the frame is whole, and a chunk of one byte costs hundreds.
 */

/** A chunk of so many bytes is passed on as it is. */
export const LARGE_CHUNK_BYTES = 16_384;
/** The first piece of a frame; each one is as large as all before it together, up to {@link LARGE_CHUNK_BYTES}. */
const FIRST_PIECE_BYTES = 1_024;

/** The body of one frame at a time, on its way to `ws`. */
export class PieceCollector {
  readonly #deliver: (piece: Uint8Array) => void;
  #piece: Buffer | undefined;
  #length = 0;
  /** Bytes collected since the last flush: the next piece is as large. */
  #collected = 0;

  constructor(deliver: (piece: Uint8Array) => void) {
    this.#deliver = deliver;
  }

  /** Takes a chunk that lies inside a frame. `left`: bytes to come of that frame, those of the chunk included. */
  add(chunk: Uint8Array, left: number): void {
    let at = 0;
    while (at < chunk.length) {
      // Memory of its own: a part of a pool that is kept would keep the whole pool.
      this.#piece ??= Buffer.allocUnsafeSlow(Math.min(left - at, this.#nextSize()));
      const part = chunk.subarray(at, at + this.#piece.length - this.#length);
      this.#piece.set(part, this.#length);
      this.#length += part.length;
      this.#collected += part.length;
      at += part.length;
      if (this.#length === this.#piece.length) this.#handOver();
    }
  }

  /** Delivers what is collected: something else follows. */
  flush(): void {
    this.#handOver();
    this.#collected = 0;
  }

  #nextSize(): number {
    return Math.min(Math.max(this.#collected, FIRST_PIECE_BYTES), LARGE_CHUNK_BYTES);
  }

  #handOver(): void {
    const piece = this.#piece?.subarray(0, this.#length);
    this.#piece = undefined;
    this.#length = 0;
    if (piece !== undefined) this.#deliver(piece);
  }
}
