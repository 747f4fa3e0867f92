/**
 * One word for each prefetched job, in memory that both ends of a socket share. The worker compares and exchanges it before the
 * job begins, the runner to take the job back: so a recall works while a handler blocks the worker, and never has two answers.
 *
 * The word holds the attempt's id and its state, and is compared as a whole. It is used again only once the worker has answered
 * that attempt: an older JOB that still waits in a port cannot begin as another one.
 */
import type { Claims } from "./socket.ts";

const PARKED = 1;
const BEGUN = 2;
const RECALLED = 3;

/** Bytes of the memory: 1,024 words. Attempts whose ids differ by less never share a word. */
export const CLAIM_BYTES = 4_096;
/** Ids of one word differ by far less while it is in use. */
const ID_RANGE = 0x1000_0000;

function word(attemptId: number, state: number): number {
  return (attemptId % ID_RANGE) * 4 + state;
}

/** The words of one connection. */
export class SharedClaims implements Claims {
  readonly #words: Int32Array;

  /**
   * @param buffer - The memory, {@link CLAIM_BYTES} of zeros when it is new. The other end has its own view of the same.
   * @throws RangeError when it has another length.
   */
  constructor(buffer: SharedArrayBuffer | ArrayBuffer) {
    if (buffer.byteLength !== CLAIM_BYTES)
      throw new RangeError(`SharedClaims: expected ${CLAIM_BYTES} bytes, got ${buffer.byteLength}`);
    this.#words = new Int32Array(buffer);
  }

  /** See {@link Claims.park}. */
  park(attemptId: number): boolean {
    return this.#exchange(attemptId, 0, word(attemptId, PARKED)) === 0;
  }

  /** See {@link Claims.recall}. */
  recall(attemptId: number): boolean {
    const parked = word(attemptId, PARKED);
    return this.#exchange(attemptId, parked, word(attemptId, RECALLED)) === parked;
  }

  /** See {@link Claims.begin}. */
  begin(attemptId: number): boolean {
    return this.#exchange(attemptId, word(attemptId, PARKED), word(attemptId, BEGUN)) !== word(attemptId, RECALLED);
  }

  /** See {@link Claims.free}. */
  free(attemptId: number): void {
    const words = this.#words;
    const index = attemptId % words.length;
    if (Math.floor(Atomics.load(words, index) / 4) === attemptId % ID_RANGE) Atomics.store(words, index, 0);
  }

  #exchange(attemptId: number, expected: number, replacement: number): number {
    const words = this.#words;
    return Atomics.compareExchange(words, attemptId % words.length, expected, replacement);
  }
}
