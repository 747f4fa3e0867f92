/** The floors of WebSocket: `ws` on both ends, as bare as it comes, one worker process that dials in. */
import { once } from "node:events";
import { WebSocketServer } from "ws";
import { PendingEchoes } from "./pending.js";
import { startProcess } from "./process.js";
import { readSlab, writeSlab } from "./slab.js";
import { TurnBatch } from "./turn-batch.js";

/** @param {{ batched: boolean }} options */
export async function open({ batched }) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  await once(server, "listening");
  const worker = startProcess(
    new URL("./bare-ws-process.js", import.meta.url),
    `ws://127.0.0.1:${server.address().port}`,
  );
  const [socket] = await once(server, "connection");
  const pending = new PendingEchoes();
  socket.on("message", (slab) => readSlab(slab, (id, payload) => pending.settle(id, payload)));
  const batch = new TurnBatch((echoes) => socket.send(writeSlab(echoes)));
  return {
    echo: (payload) => pending.wait((id) => (batched ? batch.add(id, payload) : socket.send(writeSlab([id, payload])))),
    close: async () => {
      socket.terminate();
      server.close();
      await worker.stop();
    },
  };
}
