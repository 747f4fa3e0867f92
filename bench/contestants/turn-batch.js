/** When a floor that batches sends: as the library does, at the end of the turn or at 64, whichever comes first. */

const MOST = 64;

/** @template T */
export class TurnBatch {
  /** @type {T[]} */
  #items = [];
  #waiting = false;
  #send;

  /** @param {(items: T[]) => void} send */
  constructor(send) {
    this.#send = send;
  }

  /** @param {T} item */
  add(item) {
    if (this.#items.push(item) >= MOST) return this.#flush();
    if (this.#waiting) return;
    this.#waiting = true;
    // Behind the microtasks of this turn, ahead of its next event.
    queueMicrotask(() =>
      process.nextTick(() => {
        this.#waiting = false;
        this.#flush();
      }),
    );
  }

  #flush() {
    if (this.#items.length === 0) return;
    const items = this.#items;
    this.#items = [];
    this.#send(items);
  }
}
