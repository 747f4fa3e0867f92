/** Values that wait, first in, first out. Nodes that are taken out from the middle are in linked-queue.ts. */

/** With fewer free places at the head, moving what waits is not worth it. */
const MIN_FREE_PLACES = 1_024;

/** A queue of values, none of them `undefined`. Taking one out costs the same at any length. */
export class Fifo<T> {
  #places: (T | undefined)[] = [];
  #head = 0;

  /** How many wait. */
  get length(): number {
    return this.#places.length - this.#head;
  }

  /** What waits longest. */
  get first(): T | undefined {
    return this.#places[this.#head];
  }

  /** Adds one at the end. */
  push(one: T): void {
    this.#places.push(one);
  }

  /** Takes the first out. */
  shift(): T | undefined {
    const one = this.#places[this.#head];
    if (one === undefined) return undefined;
    // Dropped at once: an array in the old generation keeps alive what it points to.
    this.#places[this.#head++] = undefined;
    if (this.#head >= MIN_FREE_PLACES && this.#head * 2 >= this.#places.length) {
      this.#places.splice(0, this.#head);
      this.#head = 0;
    }
    return one;
  }

  /** Takes all out. */
  clear(): void {
    this.#places = [];
    this.#head = 0;
  }
}
