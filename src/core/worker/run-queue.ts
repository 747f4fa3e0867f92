/**
 * Begins the jobs of one session at the worker: those that found a slot when they came, then those that were sent ahead of
 * one, in the order they came. Knows what they took; whether there is a slot, and what becomes of a job, is in runner-connection.ts.
 */
import type { Clock } from "../time/clock.ts";
import { Line } from "../collections/linked-queue.ts";
import type { Task } from "./execution.ts";

/** After a handler that held up the event loop for so long, in ms, frames are read before the next one begins. */
const LONG = 1;

/** Whose jobs they are. */
export interface StarterOwner {
  /** Whether one that waits can begin now. */
  hasSlot(): boolean;
  /** One that waited has a slot. */
  took(task: Task): void;
  /** Runs its handler. */
  start(task: Task): void;
}

/** Starts handlers, one after the other: the end of one is the start of the next, so that one look at the clock does for both. */
export class Starter {
  readonly #waiting = new Line<Task>();
  readonly #clock: Clock;
  readonly #owner: StarterOwner;
  #bytes = 0;
  #starting = false;
  #pausing = false;
  #now = 0;

  constructor(clock: Clock, owner: StarterOwner) {
    this.#clock = clock;
    this.#owner = owner;
  }

  /** How many wait for a slot. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Bytes of those that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Who waits, the one that came last first, each as it is asked for. */
  *latestFirst(): Generator<Task> {
    for (let task = this.#waiting.last; task !== undefined; task = this.#waiting.last) yield task;
  }

  /** Lets one wait for a slot. */
  add(task: Task): void {
    this.#waiting.join(task);
    this.#bytes += task.bytes;
  }

  /** Takes one out that waits. `false` when it does not. */
  delete(task: Task): boolean {
    const waited = this.#waiting.leave(task);
    if (waited) this.#bytes -= task.bytes;
    return waited;
  }

  /** Starts those that have a slot, then as many as find one. `now`: the clock's time, if anybody wants to know what they take. */
  run(tasks: readonly Task[], now: number): void {
    this.#starting = true;
    this.#now = now;
    for (const task of tasks) this.#start(task);
    this.#starting = false;
    this.next(this.#now);
  }

  /** Starts those that wait, as long as there are slots. */
  next(now?: number): void {
    if (this.#starting || this.#waiting.length === 0) return;
    this.#starting = true;
    this.#now = now ?? this.#clock.now();
    for (let task = this.#first(); task !== undefined; task = this.#first()) {
      this.delete(task);
      this.#owner.took(task);
      this.#start(task);
    }
    this.#starting = false;
  }

  /** A handler has returned or thrown at that time. */
  ended(task: Task, now: number): void {
    task.ran = now - task.startedAt;
    if (!this.#starting) return;
    this.#now = now;
    if (task.ran > LONG) this.#pause();
  }

  #first(): Task | undefined {
    return !this.#pausing && this.#owner.hasSlot() ? this.#waiting.first : undefined;
  }

  #start(task: Task): void {
    task.startedAt = this.#now;
    this.#owner.start(task);
  }

  /** The runner may want back what waits, and has had no chance to say so. */
  #pause(): void {
    if (this.#pausing || this.#waiting.length === 0) return;
    this.#pausing = true;
    this.#clock.nextTurn(() => {
      this.#pausing = false;
      this.next();
    });
  }
}
