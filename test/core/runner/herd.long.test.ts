/** A fleet of 10,000 whose runner was away for a minute: it is back within 2 s, spread over them, and floods nothing. */
import { expect, it } from "vitest";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";

const FLEET = 10_000;
const AWAY_MS = 60_000;

it("10,000 workers come back to a runner without a flood, and none is refused", async () => {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  let runner: JobRunner | undefined;
  let dials = 0;
  const dial = (signal: AbortSignal): ReturnType<JobRunner["dial"]> => {
    dials++;
    return runner === undefined ? Promise.reject(new Error("nothing listens there")) : runner.dial(signal);
  };
  const start = async (): Promise<JobRunner> => {
    const made = new JobRunner({ clock, random, maxPending: FLEET });
    const started = made.start();
    await clock.settle();
    await started;
    runner = made;
    return made;
  };
  const first = await start();
  const fleet = Array.from(
    { length: FLEET },
    (_, n) => new Worker({ dial: { dial }, handler: ({ data }) => data, identity: `w${n}`, clock, random }),
  );
  for (const worker of fleet) void worker.start();
  await clock.settle();
  expect(first.stats().workers).toHaveLength(FLEET);
  runner = undefined;
  void first.stop();
  await clock.advance(AWAY_MS);
  // Full jitter up to 2 s: each worker dials about once a second while the runner is away.
  expect(dials - FLEET).toBeLessThan((FLEET * AWAY_MS * 1.25) / 1_000);
  const second = await start();
  let most = 0;
  for (let registered = 0, ms = 0; ms < 2_000; ms += 100) {
    await clock.advance(100);
    const now = second.stats().registered;
    most = Math.max(most, now - registered);
    registered = now;
  }
  expect(second.stats()).toMatchObject({ registered: FLEET, refused: 0 });
  // In each 100 ms of the 2 s a twentieth is due on average: nearly twice that in the first.
  expect(most).toBeLessThan(FLEET / 6);
  for (const worker of fleet) void worker.stop();
  void second.stop();
  await clock.settle();
  expect(clock.pending).toBe(0);
}, 300_000);
