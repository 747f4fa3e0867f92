/** The other end of the floors of threads: answers each message with what it holds. */
import { parentPort } from "node:worker_threads";

parentPort?.on("message", (echoes) => parentPort?.postMessage(echoes));
