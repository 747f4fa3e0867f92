/** workerpool, on threads. */
import { fileURLToPath } from "node:url";
import workerpool from "workerpool";

/** @param {{ method: "echo" | "work", size: number }} options */
export async function open({ method, size }) {
  const script = fileURLToPath(new URL("./workerpool-worker.js", import.meta.url));
  const pool = workerpool.pool(script, { workerType: "thread", minWorkers: size, maxWorkers: size });
  return { echo: (payload) => pool.exec(method, [payload]), close: () => pool.terminate(true) };
}
