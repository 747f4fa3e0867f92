/** BullMQ on Redis: each job added and its result waited for, with one worker process of concurrency 256. */
import { Queue, QueueEvents } from "bullmq";
import { startProcess } from "../contestants/process.js";
import { startServer } from "./server.js";

/** A job that is gone before its result is asked for is an error; and Redis must not fill up. */
const KEEP = { removeOnComplete: { count: 10_000 } };

export async function open() {
  const server = await startServer("redis-server", (port) =>
    `--bind 127.0.0.1 --port ${port} --save --appendonly no`.split(" "),
  );
  const connection = { host: "127.0.0.1", port: server.port, maxRetriesPerRequest: null };
  const queue = new Queue("echo", { connection });
  const events = new QueueEvents("echo", { connection });
  // One for each job that is waited for.
  queue.setMaxListeners(0);
  events.setMaxListeners(0);
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);
  const worker = startProcess(new URL("./bullmq-process.js", import.meta.url), String(server.port));
  return {
    echo: async (payload) => {
      const job = await queue.add("echo", payload, KEEP);
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
