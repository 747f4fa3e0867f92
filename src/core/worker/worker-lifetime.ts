/** When one instance of a worker retires: after `maxJobs` jobs, or at `maxAge`. What retirement does is in worker.ts. */
import { type Clock, type Random, jitter } from "../time/clock.ts";
import { Timer } from "../time/timer.ts";

/** The limits of an instance. */
export interface LifetimeRules {
  /** Jobs; `Infinity`: no limit. */
  readonly maxJobs: number;
  /** In ms; `Infinity`: no limit. */
  readonly maxAge: number;
  /** At most so much is added to `maxAge` by chance, in ms; a tenth of it when absent. */
  readonly maxAgeJitter?: number | undefined;
}

/** Counts an instance's jobs and its age, and calls `over` once when there were enough. No instance lives before `begin`. */
export class WorkerLifetime {
  readonly #rules: LifetimeRules;
  readonly #random: Random;
  readonly #over: () => void;
  readonly #timer: Timer;
  #isOver = true;
  #ages = false;
  #jobs = 0;

  constructor(rules: LifetimeRules, clock: Clock, random: Random, over: () => void) {
    this.#rules = rules;
    this.#random = random;
    this.#over = over;
    this.#timer = new Timer(clock, false, () => this.#end());
  }

  /** Whether no instance lives: `begin` makes one. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Begins anew. */
  begin(): void {
    this.#isOver = false;
    this.#jobs = 0;
    this.#ages = false;
    this.#timer.drop();
  }

  /** A runner has let the instance in: from the first time on it ages. One that did so sooner might never get as far. */
  onRegistered(): void {
    if (this.#ages || this.#isOver) return;
    this.#ages = true;
    const { maxAge, maxAgeJitter = maxAge / 10 } = this.#rules;
    // No chance where there is no limit: infinity times nothing would be no number.
    this.#timer.set(maxAge === Number.POSITIVE_INFINITY ? maxAge : maxAge + jitter(this.#random, maxAgeJitter));
  }

  /** One more job has begun. */
  count(): void {
    if (++this.#jobs >= this.#rules.maxJobs && !this.#isOver) this.#end();
  }

  /** It is over, for another reason. */
  stop(): void {
    this.#isOver = true;
    this.#timer.drop();
  }

  #end(): void {
    this.stop();
    this.#over();
  }
}
