/** The floor of one process: a MessageChannel between two ends of one thread, a message a job. */
import { PendingEchoes } from "./pending.js";

/** @type {import("../measure.js").Contestant} */
export const messageChannel = {
  name: "MessageChannel, same thread",
  async open() {
    const { port1, port2 } = new MessageChannel();
    const pending = new PendingEchoes();
    port1.onmessage = ({ data: [id, text] }) => pending.settle(id, text);
    port2.onmessage = ({ data }) => port2.postMessage(data);
    return {
      echo: (text) => pending.wait((id) => port1.postMessage([id, text])),
      close: async () => port1.close(),
    };
  },
};
