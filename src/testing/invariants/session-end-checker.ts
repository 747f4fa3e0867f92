/**
 * No session ends without a cause: for each reason that a runner gives, the frames have to show it. See liveness-checker.ts
 * for silence.
 */
import type { WorkerGoneEvent } from "../../core/events.ts";
import type { Checker, ObservedRunner, Violation } from "./checker.ts";
import type { Observation } from "../history/observation.ts";
import type { SessionEnd } from "./session-ends.ts";
import type { CheckerContext } from "./checker-context.ts";

const EPSILON = 1e-6;

/** Checks no-end-without-cause for all reasons but silence. */
export class SessionEndChecker implements Checker {
  readonly #violation: Violation;
  readonly #context: CheckerContext;
  readonly #limits = new Map<string, ObservedRunner["limits"]>();
  readonly #states = new Map<string, string>();
  /** The last worker that each runner ended as `stopped` before it told that it has stopped: that event is the last one. */
  readonly #stopped = new Map<string, string>();

  /** @param violation - Called for each breach. @param context - Has to be shown each observation first. */
  constructor(violation: Violation, context: CheckerContext) {
    this.#violation = violation;
    this.#context = context;
    context.ends.addObserver((end, event, machine) => this.#onGone(end, event, machine));
  }

  observe(seen: Observation): void {
    if (seen.kind === "machine" && seen.state === "down") {
      this.#limits.delete(seen.machine);
      this.#states.delete(seen.machine);
      this.#stopped.delete(seen.machine);
    }
    if (seen.kind === "runner" && seen.event.type === "runner-state") this.#states.set(seen.machine, seen.event.state);
  }

  betweenEvents(_now: number, runners: readonly ObservedRunner[]): void {
    for (const runner of runners) {
      const { machine, limits } = runner;
      if (!this.#limits.has(machine)) this.#limits.set(machine, limits);
      const identity = this.#stopped.get(machine);
      if (identity === undefined) continue;
      this.#stopped.delete(machine);
      if (runner.stats().state === "started")
        this.#violation("no-end-without-cause", `${machine}: ${identity} is gone as stopped, but the runner goes on`);
    }
  }

  #onGone(end: SessionEnd, { identity, reason }: WorkerGoneEvent, machine: string): void {
    const limits = this.#limits.get(machine);
    if (reason === "stopped" && this.#states.get(machine) === "started") this.#stopped.set(machine, identity);
    const missing = limits === undefined ? undefined : this.#missing(end, reason, machine, limits);
    if (missing !== undefined)
      this.#violation("no-end-without-cause", `${machine}: ${identity} is gone as ${reason}, but ${missing}`);
  }

  /** What the reason says and the frames do not show. */
  #missing(
    end: SessionEnd,
    reason: WorkerGoneEvent["reason"],
    machine: string,
    limits: ObservedRunner["limits"],
  ): string | undefined {
    const { connection, byItself, inFlight, succeeded } = end;
    switch (reason) {
      case "unresponsive":
        return this.#unconfirmed(end, machine, limits.cancelGrace);
      case "slow":
        return this.#backlog(end, machine, limits);
      case "violation": {
        if (connection.broken !== undefined || connection.muddled || connection.strikes > limits.maxStrikes) return;
        return `it kept to the protocol, with ${connection.strikes} strikes of ${limits.maxStrikes}`;
      }
      case "closed":
        return byItself && connection.broken === undefined ? "the runner closed the connection" : undefined;
      case "removed":
        if (connection.leaving === undefined) return "it never asked to leave, and was not asked to";
        return inFlight > 0 ? `${inFlight} jobs were in flight` : undefined;
      case "replaced":
        return succeeded ? undefined : "no other worker of that name has come";
      default:
        return undefined;
    }
  }

  #unconfirmed({ unconfirmedSince, at, unsure }: SessionEnd, machine: string, cancelGrace: number): string | undefined {
    if (unconfirmedSince === undefined) return "it owed no confirmation";
    const waited = this.#waited(machine, unconfirmedSince, at);
    return waited < cancelGrace - EPSILON && !unsure ? `it had ${waited} ms of ${cancelGrace} to confirm` : undefined;
  }

  #backlog(
    { connection, at, unsure, wanted }: SessionEnd,
    machine: string,
    limits: ObservedRunner["limits"],
  ): string | undefined {
    const { unread, congestedSince, shrunkAt, runner } = connection;
    if (!unsure && runner.onPort) return "on a port a worker that does not read is busy";
    if (!unsure && wanted > 0 && connection.hello?.blocking === true) return "it may have been computing";
    if (runner.overBudgetAt !== Number.NEGATIVE_INFINITY && runner.isOverBudget(at)) return undefined;
    if (unread > limits.maxBuffered) return undefined;
    if (congestedSince === undefined) return `only ${unread} bytes waited, of ${limits.highWater}`;
    const waited = this.#waited(machine, Math.max(congestedSince, shrunkAt), at);
    if (waited >= limits.stallTimeout - EPSILON || unsure) return undefined;
    return `it has read in the last ${waited} ms of ${limits.stallTimeout}, or was sent too much only then`;
  }

  /** By the runner's own clock. */
  #waited(machine: string, from: number, at: number): number {
    return at - from + this.#context.allowance.jumped(machine, from);
  }
}
