/** Bounds the items that all streams of a runner may hold unread together. One stream: result-stream.ts. */

/** Bytes that streams have reserved. A stream that gets none has one item at a time, so that no reader waits for another. */
export class StreamBudget {
  #left: number;

  /** @param max - In bytes. */
  constructor(max: number) {
    this.#left = max;
  }

  /** Reserves up to `bytes`, as many as are left. Returns how many. */
  reserve(bytes: number): number {
    const granted = Math.min(bytes, this.#left);
    this.#left -= granted;
    return granted;
  }

  /** Gives so many reserved bytes back. */
  release(bytes: number): void {
    this.#left += bytes;
  }
}
