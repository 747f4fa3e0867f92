/** The floors of threads: bare `postMessage` to one worker thread. Echoes travel as an array, which clones fastest. */
import { Worker } from "node:worker_threads";
import { PendingEchoes } from "./pending.js";
import { TurnBatch } from "./turn-batch.js";

/**
 * Starts the thread; every message is an array of echoes, and so is each answer.
 * @param {(post: (echoes: unknown[]) => void) => (id: number, text: string) => void} sender
 */
async function open(sender) {
  const thread = new Worker(new URL("./post-message-thread.js", import.meta.url));
  const pending = new PendingEchoes();
  thread.on("message", (echoes) => {
    for (let i = 0; i < echoes.length; i += 2) pending.settle(echoes[i], echoes[i + 1]);
  });
  const send = sender((echoes) => thread.postMessage(echoes));
  return {
    echo: (text) => pending.wait((id) => send(id, text)),
    close: async () => void (await thread.terminate()),
  };
}

/** @type {import("../measure.js").Contestant} */
export const postMessageEach = {
  name: "postMessage, one message a job",
  open: () => open((post) => (id, text) => post([id, text])),
};

/** @type {import("../measure.js").Contestant} */
export const postMessageBatched = {
  name: "postMessage, one message a turn",
  open: () =>
    open((post) => {
      const batch = new TurnBatch((items) => post(items.flat()));
      return (id, text) => batch.add([id, text]);
    }),
};

/** @type {import("../measure.js").Contestant} */
export const postMessageOneInFlight = {
  name: "postMessage, one job in flight",
  async open() {
    const { echo, close } = await postMessageEach.open();
    let last = Promise.resolve("");
    return { echo: (text) => (last = last.then(() => echo(text))), close };
  },
};
