/**
 * Several runners at one worker that listens: whose job has the next slot, and that a job without one waits there and is not
 * refused. Judged by the frames at the worker and by the handlers that start. Equal shares follow, and that none waits longer than
 * its share explains. See worker.ts (`hasRoomFor`) for the rule.
 */
import { formatJobId } from "../../core/job/job-id.ts";
import { FEATURE } from "../../core/protocol/constants.ts";
import type { Message, WelcomeMessage } from "../../core/protocol/message.ts";
import type { Checker, Violation } from "./checker.ts";
import type { FrameObservation, MachineObservation, Observation } from "../history/observation.ts";

/** A connection of a runner that dialled the worker. */
interface Caller {
  /** The machine of the runner. */
  readonly from: string;
  welcome: WelcomeMessage | undefined;
  /** Whether either end has said that it leaves. */
  isLeaving: boolean;
  /** Slots that it was told of last. */
  capacity: number;
  /** Attempts that it sent and that are not answered, by id, each by its job and number. */
  readonly given: Map<number, string>;
  /** Those of them of which the worker has said that they wait. */
  readonly parked: Set<string>;
  /** Runs of handlers for it. */
  readonly running: Set<number>;
  /** Attempts whose handler has started, as in `given`. */
  readonly started: Set<string>;
  /** When one began last, as a number among all starts. */
  turn: number;
  /** The same, if a job that was cancelled in the frame it came in had a slot for a moment: no handler tells. */
  latestTurn: number;
}

/** A worker that listens, in one life of its machine. */
interface Host {
  readonly life: number;
  readonly callers: Map<number, Caller>;
  /** When it woke last: until the time has moved, what it does was meant for an earlier time. */
  wokeAt: number;
  isStalled: boolean;
  turns: number;
}

/** Checks fair-turns and waits-unrefused. */
export class FairShare implements Checker {
  readonly #violation: Violation;
  /** By the machine. */
  readonly #hosts = new Map<string, Host>();

  /** @param violation - Called for each breach. */
  constructor(violation: Violation) {
    this.#violation = violation;
  }

