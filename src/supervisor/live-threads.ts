/** The threads of this process that have not ended. One in a call of the system that does not return cannot be ended. */
import { systemClock } from "../index.ts";

/** A thread, as far as its end goes. */
interface Stoppable {
  stop(): void;
}

const live = new Set<Stoppable>();
let onNone: () => void = () => undefined;
let isEnding = false;

/** Whether threads may be started: not once all are ended. */
export function mayStartThreads(): boolean {
  return !isEnding;
}

/** A thread was started. */
export function addLiveThread(thread: Stoppable): void {
  live.add(thread);
}

/** A thread has ended. */
export function deleteLiveThread(thread: Stoppable): void {
  live.delete(thread);
  if (live.size === 0) onNone();
}

/** Ends all threads. `false` when some are left after `ms`. */
export async function endAllThreads(ms: number): Promise<boolean> {
  isEnding = true;
  if (live.size === 0) return true;
  for (const thread of live) thread.stop();
  return new Promise((resolve) => {
    const timer = systemClock.set(ms, () => resolve(false), true);
    onNone = (): void => {
      systemClock.clear(timer);
      resolve(true);
    };
  });
}
