/** NATS request and reply over a queue group, with one worker process and the server between. */
import { connect } from "nats";
import { startProcess } from "../contestants/process.js";
import { startServer } from "./server.js";

export async function open() {
  const server = await startServer("nats-server", (port) => ["-a", "127.0.0.1", "-p", String(port)]);
  const address = `127.0.0.1:${server.port}`;
  const connection = await connect({ servers: address });
  /** @type {Promise<void>} */
  const ready = new Promise((resolve) => connection.subscribe("ready", { max: 1, callback: () => resolve() }));
  await connection.flush();
  const worker = startProcess(new URL("./nats-process.js", import.meta.url), address);
  await ready;
  return {
    echo: async (payload) => {
      const { data } = await connection.request("echo", payload, { timeout: 60_000 });
      return typeof payload === "string" ? Buffer.from(data).latin1Slice() : data;
    },
    close: async () => {
      await connection.close();
      await worker.stop();
      await server.stop();
    },
  };
}
