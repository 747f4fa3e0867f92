/** Piscina, with its defaults or with many tasks a worker. */
import { FixedQueue, Piscina } from "piscina";

/** @param {{ handler: string, size: number, tasks?: number }} options - `tasks`: how many a worker is given at a time. */
export async function open({ handler, size, tasks }) {
  const pool = new Piscina({
    filename: new URL(handler, import.meta.url).href,
    minThreads: size,
    maxThreads: size,
    ...(tasks === undefined ? {} : { concurrentTasksPerWorker: tasks, taskQueue: new FixedQueue() }),
  });
  return { echo: (payload) => pool.run(payload), close: () => pool.destroy() };
}
