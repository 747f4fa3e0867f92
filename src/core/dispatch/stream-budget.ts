/** Bounds the items that all streams of a runner may hold unread together. One stream: result-stream.ts. */

/** Bytes that streams have reserved. A stream that gets none has one item at a time, so that no reader waits for another. */
export class StreamBudget {
  readonly #max: number;
  #reserved = 0;

  /** @param max - In bytes. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Bytes that are reserved now. */
  get reserved(): number {
    return this.#reserved;
  }

  /** Reserves up to `bytes`, as many as are left. Returns how many. */
  reserve(bytes: number): number {
    const granted = Math.min(bytes, this.#max - this.#reserved);
    this.#reserved += granted;
    return granted;
  }

  /** Gives so many reserved bytes back. */
  release(bytes: number): void {
    this.#reserved -= bytes;
  }
}
