/**
 * A `map` of 1,024 results of 1 MB each, whose reader stops after the first one until nothing moves any more, and again after
 * a hundred. Prints how many results were made by then, and how many were held at most.
 */
import { JobRunner, Worker } from "../../src/index.ts";

const JOBS = 1_024;
const MEGABYTE = 1_000_000;

const runner = new JobRunner();
await runner.start();
let made = 0;
let read = 0;
let mostHeld = 0;
const worker = new Worker({
  dial: runner,
  capacity: 4,
  handler: (job) => {
    mostHeld = Math.max(mostHeld, ++made - read);
    return String(job.data).padEnd(MEGABYTE, ".");
  },
});
await worker.start();

/** Waits until no job has been run for many turns of the event loop. */
async function quiet(): Promise<number> {
  let before = -1;
  while (before !== made) {
    before = made;
    for (let turns = 0; turns < 200; turns++) await new Promise((resolve) => setImmediate(resolve));
  }
  return made;
}

const stops: number[] = [];
const inputs = Array.from({ length: JOBS }, (_, index) => String(index));
for await (const outcome of runner.map(inputs, { ordered: process.argv[2] === "ordered" })) {
  if (!outcome.ok || outcome.value.length !== MEGABYTE) throw new Error(`no result of ${outcome.input}`);
  read++;
  if (read === 1 || read === 100) stops.push(await quiet());
  if (read === 110) break;
}
await worker.stop();
await runner.stop();
console.log(JSON.stringify({ stops, mostHeld }));
