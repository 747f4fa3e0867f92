/**
 * How long handlers ran in the threads of this process: two counters in shared memory, which cost a job less than a
 * message would. One end is in timed-handler.ts, in each thread; the other in the command.
 */

const RUNS = 0;
const NANOSECONDS = 1;

/** Counts runs and their time, from any thread. */
export class HandlerTimer {
  /** What a thread needs to make the same meter. */
  readonly memory: SharedArrayBuffer;
  readonly #counters: BigUint64Array<SharedArrayBuffer>;

  /** A new meter, or one more view of another thread's. */
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
