// The smallest whole: a runner, a worker of the same process, and a job. Nothing to install, nothing to start.
import { JobRunner, Worker } from "powerhose";

const runner = new JobRunner();
await runner.start();

const worker = new Worker({ dial: runner, handler: (job) => job.data.toUpperCase() });
await worker.start();

console.log(await runner.execute("hello"));

// Many jobs at a time: they queue, and each is given to a worker as soon as one is free.
const words = ["one", "two", "three"];
console.log(await Promise.all(words.map((word) => runner.execute(word))));

// What a handler throws rejects its own job and no other.
const shy = new Worker({
  dial: runner,
  handler: () => {
    throw new Error("not today");
  },
});
await worker.drain();
await shy.start();
await runner.execute("hello").catch((error) => console.log(`${error.name}: ${error.message}`));

await shy.drain();
await runner.stop();
