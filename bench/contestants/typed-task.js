/** A client and its typed echo, in one process or in a thread that has 256 jobs at a time. */
import { JobRunner, Worker } from "powerhose";
import { MemoryTransport } from "powerhose/memory";
import { client } from "powerhose/tasks";
import { threads } from "powerhose/threads";
import handler from "./echo-tasks.js";

const CAPACITY = 256;

/** @param {{ over: "memory" | "threads" }} options */
export async function open({ over }) {
  const memory = new MemoryTransport();
  const module = new URL("./echo-tasks.js", import.meta.url);
  const listen = over === "memory" ? memory : threads(module, { size: 1, capacity: CAPACITY });
  const runner = new JobRunner({ listen, acquireTimeout: 30_000 });
  await runner.start();
  const worker = over === "memory" ? new Worker({ dial: memory, capacity: CAPACITY, handler }) : undefined;
  await worker?.start();
  const { echo } = client(runner);
  return {
    echo,
    close: async () => {
      await worker?.stop();
      await runner.stop();
    },
  };
}
