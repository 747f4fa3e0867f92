/** Which connection a runner speaks of when it says that a worker is gone, and how that ended. Judges nothing. */
import type { WorkerGoneEvent } from "../../core/events.ts";
import type { ClosedObservation, Observation } from "../history/observation.ts";
import { getOrCreate } from "./get-or-create.ts";
import type { WireModel, WireModelObserver } from "./wire-model.ts";
import type { WireConnection, WireRunner } from "./wire.ts";

/** A worker's end, as the frames show it. */
export interface SessionEnd {
  readonly connection: WireConnection;
  /** When the runner's end closed. */
  readonly at: number;
  /** Whether the runner closed it; else it learned of it. */
  readonly byItself: boolean;
  /** See {@link WireConnection.unconfirmedSince}. */
  readonly unconfirmedSince: number | undefined;
  /** Whether the runner had just woken, or stood still, at the time or as it sent a CANCEL: times say little then. */
  readonly unsure: boolean;
  /** Attempts in flight that are certain. */
  readonly inFlight: number;
  /** Of these, all but those whose slot is only held until the worker confirms. */
  readonly wanted: number;
  /** Whether a newcomer of the same name waited to be let in. */
  readonly succeeded: boolean;
}

/** Called for each end of a session, with the event in which the runner gives its reason. */
export type SessionEndObserver = (end: SessionEnd, event: WorkerGoneEvent, machine: string, at: number) => void;

/** Matches connections that ended with the runners' events, which come later. */
export class SessionEnds implements WireModelObserver {
  readonly #wire: WireModel;
  readonly #observers: SessionEndObserver[] = [];
  /** Registered connections that ended, oldest first, until the runner gives the reason; by runner and name. */
  readonly #pending = new WeakMap<WireRunner, Map<string, SessionEnd[]>>();

  /** @param wire - Has to be shown each observation first. */
  constructor(wire: WireModel) {
    this.#wire = wire;
    wire.addObserver(this);
  }

  /** Adds an observer. */
  addObserver(observer: SessionEndObserver): void {
    this.#observers.push(observer);
  }

  observe(seen: Observation): void {
    if (seen.kind !== "runner" || seen.event.type !== "worker-gone") return;
    const runner = this.#wire.runner(seen.machine);
    const pending = runner === undefined ? undefined : this.#pending.get(runner);
    const { identity } = seen.event;
    const ends = pending?.get(identity);
    const end = ends?.shift();
    if (ends?.length === 0) pending?.delete(identity);
    if (end === undefined) return;
    for (const observer of this.#observers) observer(end, seen.event, seen.machine, seen.at);
  }

  onEnded(connection: WireConnection, { byItself }: ClosedObservation, at: number): void {
    if (connection.welcome === undefined) return;
    const { runner, identity } = connection;
    const pending = getOrCreate(this.#pending, runner, () => new Map());
    getOrCreate(pending, identity, () => []).push(endOf(connection, byItself, at));
  }
}

function endOf(connection: WireConnection, byItself: boolean, at: number): SessionEnd {
  const { runner, identity, unconfirmedSince } = connection;
  let unsure = runner.unsure(at);
  let inFlight = 0;
  let wanted = 0;
  for (const { isCancelled, begunAt, delayed, doubtful } of connection.inFlight.values()) {
    if (!doubtful) inFlight++;
    if (isCancelled && begunAt !== undefined) unsure ||= delayed;
    else if (!doubtful) wanted++;
  }
  const waits = (other: WireConnection): boolean => other.identity === identity && other.welcome === undefined;
  const succeeded = [...runner.connections.values()].some((other) => other !== connection && waits(other));
  return { connection, at, byItself, unconfirmedSince, unsure, inFlight, wanted, succeeded };
}
