/**
 * Holds what workers send against what their handlers did: never more at a time than they offer, and no value that no handler
 * returned for that attempt. Scripted peers may lie, and are not checked.
 */
import { formatJobId } from "../../core/job/job-id.ts";
import type { JobMessage, Message } from "../../core/protocol/message.ts";
import type { Payload } from "../../core/peer.ts";
import { samePayload } from "../../core/dispatch/verification.ts";
import type { Checker, Violation } from "./checker.ts";
import type { FrameObservation, Observation, RecalledObservation } from "../history/observation.ts";
import { getOrCreate } from "./get-or-create.ts";

/** An attempt a worker was given. */
interface Assignment {
  readonly key: string;
  begun: boolean;
  value: Payload | undefined;
}

/** One life of a worker's machine. */
interface WorkerLife {
  life: number;
  /** Handlers that run. */
  readonly running: Set<number>;
  /** What it was given, by connection and attempt id. */
  readonly byConnection: Map<number, Map<number, Assignment>>;
  /** The same by job and attempt number. */
  readonly byKey: Map<string, Assignment>;
  /** What a run is for. */
  readonly runs: Map<number, string>;
  /** The runner's name at the other end of a connection. */
  readonly runners: Map<number, string>;
  /** Connections on which a malformed frame arrived, which may have begun with a JOB. */
  readonly malformed: Set<number>;
  /** Attempts that were taken back in shared memory, by connection: they never begin. */
  readonly recalled: Map<number, Set<number>>;
}

/** Checks value-of-handler, recalled-never-begins and handlers-within-capacity, and of leaving-loses-no-job that a worker hands back only what it has not begun. */
export class Concurrency implements Checker {
  readonly #violation: Violation;
  readonly #workers = new Map<string, WorkerLife>();

  /** @param violation - Called for each breach. */
  constructor(violation: Violation) {
    this.#violation = violation;
  }

  observe(seen: Observation): void {
    switch (seen.kind) {
      case "delivered":
        return this.#onDelivered(seen);
      case "sent":
        return this.#onSent(seen);
      case "recalled":
        return this.#onRecalled(seen);
      case "handler-started":
        return this.#onHandlerStarted(seen);
      case "handler-ended":
        return this.#onHandlerEnded(seen.machine, seen.life, seen.run, seen.value);
      case "closed":
        return this.#onClosed(seen.machine, seen.connection);
      case "machine":
        if (seen.role !== "worker") return;
        if (seen.state === "down") this.#workers.delete(seen.machine);
        else if (this.#workers.get(seen.machine)?.life !== seen.life)
          this.#workers.set(seen.machine, newLife(seen.life));
        return;
      default:
    }
  }

  #onDelivered({ to, connection, messages }: FrameObservation): void {
    const worker = this.#workers.get(to);
    if (worker === undefined) return;
    if (messages === undefined) worker.malformed.add(connection);
    for (const message of messages ?? []) {
      if (message.type === "WELCOME") worker.runners.set(connection, message.runnerId);
      else if (message.type === "JOB") addAssignment(worker, connection, message);
    }
  }

