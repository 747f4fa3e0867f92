/** The floor of one process: a MessageChannel between two ends of one thread, a message a job. */
import { PendingEchoes } from "./pending.js";

/** A plain queue: two arrays, so that taking from the front costs nothing. */
class Waiting {
  /** @type {(() => void)[]} */
  #arriving = [];
  /** @type {(() => void)[]} */
  #leaving = [];

  /** @param {() => void} send */
  add(send) {
    this.#arriving.push(send);
  }

  take() {
    if (this.#leaving.length === 0) [this.#leaving, this.#arriving] = [this.#arriving.toReversed(), []];
    return this.#leaving.pop();
  }
}

/** @param {{ atOnce?: number }} options - How many are under way at most; more wait. */
export async function open({ atOnce = Infinity }) {
  const { port1, port2 } = new MessageChannel();
  const pending = new PendingEchoes();
  const waiting = new Waiting();
  let underWay = 0;
  port1.onmessage = ({ data: [id, payload] }) => {
    underWay--;
    pending.settle(id, payload);
    if (underWay < atOnce) waiting.take()?.();
  };
  port2.onmessage = ({ data }) => port2.postMessage(data);
  return {
    echo: (payload) =>
      pending.wait((id) => {
        const send = () => {
          underWay++;
          port1.postMessage([id, payload]);
        };
        if (underWay < atOnce) send();
        else waiting.add(send);
      }),
    close: async () => port1.close(),
  };
}
