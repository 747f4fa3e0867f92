/**
 * The floors of threads: bare `postMessage` to one worker thread. Echoes travel as an array, which clones fastest when they
 * are small, or as one slab of bytes that changes hands.
 */
import { Worker } from "node:worker_threads";
import { PendingEchoes } from "./pending.js";
import { ownMemory, readSlab, writeSlab } from "./slab.js";
import { TurnBatch } from "./turn-batch.js";

/** @param {{ as: "each" | "batched" | "slab" | "one" }} options - `one`: a message a job, and one job at a time. */
export async function open({ as }) {
  const thread = new Worker(new URL("./post-message-thread.js", import.meta.url), { workerData: as });
  const pending = new PendingEchoes();
  const settle = (id, payload) => pending.settle(id, payload);
  thread.on("message", (echoes) => {
    if (as === "slab") readSlab(Buffer.from(echoes.buffer), settle);
    else for (let i = 0; i < echoes.length; i += 2) settle(echoes[i], echoes[i + 1]);
  });
  const batch = new TurnBatch((echoes) => {
    if (as !== "slab") return thread.postMessage(echoes);
    const slab = writeSlab(echoes, ownMemory);
    thread.postMessage(slab, [slab.buffer]);
  });
  const isBatched = as === "slab" || as === "batched";
  const echo = (payload) =>
    pending.wait((id) => (isBatched ? batch.add(id, payload) : thread.postMessage([id, payload])));
  let last = Promise.resolve();
  return {
    echo: as === "one" ? (payload) => (last = last.then(() => echo(payload))) : echo,
    close: async () => void (await thread.terminate()),
  };
}
