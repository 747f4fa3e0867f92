/** Libraries that make calls over a port, to one worker thread. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** @type {Readonly<Record<string, (thread: Worker, port: MessagePort) => Promise<(payload: unknown) => Promise<unknown>>>>} */
const CALLS = {
  async comlink(thread) {
    const { wrap } = await import("comlink");
    const { default: endpoint } = await import("comlink/dist/esm/node-adapter.mjs");
    const far = wrap(endpoint(thread));
    return (payload) => far.echo(payload);
  },
  async birpc(thread) {
    const { createBirpc } = await import("birpc");
    const far = createBirpc({}, { post: (data) => thread.postMessage(data), on: (hear) => thread.on("message", hear) });
    return (payload) => far.echo(payload);
  },
  async capnweb(_thread, port) {
    const { newMessagePortRpcSession } = await import("capnweb");
    const far = newMessagePortRpcSession(port);
    return (payload) => far.echo(payload);
  },
};

/** @param {{ library: string }} options */
export async function open({ library }) {
  // Before the thread: there it would be an error of the thread.
  await import(library);
  const { port1, port2 } = new MessageChannel();
  const script = new URL("./rpc-thread.js", import.meta.url);
  const thread = new Worker(script, { workerData: { library, port: port2 }, transferList: [port2] });
  await once(thread, "message");
  const echo = await CALLS[library]?.(thread, port1);
  return {
    echo,
    close: async () => {
      port1.close();
      await thread.terminate();
    },
  };
}
