/** The worker process of BullMQ. */
import { Worker } from "bullmq";

process.on("disconnect", () => process.exit());
const connection = { host: "127.0.0.1", port: Number(process.argv[2]), maxRetriesPerRequest: null };
const worker = new Worker("echo", async (job) => job.data, { connection, concurrency: 256 });
await worker.waitUntilReady();