  observe(seen: Observation): void {
    switch (seen.kind) {
      case "machine":
        return this.#onMachine(seen, seen.at);
      case "opened":
        this.#hosts.get(seen.to)?.callers.set(seen.connection, newCaller(seen.from));
        return;
      case "closed":
        this.#hosts.get(seen.machine)?.callers.delete(seen.connection);
        return;
      case "delivered":
        return this.#onDelivered(seen);
      case "sent":
        return this.#onSent(seen);
      case "handler-started":
        return this.#onStarted(seen, seen.at);
      case "handler-ended":
        for (const caller of this.#hosts.get(seen.machine)?.callers.values() ?? []) caller.running.delete(seen.run);
        return;
      default:
    }
  }

  #onMachine({ machine, role, life, state }: MachineObservation, at: number): void {
    if (role !== "worker") return;
    const present = this.#hosts.get(machine);
    if (state === "down") this.#hosts.delete(machine);
    else if (present?.life !== life)
      this.#hosts.set(machine, {
        life,
        callers: new Map(),
        wokeAt: Number.NEGATIVE_INFINITY,
        isStalled: false,
        turns: 0,
      });
    else if (state === "stalled") present.isStalled = true;
    else {
      present.isStalled = false;
      present.wokeAt = at;
    }
  }

  #onDelivered({ to, connection, messages }: FrameObservation): void {
    const caller = this.#hosts.get(to)?.callers.get(connection);
    for (const message of caller === undefined ? [] : (messages ?? [])) if (caller !== undefined) read(caller, message);
  }

  #onSent({ from, connection, messages }: FrameObservation): void {
    const caller = this.#hosts.get(from)?.callers.get(connection);
    for (const message of messages ?? []) if (caller !== undefined) this.#onWorkerMessage(from, caller, message);
  }

  #onWorkerMessage(machine: string, caller: Caller, message: Message): void {
    switch (message.type) {
      case "HELLO":
      case "CAPACITY":
        caller.capacity = message.capacity;
        return;
      case "REMOVE":
        caller.isLeaving = true;
        return;
      case "WAITING": {
        const key = caller.given.get(message.attemptId);
        if (key !== undefined) caller.parked.add(key);
        return;
      }
      case "STARTED":
        caller.parked.delete(caller.given.get(message.attemptId) ?? "");
        return;
      case "REJECT":
        if (message.reason === "overloaded" && knowsTurns(caller) && mayWait(caller))
          this.#violation("waits-unrefused", `${machine} refuses a job of ${caller.from}, which could wait there`);
        return forget(caller, message.attemptId);
      case "CANCELLED":
        this.#onCancelled(machine, caller, message.attemptId);
        return forget(caller, message.attemptId);
      case "JOBRES":
      case "JOBERR":
        return forget(caller, message.attemptId);
      default:
    }
  }

  #onStarted(seen: Extract<Observation, { kind: "handler-started" }>, at: number): void {
    const { machine, life, jobId, attempt, run } = seen;
    const host = this.#hosts.get(machine);
    if (host?.life !== life) return;
    const key = keyOf(jobId, attempt);
    const mine = [...host.callers.values()].find(({ given }) => [...given.values()].includes(key));
    if (mine === undefined) return;
    const isSure = !host.isStalled && host.wokeAt < at;
    for (const other of isSure ? host.callers.values() : []) {
      if (other === mine || !isReady(other) || !comesBefore(other, mine)) continue;
      const counts = `${other.running.size} running and turn ${other.turn}, to ${mine.running.size} and ${mine.turn}`;
      this.#violation(
        "fair-turns",
        `${machine} starts ${key} of ${mine.from}, and it is the turn of ${other.from}: ${counts}`,
      );
    }
    mine.parked.delete(key);
    mine.running.add(run);
    mine.started.add(key);
    mine.turn = mine.latestTurn = ++host.turns;
  }

  #onCancelled(machine: string, caller: Caller, attemptId: number): void {
    const host = this.#hosts.get(machine);
    if (host !== undefined && !caller.started.has(caller.given.get(attemptId) ?? "")) caller.latestTurn = ++host.turns;
  }
}

function newCaller(from: string): Caller {
  const counts = { isLeaving: false, capacity: 0, given: new Map<number, string>(), parked: new Set<string>() };
  return { from, welcome: undefined, ...counts, running: new Set(), started: new Set(), turn: 0, latestTurn: 0 };
}

function keyOf(jobId: string, attempt: number): string {
  return `${jobId}#${attempt}`;
}

/** What the worker reads of a runner. */
function read(caller: Caller, message: Message): void {
  if (message.type === "WELCOME") caller.welcome = message;
  else if (message.type === "GOAWAY") caller.isLeaving = true;
  else if (message.type === "JOB") {
    const { attemptId, attempt, jobId, route } = message;
    const origin = route?.origin ?? caller.welcome?.runnerId ?? "";
    caller.given.set(attemptId, keyOf(formatJobId(origin, jobId), attempt));
  } else if (message.type === "CANCEL") caller.parked.delete(caller.given.get(message.attemptId) ?? "");
}

function forget(caller: Caller, attemptId: number): void {
  const key = caller.given.get(attemptId) ?? "";
  caller.parked.delete(key);
  caller.started.delete(key);
  caller.given.delete(attemptId);
}

function knowsTurns({ welcome }: Caller): boolean {
  return ((welcome?.features ?? 0) & FEATURE.turns) !== 0;
}

/** Whether it has sent no more jobs than it was told of slots, and neither end leaves. */
function mayWait({ given, capacity, isLeaving }: Caller): boolean {
  return given.size <= capacity && !isLeaving;
}

/** Whether a job of its runner waits for nothing but a slot. */
function isReady({ parked, running, capacity }: Caller): boolean {
  return parked.size > 0 && running.size < capacity;
}

function comesBefore(one: Caller, other: Caller): boolean {
  const difference = one.running.size - other.running.size;
  return difference < 0 || (difference === 0 && one.latestTurn < other.turn);
}
