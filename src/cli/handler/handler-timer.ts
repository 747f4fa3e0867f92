/**
 * What a command shares with the threads that run the user's module: which export is the handler, and a timer of its runs.
 * See timed-handler.ts for the thread's end, user-threads.ts for the command's.
 */

/** What a command hands to each thread. */
export interface TimedModule {
  /** Its path as the user typed it, for messages. */
  readonly path: string;
  /** The module's URL. */
  readonly module: string;
  /** The export that is the handler. */
  readonly exportName: string;
  /** The memory of the timer that all threads share. */
  readonly timer: SharedArrayBuffer;
}

/** What a message about an unusable module begins with, so that the command finds it among the causes. */
export const MODULE_FAULT = "module fault: ";

const RUNS = 0;
const NANOSECONDS = 1;

/** Counts handler runs and their time, from any thread. Two counters in shared memory cost a job less than a message. */
export class HandlerTimer {
  /** What a thread needs to make the same timer. */
  readonly memory: SharedArrayBuffer;
  readonly #counters: BigUint64Array<SharedArrayBuffer>;

  /** A new timer, or one more view of another thread's. */
  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(16)) {
    this.memory = memory;
    this.#counters = new BigUint64Array(memory);
  }

  /** Counts one run, which began at `since` of `process.hrtime.bigint()`. */
  count(since: bigint): void {
    Atomics.add(this.#counters, NANOSECONDS, process.hrtime.bigint() - since);
    Atomics.add(this.#counters, RUNS, 1n);
  }

  /** Handlers that returned or threw. */
  get runs(): number {
    return Number(Atomics.load(this.#counters, RUNS));
  }

  /** How long they took together, in ms. */
  get ms(): number {
    return Number(Atomics.load(this.#counters, NANOSECONDS)) / 1e6;
  }
}
