/** Waiting for what has to come true in the end, with an end to the waiting. */
import { setTimeout as sleep } from "node:timers/promises";

/** How long anything may take before it counts as never, in ms. Far beyond what a loaded machine needs. */
export const MAX_WAIT_MS = 100_000;

/** Resolves with true once something is so, with false when it still is not after `maxWait` ms. */
export async function eventually(condition: () => boolean, maxWait: number = MAX_WAIT_MS): Promise<boolean> {
  const giveUp = performance.now() + maxWait;
  while (!condition()) {
    if (performance.now() > giveUp) return false;
    await sleep(5);
  }
  return true;
}

/** Waits for what the run cannot go on without. Throws when it does not come. */
export async function needed(what: string, condition: () => boolean, more: () => string = () => ""): Promise<void> {
  if (!(await eventually(condition))) throw new Error(`still not so after ${MAX_WAIT_MS} ms: ${what} ${more()}`.trim());
}

/** What a promise comes to; rejects when it has come to nothing after {@link MAX_WAIT_MS} ms. */
export async function inTime<T>(promise: Promise<T>): Promise<T> {
  const over = new AbortController();
  const tooLong = sleep(MAX_WAIT_MS, undefined, { signal: over.signal }).then(
    () => Promise.reject(new Error(`pending after ${MAX_WAIT_MS} ms`)),
    () => promise, // aborted: the promise has settled
  );
  try {
    return await Promise.race([promise, tooLong]);
  } finally {
    over.abort();
  }
}
