/** A bare thread that gives back each buffer that it is given: what a port itself takes. */
import { parentPort } from "node:worker_threads";

parentPort?.on("message", (/** @type {ArrayBuffer} */ buffer) => parentPort?.postMessage(buffer, [buffer]));
