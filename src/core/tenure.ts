/** How long one instance of a worker serves: so many jobs, or so long. What its end means is in worker.ts. */
import { type Entropy, jitter } from "./clock.ts";
import { Alarm, type DeadlineQueue } from "./deadline.ts";

/** The limits of an instance. */
export interface TenureRules {
  /** Jobs; `Infinity`: no limit. */
  readonly maxJobs: number;
  /** In ms; `Infinity`: no limit. */
  readonly maxAge: number;
  /** At most so much is added to `maxAge` by chance, in ms; a tenth of it when absent. */
  readonly maxAgeJitter?: number | undefined;
}

/** Counts an instance's jobs and its age, and calls `over` when there were enough. */
export class Tenure {
  readonly #rules: TenureRules;
  readonly #timers: DeadlineQueue;
  readonly #entropy: Entropy;
  readonly #over: () => void;
  readonly #alarm: Alarm;
  #jobs = 0;

  constructor(rules: TenureRules, timers: DeadlineQueue, entropy: Entropy, over: () => void) {
    this.#rules = rules;
    this.#timers = timers;
    this.#entropy = entropy;
    this.#over = over;
    this.#alarm = new Alarm(over);
  }

  /** Begins anew. */
  begin(): void {
    this.#jobs = 0;
    const { maxAge, maxAgeJitter = maxAge / 10 } = this.#rules;
    if (maxAge !== Number.POSITIVE_INFINITY)
      this.#timers.set(this.#alarm, maxAge + jitter(this.#entropy, maxAgeJitter));
  }

  /** One more job has begun. */
  count(): void {
    if (++this.#jobs >= this.#rules.maxJobs) this.#over();
  }

  /** It is over, for another reason. */
  stop(): void {
    this.#timers.drop(this.#alarm);
  }
}
