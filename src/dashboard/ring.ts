/** The last so many of anything, oldest first. */

/** A row of bounded length: who comes last pushes out who came first. */
export class Ring<T> {
  readonly #most: number;
  readonly #items: T[] = [];
  /** Where the oldest is once the row is full. */
  #oldest = 0;

  /** @param most - How many are kept, at least 1. */
  constructor(most: number) {
    this.#most = most;
  }

  /** The newest, if any. */
  get last(): T | undefined {
    return this.#items.at(this.#oldest - 1);
  }

  /** Adds one. */
  push(item: T): void {
    if (this.#items.length < this.#most) {
      this.#items.push(item);
      return;
    }
    this.#items[this.#oldest] = item;
    this.#oldest = (this.#oldest + 1) % this.#most;
  }

  /** All of them, oldest first; a copy. */
  toArray(): T[] {
    return [...this.#items.slice(this.#oldest), ...this.#items.slice(0, this.#oldest)];
  }
}
