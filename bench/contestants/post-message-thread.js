/** The other end of the floors of threads: answers each message with what it holds. */
import { parentPort, workerData } from "node:worker_threads";
import { ownMemory, readSlab, writeSlab } from "./slab.js";

/** @param {Uint8Array} bytes */
function answerSlab(bytes) {
  /** @type {(number | string | Uint8Array)[]} */
  const echoes = [];
  readSlab(Buffer.from(bytes.buffer), (id, payload) => echoes.push(id, payload));
  const slab = writeSlab(echoes, ownMemory);
  parentPort?.postMessage(slab, [slab.buffer]);
}

if (workerData === "slab") parentPort?.on("message", answerSlab);
else parentPort?.on("message", (echoes) => parentPort?.postMessage(echoes));
