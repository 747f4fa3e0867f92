// A bank for simulated worlds. As real ones do, it charges once for the same key; and what it has done, it has done, whatever
// becomes of the worker that asked for it.
export class FakeBank {
  charged = [];
  #keys = new Set();
  #sim;

  constructor(sim) {
    this.#sim = sim;
  }

  /** 20 ms there, 20 ms back. */
  async charge(order, { key, signal }) {
    await this.#sim.sleep(20, signal);
    if (key === undefined || !this.#keys.has(key)) {
      this.charged.push(order);
      this.#sim.note(`the bank charges ${order}`);
    }
    this.#keys.add(key);
    await this.#sim.sleep(20, signal);
    return `receipt for ${order}`;
  }
}
