/** The floor of work on threads: the jobs dealt out beforehand, an equal share each, in one message there and one back. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** @param {{ size: number }} options */
export async function open({ size }) {
  const module = new URL("./plain-threads-thread.js", import.meta.url);
  const threads = Array.from({ length: size }, () => new Worker(module));
  await Promise.all(threads.map((thread) => once(thread, "online")));
  /** @param {readonly unknown[]} jobs */
  const burst = (jobs) =>
    Promise.all(
      threads.map((thread, index) => {
        thread.postMessage(jobs.filter((_, job) => job % size === index));
        return once(thread, "message");
      }),
    );
  return {
    burst,
    echo: (payload) => burst([payload]),
    close: () => Promise.all(threads.map((thread) => thread.terminate())),
  };
}
