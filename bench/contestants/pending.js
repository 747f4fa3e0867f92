/** The echoes a bare transport waits for, by number. What a job runner would keep too, at its cheapest: slots, no Map. */

/** Numbers that are in use, and who waits for each. */
export class PendingEchoes {
  /** @type {((payload: unknown) => void)[]} */
  #waiting = [];
  /** @type {number[]} */
  #free = [];

  /**
   * Takes a number, hands it to `send` and waits for its answer.
   * @param {(id: number) => void} send
   * @returns {Promise<unknown>}
   */
  wait(send) {
    return new Promise((resolve) => {
      const id = this.#free.pop() ?? this.#waiting.length;
      this.#waiting[id] = resolve;
      send(id);
    });
  }

  /**
   * @param {number} id
   * @param {unknown} payload
   */
  settle(id, payload) {
    const resolve = this.#waiting[id];
    if (resolve === undefined) throw new Error(`an echo nobody waits for: ${id}`);
    this.#free.push(id);
    resolve(payload);
  }
}
