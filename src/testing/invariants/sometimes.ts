/**
 * Counts the rare things that happen in simulated worlds. A simulation in which one of them never happens proves nothing about
 * it. Judges nothing; what becomes of jobs is in job-history.ts.
 */
import type { CancelledMessage, Message, WireErrorCode } from "../../core/protocol/message.ts";
import type { WorkerEvent } from "../../core/events.ts";
import type { Checker, ObservedRunner } from "./checker.ts";
import type {
  ClosedObservation,
  FrameObservation,
  MachineObservation,
  NumberedEvent,
  Observation,
} from "../history/observation.ts";
import type { CheckerContext } from "./checker-context.ts";
import { JobHistory } from "./job-history.ts";
import type { WireModelObserver } from "./wire-model.ts";
import { COVERAGE_POINTS, type CoveragePoint } from "./coverage-points.ts";
import type { WireAnswer, WireAttempt, WireConnection } from "./wire.ts";

/** How a worker last introduced itself. */
interface Introduction {
  readonly life: number;
  readonly instance: string;
  readonly capacity: number;
}

const REFUSALS: Partial<Record<WireErrorCode, CoveragePoint>> = {
  ID_TAKEN: "refused: identity taken",
  FLAPPING: "refused: flapping",
  BUSY: "refused: busy",
  VERSION: "refused: another version",
  UNRESPONSIVE: "refused: no HELLO in time",
  PROTOCOL: "refused: a violation",
};

/** Counts those of one world. */
export class Sometimes implements Checker, WireModelObserver {
  /** How often each was seen; those that were not are there with 0. */
  readonly counts: ReadonlyMap<CoveragePoint, number>;
  readonly #counts = new Map<CoveragePoint, number>(COVERAGE_POINTS.map((name) => [name, 0]));
  readonly #context: CheckerContext;
  readonly #jobs: JobHistory;
  readonly #lives = new Map<string, number>();
  readonly #introductions = new Map<string, Introduction>();
  /** What each runner had stood still when last looked at. */
  readonly #stoodStill = new Map<string, number>();
  readonly #heartbeats = new Map<string, number>();

  /** @param context - Has to be shown each observation first. */
  constructor(context: CheckerContext) {
    this.counts = this.#counts;
    this.#context = context;
    this.#jobs = new JobHistory(context, (name) => this.saw(name));
    context.wire.addObserver(this);
  }

  observe(seen: Observation): void {
    this.#jobs.observe(seen);
    switch (seen.kind) {
      case "runner":
        return this.#runner(seen.event);
      case "worker":
        return this.#worker(seen.event);
      case "machine":
        return this.#machine(seen);
      case "sent":
        return this.#introduced(seen);
      case "recalled":
        return this.saw("prefetched and taken back");
      default:
    }
  }

  betweenEvents(_now: number, runners: readonly ObservedRunner[]): void {
    for (const { machine, limits, stoodStill } of runners) {
      this.#heartbeats.set(machine, limits.heartbeat);
      const before = this.#stoodStill.get(machine) ?? 0;
      if (stoodStill === before) continue;
      this.#stoodStill.set(machine, stoodStill);
      this.#stood(machine, stoodStill - before, limits.heartbeat);
    }
  }

  onJobSent({ connection }: WireAttempt): void {
    if (connection.inFlight.size >= connection.capacity) this.saw("prefetched");
  }

  onAnswer(attempt: WireAttempt, answer: WireAnswer | CancelledMessage, current: boolean, at: number): void {
    const { connection, cancelReason } = attempt;
    if (cancelReason !== undefined) this.saw("cancel confirmed");
    if (!current && answer.type === "JOBRES") this.saw("late result dropped");
    if (answer.type === "JOBERR" && answer.error.code === "RESULT_TOO_LARGE") this.saw("result too large");
    if (answer.type === "REJECT" && answer.reason === "draining") this.saw("job crossed a REMOVE");
    if (answer.type === "REJECT" && answer.reason === "recalled") this.saw("prefetched and handed back");
    const heartbeat = this.#heartbeats.get(connection.runner.machine) ?? Number.POSITIVE_INFINITY;
    if (connection.hello?.blocking === true && at - connection.heardBefore >= 3 * heartbeat)
      this.saw("busy blocking worker silent and spared");
  }

  onStrayAnswer(): void {
    this.saw("answered twice");
  }

  onProtocolError(_connection: WireConnection, what: string): void {
    if (what === "a malformed frame") this.saw("malformed frame");
    else if (what.startsWith("forged")) this.saw("forged id");
    else if (what.endsWith("before HELLO")) this.saw("garbage before HELLO");
    else if (what === "HELLO from a worker") this.saw("second HELLO");
  }

  onOtherSent(connection: WireConnection, message: Message): void {
    if (message.type !== "ERROR" || connection.welcome !== undefined) return;
    const name = REFUSALS[message.code];
    if (name !== undefined) this.saw(name);
  }

  onEnded(connection: WireConnection, _closed: ClosedObservation, _at: number): void {
    if (connection.congestedAt !== Number.NEGATIVE_INFINITY) this.saw("send full");
    if (connection.inFlight.size > connection.capacity) this.saw("prefetched and lost");
  }

  /** One more of these. */
  saw(name: CoveragePoint): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  #runner(event: NumberedEvent): void {
    if (event.type === "worker-suspect") this.saw("suspected");
    else if (event.type === "worker-recovered") this.saw("suspect recovered");
    else if (event.type === "worker-gone") {
      if (event.reason !== "refused") this.saw(`gone: ${event.reason}`);
      if (event.reason === "unresponsive") this.saw("cancel not confirmed");
    }
  }

  #worker(event: WorkerEvent): void {
    if (event.type === "disconnected" && event.reason !== "listener") this.saw(`worker disconnected: ${event.reason}`);
  }

  #machine({ machine, role, life, state }: MachineObservation): void {
    if (state !== "up" || this.#lives.get(machine) === life) return;
    this.#lives.set(machine, life);
    if (life > 1 && role === "runner") this.saw("runner restarted");
    if (life > 1 && role === "worker") this.saw("worker restarted");
  }

  /** A worker of one life that comes with another instance has retired; with fewer slots, it has handlers left over. */
  #introduced({ from, messages }: FrameObservation): void {
    const hello = messages?.[0];
    if (hello?.type !== "HELLO") return;
    const { instance, capacity } = hello;
    const life = this.#lives.get(from) ?? 1;
    const before = this.#introductions.get(from);
    this.#introductions.set(from, { life, instance, capacity });
    if (before?.life !== life) return;
    if (before.instance !== instance) this.saw("worker retired");
    if (capacity < before.capacity) this.saw("fewer slots offered");
  }

  /** LivenessChecker is looked at every two intervals at least: after a longer pause, and one more, some timer was late by over one. */
  #stood(machine: string, ms: number, heartbeat: number): void {
    const runner = this.#context.wire.runner(machine);
    if (ms >= 3 * heartbeat && runner !== undefined && runner.workers.size > 0) this.saw("stall guard used");
  }
}
