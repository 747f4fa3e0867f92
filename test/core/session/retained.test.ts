/** What sessions keep once they are idle, at both ends. Counts bytes: the memory of all array buffers of this process. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { stage } from "../../support/stage.ts";

setFlagsFromString("--expose-gc");
const gc: () => void = runInNewContext("gc");

const WORKERS = 300;
const KIB = 1_024;

/** Array buffers go a moment after their owners. */
async function arrayBuffers(): Promise<number> {
  for (let round = 0; round < 4; round++) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().arrayBuffers;
}

it(`${WORKERS} sessions that were busy once retain no buffer each, at the runner or at the worker`, async () => {
  await using set = await stage({ prefetch: 0 });
  for (let worker = 0; worker < WORKERS; worker++)
    await set.worker(({ data }) => data, { identity: `w${worker}`, capacity: 3 });
  const before = await arrayBuffers();
  const large = "x".repeat(20 * KIB);
  // Three jobs in one turn share a frame: pieces below 32 KiB grow a buffer by doubling, and it does not end full.
  const calls = Array.from({ length: 3 * WORKERS }, () => set.runner.execute(large));
  await set.settle(Promise.all(calls));
  expect(set.runner.stats().workers.map(({ served }) => served)).toEqual(Array.from({ length: WORKERS }, () => 3));
  const retained = (await arrayBuffers()) - before;
  expect(retained).toBeLessThan(5 * KIB * KIB);
});
