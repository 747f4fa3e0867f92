/** The other end of the calls to a thread: one echo, in the words of each library. */
import { parentPort, workerData } from "node:worker_threads";

const echo = (/** @type {unknown} */ payload) => payload;

/** @type {Readonly<Record<string, () => Promise<unknown>>>} */
const ENDS = {
  async comlink() {
    const { expose } = await import("comlink");
    const { default: endpoint } = await import("comlink/dist/esm/node-adapter.mjs");
    expose({ echo }, endpoint(parentPort));
  },
  async birpc() {
    const { createBirpc } = await import("birpc");
    createBirpc(
      { echo },
      { post: (data) => parentPort?.postMessage(data), on: (hear) => parentPort?.on("message", hear) },
    );
  },
  async capnweb() {
    const { newMessagePortRpcSession, RpcTarget } = await import("capnweb");
    class Echo extends RpcTarget {
      echo(/** @type {unknown} */ payload) {
        return payload;
      }
    }
    newMessagePortRpcSession(workerData.port, new Echo());
  },
};

await ENDS[workerData.library]?.();
parentPort?.postMessage("ready");
