/** The other end of the floors of WebSocket: reads each echo and answers all of a message in one. */
import { WebSocket } from "ws";
import { readSlab, writeSlab } from "./slab.js";

const socket = new WebSocket(process.argv[2], { perMessageDeflate: false });
socket.on("message", (slab) => {
  /** @type {(number | string | Uint8Array)[]} */
  const echoes = [];
  readSlab(slab, (id, payload) => echoes.push(id, payload));
  socket.send(writeSlab(echoes));
});
process.on("disconnect", () => process.exit());
