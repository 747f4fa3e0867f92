/** What was promised in an edge world and what became of it: each promise, and each job that an event spoke of. */
import { PowerhoseError } from "../../src/core/errors.ts";
import type { RunnerEvent } from "../../src/core/events.ts";
import { OwnError } from "./edge-handler.ts";
import type { Tally } from "./statement.ts";

interface Tracked {
  readonly what: string;
  settlements: number;
}

/** Writes down settlements. What is wrong is collected, not thrown: the world goes on. */
export class SettlementLog {
  readonly faults: string[] = [];
  readonly #tally: Tally;
  readonly #tracked: Tracked[] = [];
  readonly #reasons = new Set<unknown>();
  readonly #settled = new Map<string, number>();

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  /** Makes this a reason that callers may be given: a signal was aborted with it. */
  allow(reason: unknown): void {
    this.#reasons.add(reason);
  }

  /** Takes down a promise of the library: it settles, and with an error of the closed set or one that was ours. */
  track(what: string, promise: Promise<unknown>, kind: string = what): void {
    const tracked: Tracked = { what, settlements: 0 };
    this.#tracked.push(tracked);
    promise.then(
      () => {
        tracked.settlements++;
        this.#tally.add(`${kind}: done`);
      },
      (error: unknown) => {
        tracked.settlements++;
        const known = error instanceof PowerhoseError || error instanceof OwnError || this.#reasons.has(error);
        if (!known) this.faults.push(`${what} rejected with ${String(error)}`);
        this.#tally.add(`${kind}: ${error instanceof PowerhoseError ? error.code : "ours"}`);
      },
    );
  }

  /** Takes down what the runner reports. */
  note(event: RunnerEvent): void {
    this.#tally.add(event.type);
    if (event.type === "job-settled") this.#settled.set(event.jobId, (this.#settled.get(event.jobId) ?? 0) + 1);
    else if (event.type === "job-started" && this.#settled.has(event.jobId))
      this.faults.push("a job was started that had settled");
  }

  /** How many promises have not settled. */
  get open(): number {
    return this.#tracked.filter(({ settlements }) => settlements === 0).length;
  }

  /** By now everything has settled; `how` says when that is. */
  checkClosed(how: string): void {
    for (const { what, settlements } of this.#tracked) if (settlements === 0) this.faults.push(`${what} ${how}`);
  }

  /** By now each of so many jobs was reported settled, once. */
  checkReports(submitted: number): void {
    const once = [...this.#settled.values()].filter((times) => times === 1).length;
    if (once !== submitted) this.faults.push(`${once} of ${submitted} jobs were reported settled once`);
  }
}
