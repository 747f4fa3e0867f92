/** A silent worker is detected in time, and no other is taken for dead: judged by the frames that arrived. */
import type { WorkerGoneEvent } from "../../core/events.ts";
import type { Checker, ObservedRunner, Violation } from "./checker.ts";
import type { SessionEnd } from "./session-ends.ts";
import type { CheckerContext } from "./checker-context.ts";
import type { WireConnection, WireRunner } from "./wire.ts";

/** Timers are rounded up to whole milliseconds. */
const TICK_MS = 1;
const EPSILON = 1e-6;

/** Checks no-end-without-cause and dead-peer-detected. */
export class LivenessChecker implements Checker {
  readonly #violation: Violation;
  readonly #context: CheckerContext;
  readonly #heartbeats = new Map<string, number>();
  #nextCheck = 0;

  /** @param violation - Called for each breach. @param context - Has to be shown each observation first. */
  constructor(violation: Violation, context: CheckerContext) {
    this.#violation = violation;
    this.#context = context;
    context.ends.addObserver((end, event, machine) => this.#onGone(end, event, machine));
  }

  betweenEvents(now: number, runners: readonly ObservedRunner[]): void {
    if (now < this.#nextCheck) return;
    let shortest = Number.POSITIVE_INFINITY;
    for (const { machine, limits } of runners) {
      this.#heartbeats.set(machine, limits.heartbeat);
      shortest = Math.min(shortest, limits.heartbeat);
      const runner = this.#context.wire.runner(machine);
      if (runner === undefined || runner.unsure(now)) continue;
      this.#checkWorkers(runner, limits.heartbeat, now);
      this.#checkConfirmations(runner, limits.cancelGrace, now);
    }
    // Often enough to find a worker that is silent for too long; `onGone` checks those that are gone.
    this.#nextCheck = shortest === Number.POSITIVE_INFINITY ? now : now + shortest / 2;
  }

  #onGone({ connection, inFlight, at }: SessionEnd, { reason }: WorkerGoneEvent, machine: string): void {
    const heartbeat = this.#heartbeats.get(machine);
    if (reason !== "silent" || heartbeat === undefined) return;
    this.#checkSilence(connection, heartbeat, at);
    this.#checkStall(connection, heartbeat, at);
    // The silence of a worker that may compute counts only once all its slots are held.
    if (connection.hello?.blocking !== true || inFlight === 0) this.#checkPromptness(connection, heartbeat, at);
  }

  /** Three intervals of silence, by the runner's own clock. */
  #checkSilence(connection: WireConnection, heartbeat: number, at: number): void {
    const { machine } = connection.runner;
    const silence = at - connection.heardAt + this.#context.allowance.jumped(machine, connection.heardAt);
    if (silence < 3 * heartbeat - EPSILON)
      this.#violation(
        "no-end-without-cause",
        `${machine}: ${connection.identity} is gone as silent after ${silence} ms of silence`,
      );
  }

  /** A runner that wakes has to read what came in before it takes a worker for silent. */
  #checkStall(connection: WireConnection, heartbeat: number, at: number): void {
    const { machine } = connection.runner;
    const stall = this.#context.allowance.lastStall(machine);
    if (stall === undefined || Math.abs(stall.to - at) > EPSILON) return;
    const before = stall.from - connection.heardAt + this.#context.allowance.jumped(machine, connection.heardAt);
    if (before < 2 * heartbeat - EPSILON)
      this.#violation(
        "no-end-without-cause",
        `${machine}: ${connection.identity} is gone as silent as the runner wakes`,
      );
  }

  /** Each time it stood still may have earned the worker one more interval, which is shorter than the standing still. */
  #checkPromptness(connection: WireConnection, heartbeat: number, at: number): void {
    const { runner, identity, heardAt } = connection;
    const late = at - heardAt - 3 * heartbeat - TICK_MS;
    if (late <= 0) return;
    const what = `${identity} has been silent since ${heardAt} ms`;
    const { machine } = runner;
    this.#context.allowance.claim({ machine, from: heardAt, late, twice: true, promise: "dead-peer-detected", what });
  }

  /** A worker that neither confirms a CANCEL in time nor answers PING is gone, and so is one without a slot that is not held. */
  #checkConfirmations(runner: WireRunner, cancelGrace: number, now: number): void {
    const { machine } = runner;
    for (const { identity, unconfirmedSince } of runner.workers.values()) {
      if (unconfirmedSince === undefined) continue;
      this.#context.allowance.claim({
        machine,
        from: unconfirmedSince,
        late: now - unconfirmedSince - cancelGrace - TICK_MS,
        promise: "dead-peer-detected",
        what: `${identity} has not confirmed a CANCEL since ${unconfirmedSince} ms`,
      });
    }
  }

  #checkWorkers(runner: WireRunner, heartbeat: number, now: number): void {
    for (const connection of runner.workers.values()) {
      const exempt = connection.hello?.blocking === true && connection.inFlight.size > 0;
      if (!exempt) this.#checkPromptness(connection, heartbeat, now);
    }
  }
}
