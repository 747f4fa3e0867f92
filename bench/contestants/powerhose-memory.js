/** A JobRunner and its workers in one process. */
import { JobRunner, Worker } from "powerhose";
import { MemoryTransport } from "powerhose/memory";
import handler from "./echo.js";

/** @param {{ capacity: number, workers?: number, runner?: import("powerhose").RunnerOptions }} options */
export async function open({ capacity, workers = 1, runner: options }) {
  const memory = new MemoryTransport();
  const runner = new JobRunner({ listen: memory, ...options });
  const all = Array.from({ length: workers }, () => new Worker({ dial: memory, capacity, handler }));
  await Promise.all([runner.start(), ...all.map((worker) => worker.start())]);
  return {
    echo: (payload) => runner.execute(payload),
    close: async () => {
      await Promise.all(all.map((worker) => worker.stop()));
      await runner.stop();
    },
  };
}