  #onRecalled({ to, connection, attemptId }: RecalledObservation): void {
    const worker = this.#workers.get(to);
    if (worker === undefined) return;
    getOrCreate(worker.recalled, connection, () => new Set()).add(attemptId);
    const assignment = worker.byConnection.get(connection)?.get(attemptId);
    if (assignment === undefined) return;
    if (assignment.begun)
      this.#violation("recalled-never-begins", `${assignment.key} was taken back from ${to}, which had begun it`);
    forgetKey(worker, assignment);
  }

  #onSent({ from, connection, messages }: FrameObservation): void {
    const worker = this.#workers.get(from);
    if (worker === undefined || worker.malformed.has(connection)) return;
    for (const message of messages ?? []) this.#checkAnswer(worker, from, connection, message);
  }

  #checkAnswer(worker: WorkerLife, machine: string, connection: number, message: Message): void {
    const { type } = message;
    if (type !== "JOBRES" && type !== "JOBERR" && type !== "FAILED" && type !== "REJECT" && type !== "CANCELLED")
      return;
    const ofConnection = worker.byConnection.get(connection);
    const assignment = ofConnection?.get(message.attemptId);
    if (assignment === undefined)
      return this.#violation(
        "value-of-handler",
        `${machine} answers attempt ${message.attemptId}, which it was not given`,
      );
    ofConnection?.delete(message.attemptId);
    worker.recalled.get(connection)?.delete(message.attemptId);
    forgetKey(worker, assignment);
    if (type === "REJECT" && assignment.begun)
      this.#violation("leaving-loses-no-job", `${machine} hands back ${assignment.key}, which it had begun`);
    if (type !== "JOBRES") return;
    if (assignment.value === undefined || !samePayload(assignment.value, message.value))
      this.#violation("value-of-handler", `${machine} answers ${assignment.key} with what its handler did not return`);
  }

  #onHandlerStarted(seen: Extract<Observation, { kind: "handler-started" }>): void {
    const { machine, life, capacity, jobId, attempt, run } = seen;
    const worker = this.#workers.get(machine);
    if (worker?.life !== life) return;
    worker.running.add(run);
    if (worker.running.size > capacity)
      this.#violation(
        "handlers-within-capacity",
        `${machine} runs ${worker.running.size} handlers at a time, ${capacity} may run`,
      );
    const key = keyOf(jobId, attempt);
    const assignment = worker.byKey.get(key);
    if (assignment === undefined)
      return this.#violation("value-of-handler", `${machine} runs ${key}, which it was not given`);
    assignment.begun = true;
    worker.runs.set(run, key);
  }

  #onHandlerEnded(machine: string, life: number, run: number, value: Payload | undefined): void {
    const worker = this.#workers.get(machine);
    if (worker?.life !== life) return;
    if (!worker.running.delete(run))
      this.#violation("handlers-within-capacity", `${machine}: run ${run} ends, and did not run`);
    const assignment = worker.byKey.get(worker.runs.get(run) ?? "");
    worker.runs.delete(run);
    if (assignment !== undefined) assignment.value = value;
  }

  /** Nothing is sent on it any more. */
  #onClosed(machine: string, connection: number): void {
    const worker = this.#workers.get(machine);
    if (worker === undefined) return;
    for (const assignment of worker.byConnection.get(connection)?.values() ?? []) forgetKey(worker, assignment);
    worker.byConnection.delete(connection);
    worker.runners.delete(connection);
    worker.malformed.delete(connection);
    worker.recalled.delete(connection);
  }
}

function newLife(life: number): WorkerLife {
  return {
    life,
    running: new Set(),
    byConnection: new Map(),
    byKey: new Map(),
    runs: new Map(),
    runners: new Map(),
    malformed: new Set(),
    recalled: new Map(),
  };
}

function keyOf(jobId: string, attempt: number): string {
  return `${jobId}#${attempt}`;
}

function addAssignment(worker: WorkerLife, connection: number, message: JobMessage): void {
  const { attemptId, attempt, jobId, route } = message;
  const key = keyOf(formatJobId(route?.origin ?? worker.runners.get(connection) ?? "", jobId), attempt);
  const assignment = { key, begun: false, value: undefined };
  const ofConnection = getOrCreate(worker.byConnection, connection, () => new Map());
  ofConnection.set(attemptId, assignment);
  if (worker.recalled.get(connection)?.has(attemptId) !== true) worker.byKey.set(key, assignment);
}

/** The same attempt may be there twice: once taken back and not yet handed back, and given again. */
function forgetKey(worker: WorkerLife, assignment: Assignment): void {
  if (worker.byKey.get(assignment.key) === assignment) worker.byKey.delete(assignment.key);
}
