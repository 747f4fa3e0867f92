/** The other end of the calls over WebSocket: one echo, in the words of each library. */
import { WebSocket } from "ws";

const [, , library = "", address = ""] = process.argv;
const socket = new WebSocket(address, { perMessageDeflate: false });
process.on("disconnect", () => process.exit());

if (library === "birpc") {
  const { createBirpc } = await import("birpc");
  createBirpc(
    { echo: (/** @type {unknown} */ payload) => payload },
    {
      post: (data) => socket.send(data),
      on: (hear) => socket.on("message", hear),
      serialize: (value) => JSON.stringify(value),
      deserialize: (text) => JSON.parse(text),
    },
  );
} else {
  // It asks the global one for its constants, which Node 20 does not have.
  globalThis.WebSocket ??= WebSocket;
  const { newWebSocketRpcSession, RpcTarget } = await import("capnweb");
  class Echo extends RpcTarget {
    echo(/** @type {unknown} */ payload) {
      return payload;
    }
  }
  newWebSocketRpcSession(socket, new Echo());
}
