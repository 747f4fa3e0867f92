// A worker: dials the address it is given, squares numbers, and leaves after what it has begun.
import { Worker } from "powerhose";
import { dialWebSocket } from "powerhose/websocket/node";

const worker = new Worker({
  dial: dialWebSocket(process.argv[2]),
  handler: (job) => {
    const number = Number(job.data);
    if (Number.isNaN(number)) throw new TypeError(`${String(job.data)} is not a number`);
    return String(number ** 2);
  },
});
process.once("SIGTERM", () => void worker.drain().then(() => process.exit()));
await worker.start();
