/**
 * The order in which one session's jobs begin at the worker: those that found a free slot when they came, then the prefetched
 * ones, in the order they came. Measures their durations. Slots and answers are in runner-connection.ts.
 */
import type { Clock } from "../time/clock.ts";
import { LinkedQueue } from "../collections/linked-queue.ts";
import type { Execution } from "./execution.ts";

/** After a handler that held up the event loop for so long, in ms, frames are read before the next one begins. */
const LONG_MS = 1;

/** What a run queue calls. */
export interface RunQueueOwner {
  /** Whether one that waits can begin now. */
  hasSlot(): boolean;
  /** One that waited has a slot. */
  onSlotTaken(execution: Execution): void;
  /** Those that wait may begin again. */
  onResumed(): void;
  /** Runs its handler. */
  start(execution: Execution): void;
}

/** Starts handlers, one after the other: the end of one is the start of the next, so that the clock is read once for both. */
export class RunQueue {
  readonly #waiting = new LinkedQueue<Execution>();
  readonly #clock: Clock;
  readonly #owner: RunQueueOwner;
  #bytes = 0;
  #starting = false;
  #yielding = false;
  #now = 0;

  constructor(clock: Clock, owner: RunQueueOwner) {
    this.#clock = clock;
    this.#owner = owner;
  }

  /** How many wait for a slot. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whether one waits, and nothing but a slot is missing. */
  get isReady(): boolean {
    return this.#waiting.length > 0 && !this.#yielding;
  }

  /** Bytes of those that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The executions that wait, the last one first, each as it is read. */
  *latestFirst(): Generator<Execution> {
    for (let execution = this.#waiting.last; execution !== undefined; execution = this.#waiting.last) yield execution;
  }

  /** Lets one wait for a slot. */
  add(execution: Execution, now: number): void {
    execution.queuedAt = now;
    this.#waiting.push(execution);
    this.#bytes += execution.bytes;
  }

  /** Takes one out that waits. `false` when it does not. */
  delete(execution: Execution): boolean {
    const waited = this.#waiting.remove(execution);
    if (waited) this.#bytes -= execution.bytes;
    return waited;
  }

  /** Starts those that have a slot, then as many as find one. `now`: the clock's time, if durations are measured. */
  run(executions: readonly Execution[], now: number): void {
    this.#starting = true;
    this.#now = now;
    for (const execution of executions) this.#start(execution);
    this.#starting = false;
    this.next(this.#now);
  }

  /** Starts those that wait, as long as there are slots. */
  next(now?: number): void {
    if (this.#starting || this.#waiting.length === 0) return;
    this.#starting = true;
    this.#now = now ?? this.#clock.now();
    for (let execution = this.#first(); execution !== undefined; execution = this.#first()) {
      this.delete(execution);
      this.#owner.onSlotTaken(execution);
      this.#start(execution);
    }
    this.#starting = false;
  }

  /** A handler has returned or thrown at that time. */
  ended(execution: Execution, now: number): void {
    execution.durationMs = now - execution.startedAt;
    if (!this.#starting) return;
    this.#now = now;
    if (execution.durationMs > LONG_MS) this.#pause();
  }

  #first(): Execution | undefined {
    return !this.#yielding && this.#owner.hasSlot() ? this.#waiting.first : undefined;
  }

  #start(execution: Execution): void {
    execution.startedAt = this.#now;
    this.#owner.start(execution);
  }

  /** Lets frames in: the runner may recall what waits. */
  #pause(): void {
    if (this.#yielding || this.#waiting.length === 0) return;
    this.#yielding = true;
    this.#clock.nextTurn(() => {
      this.#yielding = false;
      this.#owner.onResumed();
    });
  }
}
