/** Waiting for what happens in real time. A condition that never comes true is an error that says which it was. */
import { systemClock } from "../../../src/core/time/system.ts";

/** Far beyond what a slow machine needs; only a failure waits this long. In ms. */
const MAX_WAIT_MS = 100_000;

/** A little while, in ms: for polling, never as a proof that something has happened. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void systemClock.set(ms, resolve, true));
}

/** Waits until something is so. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const giveUp = systemClock.now() + MAX_WAIT_MS;
  while (!(await condition())) {
    if (systemClock.now() > giveUp) throw new Error(`still not so after ${MAX_WAIT_MS} ms: ${what}`);
    await pause(2);
  }
}

/** Runs `one` for 0 to `count` - 1, so many at a time. */
export async function inParallel(count: number, atOnce: number, one: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, lane));
}
