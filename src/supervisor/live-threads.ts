/** The threads of this process that have not ended. One in a call of the system that does not return cannot be ended. */
import { systemClock } from "../index.ts";

/** A thread, as far as its end goes. */
interface Stoppable {
  stop(): void;
}

class LiveThreads {
  readonly #threads = new Set<Stoppable>();
  #onNone: () => void = () => undefined;
  #isEnding = false;

  /** Whether threads may be started: not while all are being ended. */
  get mayStart(): boolean {
    return !this.#isEnding;
  }

  /** A thread was started. */
  add(thread: Stoppable): void {
    this.#threads.add(thread);
  }

  /** A thread has ended. */
  delete(thread: Stoppable): void {
    this.#threads.delete(thread);
    if (this.#threads.size === 0) this.#onNone();
  }

  /** Ends all threads. `false` when some are left after `ms`. */
  async endAll(ms: number): Promise<boolean> {
    this.#isEnding = true;
    const isDone = this.#threads.size === 0 || (await this.#stopAll(ms));
    this.#isEnding = !isDone;
    return isDone;
  }

  #stopAll(ms: number): Promise<boolean> {
    for (const thread of this.#threads) thread.stop();
    return new Promise((resolve) => {
      const timer = systemClock.set(ms, () => resolve(false), true);
      this.#onNone = (): void => {
        systemClock.clear(timer);
        resolve(true);
      };
    });
  }
}

/** Those of this process. */
export const liveThreads: LiveThreads = new LiveThreads();
