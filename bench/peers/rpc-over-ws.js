/** Libraries that make calls over WebSocket, with `ws` on both ends: to one worker process that dials in. */
import { once } from "node:events";
import { WebSocket, WebSocketServer } from "ws";
import { startProcess } from "../contestants/process.js";

/** @type {Readonly<Record<string, (socket: import("ws").WebSocket) => Promise<(payload: unknown) => Promise<unknown>>>>} */
const CALLS = {
  async birpc(socket) {
    const { createBirpc } = await import("birpc");
    const far = createBirpc(
      {},
      {
        post: (data) => socket.send(data),
        on: (hear) => socket.on("message", hear),
        serialize: (value) => JSON.stringify(value),
        deserialize: (text) => JSON.parse(text),
      },
    );
    return (payload) => far.echo(payload);
  },
  async capnweb(socket) {
    const { newWebSocketRpcSession } = await import("capnweb");
    // It asks the global one for its constants, which Node 20 does not have.
    globalThis.WebSocket ??= WebSocket;
    const far = newWebSocketRpcSession(socket);
    return (payload) => far.echo(payload);
  },
};

/** @param {{ library: string }} options */
export async function open({ library }) {
  // Before the other process: there it would be an error of that.
  await import(library);
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  await once(server, "listening");
  const address = `ws://127.0.0.1:${server.address().port}`;
  const worker = startProcess(new URL("./rpc-ws-process.js", import.meta.url), library, address);
  const [socket] = await once(server, "connection");
  const echo = await CALLS[library]?.(socket);
  return {
    echo,
    close: async () => {
      socket.terminate();
      server.close();
      await worker.stop();
    },
  };
}
