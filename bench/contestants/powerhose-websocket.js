/** A JobRunner and a Worker in another process that dials in over WebSocket. */
import { JobRunner } from "powerhose";
import { listenWebSocket } from "powerhose/websocket/node";
import { sendAhead } from "./ahead.js";
import { startProcess } from "./process.js";

/** @param {{ capacity: number, runner?: object, ahead?: number }} options */
export async function open({ capacity, runner: options, ahead }) {
  const listen = listenWebSocket();
  const runner = new JobRunner({ listen, acquireTimeout: 30_000, ...sendAhead(ahead), ...options });
  await runner.start();
  const worker = startProcess(
    new URL("./powerhose-websocket-process.js", import.meta.url),
    listen.address,
    String(capacity),
  );
  return {
    echo: (payload) => runner.execute(payload),
    close: async () => {
      await runner.stop();
      await worker.stop();
    },
  };
}
