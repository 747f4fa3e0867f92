/** A JobRunner and a Worker in one process. */
import { JobRunner, Worker } from "powerhose";
import { MemoryTransport } from "powerhose/memory";
import handler from "./echo.js";

/** @type {import("../measure.js").Contestant} */
export const powerhoseMemory = {
  name: "powerhose, memory",
  floor: "MessageChannel, same thread",
  async open() {
    const memory = new MemoryTransport();
    const runner = new JobRunner({ listen: memory });
    const worker = new Worker({ dial: memory, capacity: 256, handler });
    await Promise.all([runner.start(), worker.start()]);
    return {
      echo: (text) => runner.execute(text),
      close: async () => {
        await worker.stop();
        await runner.stop();
      },
    };
  },
};
