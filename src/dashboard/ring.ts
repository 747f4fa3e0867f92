/** A ring buffer: the last items, oldest first. */

/** Keeps a bounded number of items: a new one replaces the oldest. */
export class Ring<T> {
  readonly #capacity: number;
  readonly #items: T[] = [];
  /** The index of the oldest once the ring is full. */
  #oldest = 0;

  /** @param capacity - Items that are kept, at least 1. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The newest item. */
  get last(): T | undefined {
    return this.#items.at(this.#oldest - 1);
  }

  /** Adds an item. */
  push(item: T): void {
    if (this.#items.length < this.#capacity) {
      this.#items.push(item);
      return;
    }
    this.#items[this.#oldest] = item;
    this.#oldest = (this.#oldest + 1) % this.#capacity;
  }

  /** A copy of all items, oldest first. */
  toArray(): T[] {
    return [...this.#items.slice(this.#oldest), ...this.#items.slice(0, this.#oldest)];
  }
}
