/** poolifier's fixed pool of threads, with its defaults: tasks go to the threads at once, as many as there are. */
import { fileURLToPath } from "node:url";
import { FixedThreadPool } from "poolifier";

/** @param {{ method: "echo" | "work", size: number, tasks?: number }} options - `tasks`: how many a worker is given at a time. */
export async function open({ method, size, tasks }) {
  const script = fileURLToPath(new URL("./poolifier-worker.js", import.meta.url));
  const queue = tasks === undefined ? {} : { enableTasksQueue: true, tasksQueueOptions: { concurrency: tasks } };
  const pool = new FixedThreadPool(size, script, { errorHandler: console.error, ...queue });
  return { echo: (payload) => pool.execute(payload, method), close: () => pool.destroy() };
}
