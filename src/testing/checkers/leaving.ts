/** Who leaves in good order takes nothing along: workers that are let go, and runners that drain. */
import { RunnerStoppedError } from "../../core/errors.ts";
import type { RunnerEvent } from "../../core/events.ts";
import type { Checker, RunnerView, Violation } from "../checker.ts";
import type { Observation } from "../observation.ts";
import type { Evidence } from "./evidence.ts";

/** A runner that drains. */
interface Drain {
  readonly since: number;
  /** Jobs under way that were given up, and when: only a stop may do that before the drain's time is over. */
  readonly givenUp: { readonly jobId: number; readonly at: number }[];
}

/** What a runner says of the jobs it gives up when a drain takes too long. */
const TOOK_OVER = /took over (\d+(?:\.\d+)?) ms/;

/** Checks I25 and I26. */
export class Leaving implements Checker {
  readonly #violation: Violation;
  readonly #evidence: Evidence;
  readonly #drains = new Map<string, Drain>();

  /** @param violation - Is told of what is wrong. @param evidence - Is shown everything before this checker is. */
  constructor(violation: Violation, evidence: Evidence) {
    this.#violation = violation;
    this.#evidence = evidence;
  }

  observe(seen: Observation): void {
    switch (seen.kind) {
      case "runner":
        return this.#event(seen.machine, seen.event, seen.at);
      case "submitted":
        if (this.#drains.has(seen.machine))
          this.#violation("I25", `${seen.machine} takes in job ${seen.jobId}, and drains`);
        return;
      case "machine":
        if (seen.state === "down") this.#drains.delete(seen.machine);
        return;
      default:
    }
  }

  betweenEvents(now: number, _runners: readonly RunnerView[]): void {
    for (const [machine, { givenUp }] of this.#drains) {
      const early = givenUp.find(({ at }) => at < now);
      if (early !== undefined && this.#evidence.ledger.runner(machine)?.unsure(now) !== true)
        this.#violation("I25", `${machine} drains, and gave up job ${early.jobId}, which was under way`);
    }
  }

  #event(machine: string, event: RunnerEvent, at: number): void {
    if (event.type === "runner-state") return this.#state(machine, event.state, at);
    if (event.type === "worker-gone" && event.reason === "removed" && event.inFlight > 0)
      this.#violation("I26", `${machine}: ${event.identity} was let go with ${event.inFlight} jobs`);
    if (event.type !== "job-settled" || event.ok || !(event.error instanceof RunnerStoppedError)) return;
    const drain = this.#drains.get(machine);
    if (drain !== undefined) this.#stopped(machine, drain, event.jobId, event.attempts, event.error, at);
  }

  #state(machine: string, state: string, at: number): void {
    if (state === "draining") {
      if (this.#drains.has(machine)) this.#violation("I25", `${machine} begins to drain twice`);
      // One that stands still begins when it is asked to, and tells when it wakes.
      const unsure = this.#evidence.ledger.runner(machine)?.unsure(at) === true;
      this.#drains.set(machine, { since: unsure ? Number.NEGATIVE_INFINITY : at, givenUp: [] });
    } else this.#drains.delete(machine);
  }

  /** A job was given up by a runner that drains. One that had not started may be. */
  #stopped(machine: string, drain: Drain, jobId: number, attempts: number, error: Error, at: number): void {
    const timeout = TOOK_OVER.exec(error.message)?.[1];
    if (timeout === undefined) {
      if (attempts > 0) drain.givenUp.push({ jobId, at });
      return;
    }
    const took = at - drain.since + this.#evidence.patience.jumped(machine, drain.since);
    if (took < Number(timeout) - 1e-6)
      this.#violation("I25", `${machine} gave up job ${jobId} after ${took} ms of a drain of ${timeout} ms`);
  }
}
