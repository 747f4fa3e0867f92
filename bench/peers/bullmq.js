/** BullMQ on Redis: each job added and its result waited for, with one worker process of concurrency 256. */
import { Queue, QueueEvents } from "bullmq";
import { startProcess } from "../contestants/process.js";
import { startServer } from "./server.js";

export async function open() {
  const server = await startServer("redis-server", (port) =>
    `--bind 127.0.0.1 --port ${port} --save --appendonly no`.split(" "),
  );
  const connection = { host: "127.0.0.1", port: server.port, maxRetriesPerRequest: null };
  const queue = new Queue("echo", { connection });
  const events = new QueueEvents("echo", { connection });
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);
  const worker = startProcess(new URL("./bullmq-process.js", import.meta.url), String(server.port));
  return {
    echo: async (payload) => {
      const job = await queue.add("echo", payload, { removeOnComplete: true });
      return job.waitUntilFinished(events);
    },
    close: async () => {
      await worker.stop();
      await events.close();
      await queue.close();
      await server.stop();
    },
  };
}
