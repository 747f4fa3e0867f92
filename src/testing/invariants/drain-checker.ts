/** Leaving loses no job: neither a worker that is removed nor a runner that drains. */
import { RunnerStoppedError } from "../../core/errors.ts";
import type { Checker, ObservedRunner, Violation } from "./checker.ts";
import type { NumberedEvent, Observation } from "../history/observation.ts";
import type { CheckerContext } from "./checker-context.ts";
import { getOrCreate } from "./get-or-create.ts";

/** A runner that drains. */
interface Drain {
  readonly since: number;
  /** When that was reported. */
  readonly toldAt: number;
  /** Jobs that were given up and should not be, and when: only a stop may do that before the drain's time is over. */
  readonly givenUp: { readonly jobId: number; readonly at: number }[];
  /** Jobs to be rejected at once. */
  readonly unstarted: Set<number>;
}

/** One life of a runner. */
interface RunnerLife {
  /** What a drain does with jobs that have not started; `undefined` while none was asked for. */
  queued: "run" | "reject" | undefined;
  /** How many attempts each unsettled job of an `execute` has had that counted. */
  readonly made: Map<number, number>;
  drain: Drain | undefined;
}

/** What a runner says of the jobs it gives up when a drain takes too long. */
const TOOK_OVER = /took over (\d+(?:\.\d+)?) ms/;
/** What it says of those it rejects as it begins to drain. One that stops at once says something else. */
const DRAINS = "the runner drains";

/** Checks drain-keeps-promises and leaving-loses-no-job. */
export class DrainChecker implements Checker {
  readonly #violation: Violation;
  readonly #context: CheckerContext;
  readonly #lives = new Map<string, RunnerLife>();

  /** @param violation - Called for each breach. @param context - Has to be shown each observation first. */
  constructor(violation: Violation, context: CheckerContext) {
    this.#violation = violation;
    this.#context = context;
  }

  observe(seen: Observation): void {
    switch (seen.kind) {
      case "runner":
        return this.#event(seen.machine, seen.event, seen.at);
      case "drain":
        this.#life(seen.machine).queued = seen.queued;
        return;
      case "submitted":
        return this.#submitted(seen.machine, seen.jobId);
      case "machine":
        if (seen.state === "down") this.#lives.delete(seen.machine);
        return;
      default:
    }
  }

  betweenEvents(now: number, _runners: readonly ObservedRunner[]): void {
    for (const [machine, { drain }] of this.#lives) if (drain !== undefined) this.#checkDrain(machine, drain, now);
  }

  #life(machine: string): RunnerLife {
    return getOrCreate(this.#lives, machine, () => ({ queued: undefined, made: new Map(), drain: undefined }));
  }

  #submitted(machine: string, jobId: number): void {
    const { made, drain } = this.#life(machine);
    made.set(jobId, 0);
    if (drain !== undefined) this.#violation("drain-keeps-promises", `${machine} takes in job ${jobId}, and drains`);
  }

  /** Once the time has moved: what a drain rejects it rejects at once, and a stop that follows at once may reject the rest. */
  #checkDrain(machine: string, { givenUp, unstarted, toldAt }: Drain, now: number): void {
    if (this.#context.wire.runner(machine)?.unsure(now) === true) return;
    const early = givenUp.find(({ at }) => at < now);
    if (early !== undefined)
      this.#violation(
        "drain-keeps-promises",
        `${machine} drains, and gave up job ${early.jobId}, which it was to finish`,
      );
    if (unstarted.size === 0 || toldAt >= now) return;
    this.#violation(
      "drain-keeps-promises",
      `${machine} drains, and did not reject job ${[...unstarted].join()}, which had not started`,
    );
    unstarted.clear();
  }

  #event(machine: string, event: NumberedEvent, at: number): void {
    const { made, drain } = this.#life(machine);
    switch (event.type) {
      case "runner-state":
        return this.#state(machine, event.state, at);
      case "worker-gone":
        if (event.reason === "removed" && event.inFlight > 0)
          this.#violation(
            "leaving-loses-no-job",
            `${machine}: ${event.identity} was let go with ${event.inFlight} jobs`,
          );
        return;
      case "job-started":
        return count(made, event.jobId, 1);
      case "job-retried":
        if (event.outcome === "rejected" || event.outcome === "not-sent") return count(made, event.jobId, -1);
        // A prefetched attempt that was lost counts, and had not started.
        return count(made, event.jobId, Math.max(0, event.attempt - (made.get(event.jobId) ?? 0)));
      case "job-settled":
        made.delete(event.jobId);
        drain?.unstarted.delete(event.jobId);
        if (drain !== undefined && !event.ok && event.error instanceof RunnerStoppedError)
          this.#onGivenUp(machine, drain, event.jobId, event.attempts, event.error, at);
        return;
      default:
    }
  }

  #state(machine: string, state: string, at: number): void {
    const life = this.#life(machine);
    if (state !== "draining") {
      life.drain = undefined;
      life.queued = undefined;
      return;
    }
    if (life.drain !== undefined) this.#violation("drain-keeps-promises", `${machine} begins to drain twice`);
    const unstarted = new Set<number>();
    if (life.queued === "reject") for (const [jobId, made] of life.made) if (made === 0) unstarted.add(jobId);
    // A runner that stands still begins at once, and reports it as it wakes.
    const unsure = this.#context.wire.runner(machine)?.unsure(at) === true;
    life.drain = { since: unsure ? Number.NEGATIVE_INFINITY : at, toldAt: at, givenUp: [], unstarted };
  }

  /** A job was given up by a runner that drains. One that had not started may be, if that was asked for. */
  #onGivenUp(machine: string, drain: Drain, jobId: number, attempts: number, error: Error, at: number): void {
    const timeout = TOOK_OVER.exec(error.message)?.[1];
    if (timeout === undefined) {
      if (attempts > 0 && error.message === DRAINS)
        this.#violation("drain-keeps-promises", `${machine} rejects job ${jobId} as it drains, and it had started`);
      if (attempts > 0 || this.#life(machine).queued === "run") drain.givenUp.push({ jobId, at });
      return;
    }
    const took = at - drain.since + this.#context.allowance.jumped(machine, drain.since);
    if (took < Number(timeout) - 1e-6)
      this.#violation(
        "drain-keeps-promises",
        `${machine} gave up job ${jobId} after ${took} ms of a drain of ${timeout} ms`,
      );
  }
}

function count(made: Map<number, number>, jobId: number, change: number): void {
  const before = made.get(jobId);
  if (before !== undefined) made.set(jobId, Math.max(0, before + change));
}
