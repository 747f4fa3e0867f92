/** Jobs that kill whoever runs them, one after the other, and whether each caller was told what is promised. */
import { type ExecuteOptions, ExecutionError, type JobRunner, TimeoutError, WorkerLostError } from "powerhose";
import type { Finding } from "../section.ts";
import { inTime } from "./waiting.ts";
import { figure } from "./row.ts";

/** A way to die, in the words of the handler. */
export type Death = "abort" | "exit" | "exhaust" | "reject" | "spin" | "throw";

/** How often a job may take its worker along before it is given up. */
export const MAX_LOST = 2;

/** What its caller is told: that its workers were lost, that its time was up, or what its handler threw. */
export type Told = "lost" | "timeout" | "thrown";

/** A loop ends by its time limit alone, and is not tried again: it would only take another worker. */
const SPIN: ExecuteOptions = { timeout: 300, attempts: 1 };
const OTHERS: ExecuteOptions = { maxLost: MAX_LOST, attempts: MAX_LOST + 3 };

/** Whether the error is the one that is promised. */
function isTold(told: Told, error: unknown): boolean {
  switch (told) {
    case "timeout":
      return error instanceof TimeoutError && error.kind === "attempt";
    case "thrown":
      return error instanceof ExecutionError;
    case "lost":
      return (
        error instanceof WorkerLostError &&
        error.attempts.length === MAX_LOST &&
        error.attempts.every(({ outcome }) => outcome === "lost")
      );
  }
}

/** Poisoned jobs, counted by the way they kill. */
export class Poison {
  readonly #runner: JobRunner;
  readonly #given = new Map<Death, number>();
  readonly #surprises: string[] = [];
  #told = 0;

  constructor(runner: JobRunner) {
    this.#runner = runner;
  }

  /** How many were given. */
  get given(): number {
    return [...this.#given.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Whether all callers so far were told what is promised. */
  get isAsPromised(): boolean {
    return this.#surprises.length === 0;
  }

  /** How many of each kind. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#given].map(([death, count]) => [`poisoned jobs: ${death}`, count]));
  }

  /** Has one run, and resolves once it has settled. */
  async give(death: Death, told: Told = death === "spin" ? "timeout" : "lost"): Promise<void> {
    const number = (this.#given.get(death) ?? 0) + 1;
    this.#given.set(death, number);
    try {
      const options = death === "spin" ? SPIN : OTHERS;
      const value = await inTime(this.#runner.execute(`poison-${death}-${number} ${death} `, options));
      this.#surprises.push(`${death}: answered ${String(value)}`);
    } catch (error) {
      if (isTold(told, error)) this.#told++;
      else this.#surprises.push(`${death}: ${String(error)}`);
    }
  }

  /** That each was given up as promised. */
  finding(what: string): Finding {
    return {
      what,
      figure: [`${figure(this.#told)} of ${figure(this.given)}`, ...this.#surprises].join(", "),
      wanted: "all",
      ok: this.given > 0 && this.#told === this.given,
    };
  }
}
