/** What a `map` of an edge world reads: a source that may throw, and that knows whether it was let go. */
import type { Scheduler } from "fast-check";
import { OwnError } from "./edge-handler.ts";
import type { MapPlan } from "./edge-plan.ts";

export class EdgeInput {
  readonly #jobs: readonly string[];
  readonly #plan: MapPlan;
  readonly #scheduler: Scheduler;
  #begun = 0;
  #ended = 0;

  constructor(jobs: readonly string[], plan: MapPlan, scheduler: Scheduler) {
    this.#jobs = jobs;
    this.#plan = plan;
    this.#scheduler = scheduler;
  }

  /** The source. */
  open(): Iterable<string> | AsyncIterable<string> {
    if (this.#plan.input === "array") return this.#jobs;
    return this.#plan.input === "generator" ? this.#generate() : this.#generateAsync();
  }

  /** What is wrong once the map is over. */
  get faults(): readonly string[] {
    // A silent input answers nothing, not even `return`: a `map` that ends must not wait for it.
    return this.#begun === this.#ended || this.#plan.input === "silent" ? [] : ["map: the input was not let go"];
  }

  #check(at: number): void {
    if (at === this.#plan.throwsAt) throw new OwnError("no more inputs");
  }

  *#generate(): Generator<string> {
    this.#begun++;
    try {
      for (const [at, job] of this.#jobs.entries()) {
        this.#check(at);
        yield job;
      }
    } finally {
      this.#ended++;
    }
  }

  async *#generateAsync(): AsyncGenerator<string> {
    this.#begun++;
    try {
      for (const [at, job] of this.#jobs.entries()) {
        await this.#scheduler.schedule(Promise.resolve(), `input ${at}`);
        this.#check(at);
        yield job;
      }
      if (this.#plan.input === "silent") await new Promise<never>(() => undefined);
    } finally {
      this.#ended++;
    }
  }
}
