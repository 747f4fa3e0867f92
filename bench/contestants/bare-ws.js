/** The floors of WebSocket: `ws` on both ends, as bare as it comes, one worker process that dials in. */
import { once } from "node:events";
import { WebSocketServer } from "ws";
import { startProcess } from "./process.js";
import { PendingEchoes } from "./pending.js";
import { readSlab, writeSlab } from "./slab.js";
import { TurnBatch } from "./turn-batch.js";

/** @param {(post: (echoes: import("./slab.js").Echo[]) => void) => (id: number, text: string) => void} sender */
async function open(sender) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  await once(server, "listening");
  const worker = startProcess("./bare-ws-process.js", `ws://127.0.0.1:${server.address().port}`);
  const [socket] = await once(server, "connection");
  const pending = new PendingEchoes();
  socket.on("message", (slab) => readSlab(slab, (id, text) => pending.settle(id, text)));
  const send = sender((echoes) => socket.send(writeSlab(echoes)));
  return {
    echo: (text) => pending.wait((id) => send(id, text)),
    close: async () => {
      socket.terminate();
      server.close();
      await worker.stop();
    },
  };
}

/** @type {import("../measure.js").Contestant} */
export const wsEach = {
  name: "ws, one message a job",
  open: () => open((post) => (id, text) => post([{ id, text }])),
};

/** @type {import("../measure.js").Contestant} */
export const wsBatched = {
  name: "ws, one message a turn",
  open: () =>
    open((post) => {
      const batch = new TurnBatch(post);
      return (id, text) => batch.add({ id, text });
    }),
};
