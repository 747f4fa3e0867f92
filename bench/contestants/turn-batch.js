/** When a floor that batches sends: as the library does, at the end of the turn, or sooner at 64 jobs or 64 KiB. */

const MOST = 64;
const MOST_BYTES = 64 * 1024;

export class TurnBatch {
  /** @type {(number | string | Uint8Array)[]} */
  #echoes = [];
  #bytes = 0;
  #waiting = false;
  #send;

  /** @param {(echoes: (number | string | Uint8Array)[]) => void} send */
  constructor(send) {
    this.#send = send;
  }

  /**
   * @param {number} id
   * @param {string | Uint8Array} payload
   */
  add(id, payload) {
    this.#bytes += payload.length;
    if (this.#echoes.push(id, payload) >= 2 * MOST || this.#bytes >= MOST_BYTES) return this.#flush();
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
    if (this.#echoes.length === 0) return;
    const echoes = this.#echoes;
    this.#echoes = [];
    this.#bytes = 0;
    this.#send(echoes);
  }
}
