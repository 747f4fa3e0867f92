/** A JobRunner and a Worker in another process that dials in over WebSocket. */
import { JobRunner } from "powerhose";
import { listenWebSocket } from "powerhose/websocket/node";
import { startProcess } from "./process.js";

/** @type {import("../measure.js").Contestant} */
export const powerhoseWebSocket = {
  name: "powerhose, WebSocket",
  floor: "ws, one message a turn",
  async open() {
    const listen = listenWebSocket();
    const runner = new JobRunner({ listen, acquireTimeout: 30_000 });
    await runner.start();
    const worker = startProcess("./powerhose-websocket-process.js", listen.address);
    return {
      echo: (text) => runner.execute(text),
      close: async () => {
        await runner.stop();
        await worker.stop();
      },
    };
  },
};
