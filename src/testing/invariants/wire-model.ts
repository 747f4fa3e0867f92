/**
 * The model of the wire of a simulated world: registered workers, attempts in flight, answers. It reads only what was sent
 * and delivered. Why: no counter of the runner can vouch for itself. It judges nothing; its observers do.
 *
 * It relies on three things: a frame is seen `delivered` just before its receiver reads it; a `closed` is seen while the end
 * closes; and only frames that a socket took are seen `sent`.
 */
import type {
  CancelledMessage,
  CancelMessage,
  CapacityMessage,
  InputEndMessage,
  InputMessage,
  JobMessage,
  Message,
  TurnMessage,
} from "../../core/protocol/message.ts";
import { FEATURE } from "../../core/protocol/constants.ts";
import { PROTOCOL_VERSION } from "../../core/protocol/message.ts";
import type { Checker, ObservedRunner } from "./checker.ts";
import {
  type ClosedObservation,
  type FrameObservation,
  hasRunner,
  type MachineObservation,
  type Observation,
  type RecalledObservation,
} from "../history/observation.ts";
import { getOrCreate } from "./get-or-create.ts";
import { answerFault, runnerPart, workerPart, type WorkerPart } from "./stream-model.ts";
import { type WireAnswer, WireAttempt, WireConnection, type WireJob, WireRunner } from "./wire.ts";

/** What the model calls as it learns what the frames mean. */
export interface WireModelObserver {
  /** Its worker says that it waits there for a slot that a job of another runner has. */
  onParked?(attempt: WireAttempt, at: number): void;
  /** A JOB was sent. Called before the model takes it in. */
  onJobSent?(attempt: WireAttempt, at: number): void;
  /** A JOB was sent of a job that has settled and is forgotten. */
  onSettledJobSent?(connection: WireConnection, message: JobMessage, at: number): void;
  /** The CANCEL of an attempt was sent. */
  onCancelSent?(attempt: WireAttempt, at: number): void;
  /** An answer arrived that frees a slot. `current`: it came while it could settle its job. */
  onAnswer?(attempt: WireAttempt, answer: WireAnswer | CancelledMessage, current: boolean, at: number): void;
  /** An answer arrived for an attempt that is over. */
  onStrayAnswer?(connection: WireConnection, attemptId: number, at: number): void;
  /** Something that must end the connection arrived on it. */
  onProtocolError?(connection: WireConnection, what: string, at: number): void;
  /** The runner sent WELCOME. Called before the model takes it in. */
  onRegistered?(connection: WireConnection, at: number): void;
  /** INPUT or INPUTEND was sent. `wasAsked`: within the worker's credit. */
  onInputSent?(connection: WireConnection, attempt: WireAttempt | undefined, wasAsked: boolean, at: number): void;
  /** The runner sent something else than a JOB, a CANCEL, WELCOME, CREDIT or what goes into a job. */
  onOtherSent?(connection: WireConnection, message: Message, at: number): void;
  /** The runner's end of a connection closed; its attempts are still in flight. */
  onEnded?(connection: WireConnection, closed: ClosedObservation, at: number): void;
  /** A frame was sent on a connection whose end at the runner is closed. */
  onSentAfterClose?(machine: string, connection: number, at: number): void;
  /** A job has settled, and what followed at once is over: it is forgotten. */
  onForgotten?(job: WireJob, runner: WireRunner): void;
}

/** The state of all connections. */
export class WireModel implements Checker {
  readonly #runners = new Map<string, WireRunner>();
  readonly #connections = new Map<number, WireConnection>();
  readonly #observers: WireModelObserver[] = [];
  /** What the frame read last has answered. */
  readonly #answered: WireAttempt[] = [];
  /** What went with the connection that has just closed: where memory is shared, the runner learns what had not begun. */
  readonly #justLost = new Map<number, Map<number, WireAttempt>>();
  /** Connections that a relay dialled: at these it is no runner. By the relay's machine. */
  readonly #ofRelays = new Map<number, string>();
  #opened = 0;

  /** Adds an observer. */
  addObserver(observer: WireModelObserver): void {
    this.#observers.push(observer);
  }

  /** A runner that is up, by its machine. */
  runner(machine: string): WireRunner | undefined {
    return this.#runners.get(machine);
  }

  /** All runners that are up. */
  get runners(): Iterable<WireRunner> {
    return this.#runners.values();
  }

  observe(seen: Observation): void {
    switch (seen.kind) {
      case "sent":
        return this.#sent(seen, seen.at);
      case "delivered":
        return this.#delivered(seen, seen.at);
      case "opened":
        return this.#open(seen.connection, seen.from, seen.to, seen.at);
      case "closed":
        return this.#closed(seen, seen.at);
      case "recalled":
        return this.#recalled(seen, seen.at);
      case "submitted":
        return this.#up(seen.machine).submitted(seen.jobId, seen.options);
      case "settled":
        return seen.jobId === undefined ? undefined : this.#settled(seen.machine, seen.jobId, seen.at);
      case "runner":
        if (seen.event.type === "job-settled") this.#otherSettled(seen.machine, seen.event.jobId, seen.at);
        else if (seen.event.type === "dial-failed") this.#up(seen.machine).dials = true;
        return;
      case "machine":
        return this.#machine(seen, seen.at);
      default:
    }
  }

  betweenEvents(now: number, views: readonly ObservedRunner[]): void {
    this.#answered.length = 0;
    this.#justLost.clear();
    for (const view of views) {
      const runner = this.#up(view.machine);
      runner.highWater = view.limits.highWater;
      runner.budget = view.limits.maxBufferedTotal;
      runner.onPort = view.faults === "port";
      if (runner.settled.length > 0 || runner.mixed) this.#forget(runner, now);
    }
  }

  #up(machine: string): WireRunner {
    return getOrCreate(this.#runners, machine, () => new WireRunner(machine));
  }

  #machine(seen: MachineObservation, at: number): void {
    if (!hasRunner(seen)) return;
    const runner = this.#runners.get(seen.machine);
    if (seen.state === "down") return this.#down(seen.machine);
    if (seen.state === "stalled") this.#up(seen.machine).stalled = true;
    else if (runner?.stalled === true) {
      runner.stalled = false;
      runner.wokeAt = at;
    } else this.#up(seen.machine);
  }

  #down(machine: string): void {
    for (const number of this.#runners.get(machine)?.connections.keys() ?? []) this.#connections.delete(number);
    this.#runners.delete(machine);
  }

  #open(number: number, from: string, to: string, at: number): void {
    this.#opened = Math.max(this.#opened, number);
    const dialled = !this.#runners.has(to);
    const runner = this.#runners.get(dialled ? from : to);
    if (runner === undefined) return;
    if (dialled) runner.dials = true;
    else if (this.#runners.has(from)) this.#ofRelays.set(number, from);
    const connection = new WireConnection(number, runner, dialled ? to : from, dialled, at);
    this.#connections.set(number, connection);
    runner.connections.set(number, connection);
  }

  #sent(seen: FrameObservation, at: number): void {
    const connection = this.#connections.get(seen.connection);
    if (connection === undefined) {
      const isRunner = this.#runners.has(seen.from) && this.#ofRelays.get(seen.connection) !== seen.from;
      if (isRunner && seen.connection <= this.#opened)
        for (const observer of this.#observers) observer.onSentAfterClose?.(seen.from, seen.connection, at);
      return;
    }
    connection.touchedAt = at;
    if (seen.from !== connection.runner.machine) return;
    connection.wrote(seen.bytes, at);
    for (const message of seen.messages ?? []) this.#onRunnerMessage(connection, message, at);
  }

  #delivered(seen: FrameObservation, at: number): void {
    const connection = this.#connections.get(seen.connection);
    if (connection === undefined) return;
    connection.touchedAt = at;
    if (seen.to !== connection.runner.machine) return connection.wasRead(seen.bytes, at);
    connection.heardBefore = connection.heardAt;
    connection.heardAt = at;
    if (seen.messages === undefined) return this.#malformed(connection, at);
    for (const message of seen.messages) if (!this.#onPeerMessage(connection, message, at)) return;
  }

  /** The runner has read what came before the fault in the frame, which cannot be seen from here. */
  #malformed(connection: WireConnection, at: number): void {
    for (const attempt of connection.inFlight.values()) attempt.doubtful = true;
    this.#protocolError(connection, "a malformed frame", at);
  }

  /** One message from a worker; `false` when the runner reads no further. */
  #onPeerMessage(connection: WireConnection, message: Message, at: number): boolean {
    if (connection.hello === undefined) return this.#onFirstMessage(connection, message, at);
    switch (message.type) {
      case "JOBRES":
      case "JOBERR":
      case "FAILED":
      case "REJECT":
      case "CANCELLED":
        return this.#answer(connection, message, at);
      case "CAPACITY":
        return this.#onCapacity(connection, message, at);
      case "WAITING":
      case "STARTED":
        return this.#onTurn(connection, message, at);
      case "ITEM":
      case "PROGRESS":
      case "CREDIT":
        return this.#onPart(connection, message, at);
      case "PING":
        connection.pingArrived(at);
        return true;
      case "PONG":
        connection.pongArrived();
        return true;
      case "REMOVE":
        if (connection.leaving === undefined) connection.leavingAt = at;
        connection.leaving ??= "REMOVE arrived";
        return connection.inFlight.size > 0;
      default:
        return this.#protocolError(connection, `${message.type} from a worker`, at);
    }
  }

  #onCapacity(connection: WireConnection, message: CapacityMessage, at: number): boolean {
    if (((connection.welcome?.features ?? 0) & FEATURE.capacity) === 0)
      return this.#protocolError(connection, "CAPACITY that was not agreed on", at);
    connection.resized = message;
    connection.resizedAt = at;
    giveSlots(connection, at);
    return true;
  }

  #onTurn(connection: WireConnection, { type, attemptId }: TurnMessage, at: number): boolean {
    const agreed = ((connection.welcome?.features ?? 0) & FEATURE.turns) !== 0;
    if (!agreed || (connection.hello?.prefetchLimit ?? 0) > 0)
      return this.#protocolError(connection, `${type} that was not agreed on`, at);
    const attempt = connection.inFlight.get(attemptId);
    if (attempt === undefined) return this.#unexpected(connection, attemptId, at);
    if (attempt.isParked === (type === "WAITING"))
      return this.#protocolError(connection, `${type} of which that was said before`, at);
    attempt.isParked = type === "WAITING";
    attempt.begunAt = attempt.isParked ? undefined : at;
    if (attempt.isParked && attempt.state === "current")
      for (const observer of this.#observers) observer.onParked?.(attempt, at);
    return true;
  }

  #onPart(connection: WireConnection, message: WorkerPart, at: number): boolean {
    const attempt = connection.inFlight.get(message.attemptId);
    if (attempt === undefined) return this.#unexpected(connection, message.attemptId, at);
    const fault = workerPart(attempt, message);
    return fault === undefined || this.#protocolError(connection, fault, at);
  }

  #onFirstMessage(connection: WireConnection, message: Message, at: number): boolean {
    if (message.type !== "HELLO") return this.#protocolError(connection, `${message.type} before HELLO`, at);
    if (message.version !== PROTOCOL_VERSION) return this.#protocolError(connection, "HELLO of another version", at);
    connection.hello = message;
    return true;
  }

  #answer(connection: WireConnection, message: WireAnswer | CancelledMessage, at: number): boolean {
    const { attemptId } = message;
    const attempt = connection.inFlight.get(attemptId);
    if (attempt === undefined) return this.#unexpected(connection, attemptId, at);
    const fault = answerFault(attempt, message);
    if (fault !== undefined) return this.#protocolError(connection, fault, at);
    const unsure = connection.runner.unsure(at);
    if (unsure) attempt.doubtful = true;
    if (message.type === "CANCELLED" && attempt.state === "current") {
      if (!unsure) return this.#protocolError(connection, "CANCELLED for a job nobody cancelled", at);
      connection.muddled = true;
    }
    this.#accept(attempt, message, at);
    return true;
  }

  #accept(attempt: WireAttempt, message: WireAnswer | CancelledMessage, at: number): void {
    const { job } = attempt;
    attempt.connection.inFlight.delete(attempt.id);
    giveSlots(attempt.connection, at);
    this.#answered.push(attempt);
    const current = attempt.state === "current";
    this.#over(attempt, "answered", at);
    if (current && message.type !== "CANCELLED") attempt.answer = message;
    // It was there and nothing came of it: it may go there again.
    if (message.type === "REJECT" && message.reason === "recalled" && attempt.state === "answered")
      job.used.splice(job.used.indexOf(attempt.connection), 1);
    if (message.type === "REJECT" && message.reason === "unfit") job.wasUnfit = true;
    if (current && message.type === "JOBRES") job.result = attempt;
    for (const observer of this.#observers) observer.onAnswer?.(attempt, message, current, at);
  }

  /** No peer can know the number of an attempt whose JOB has not left. */
  #unexpected(connection: WireConnection, attemptId: number, at: number): boolean {
    if (attemptId >= connection.nextAttempt) return this.#protocolError(connection, `forged attempt ${attemptId}`, at);
    connection.strikes++;
    for (const observer of this.#observers) observer.onStrayAnswer?.(connection, attemptId, at);
    return true;
  }

  #protocolError(connection: WireConnection, what: string, at: number): false {
    connection.broken ??= what;
    for (const observer of this.#observers) observer.onProtocolError?.(connection, what, at);
    return false;
  }

  #onRunnerMessage(connection: WireConnection, message: Message, at: number): void {
    if (message.type === "JOB") return this.#jobSent(connection, message, at);
    if (message.type === "CANCEL") return this.#cancelled(connection, message, at);
    if (message.type === "WELCOME") {
      connection.welcome = message;
      for (const observer of this.#observers) observer.onRegistered?.(connection, at);
      connection.runner.workers.set(connection.identity, connection);
      return;
    }
    if (message.type === "CREDIT") {
      const attempt = connection.inFlight.get(message.attemptId);
      if (attempt !== undefined) attempt.credit = (attempt.credit ?? 0) + message.bytes;
      return;
    }
    if (message.type === "INPUT" || message.type === "INPUTEND") return this.#inputSent(connection, message, at);
    for (const observer of this.#observers) observer.onOtherSent?.(connection, message, at);
    if (message.type === "PING") connection.pingSent();
    if (message.type === "GOAWAY") {
      if (connection.leaving === undefined) connection.leavingAt = at;
      connection.leaving ??= "GOAWAY was sent";
    } else if (message.type === "ERROR") {
      connection.ended = message.type;
      connection.isUnresponsive = message.code === "UNRESPONSIVE";
    } else if (message.type === "REMOVED") connection.ended = message.type;
  }

  #inputSent(connection: WireConnection, message: InputMessage | InputEndMessage, at: number): void {
    const { attemptId } = message;
    // In the batch of this turn it may stand although the answer has been read since.
    const attempt =
      connection.inFlight.get(attemptId) ??
      this.#answered.find((one) => one.id === attemptId && one.connection === connection);
    const wasAsked = attempt !== undefined && runnerPart(attempt, message);
    for (const observer of this.#observers) observer.onInputSent?.(connection, attempt, wasAsked, at);
  }

  #jobSent(connection: WireConnection, message: JobMessage, at: number): void {
    const { runner, welcome } = connection;
    const origin = message.route?.origin ?? welcome?.runnerId;
    const isForeign = origin !== undefined && origin !== welcome?.runnerId;
    const job = isForeign ? runner.relayedJob(message, origin) : runner.job(message.jobId);
    if (job === undefined) {
      for (const observer of this.#observers) observer.onSettledJobSent?.(connection, message, at);
      return;
    }
    const attempt = new WireAttempt(message, job, connection, at);
    for (const observer of this.#observers) observer.onJobSent?.(attempt, at);
    if (job.last !== undefined) job.last.previous = undefined; // a chain of them would keep all that ever was
    job.last = attempt;
    job.current = attempt;
    job.used.push(connection);
    connection.nextAttempt = Math.max(connection.nextAttempt, attempt.id + 1);
    connection.inFlight.set(attempt.id, attempt);
    giveSlots(connection, at);
  }

  #cancelled(connection: WireConnection, { attemptId, reason }: CancelMessage, at: number): void {
    const attempt = connection.inFlight.get(attemptId);
    // What is called back goes on unless it comes back.
    if (attempt === undefined || reason === "recalled") return;
    attempt.cancelReason = reason;
    if (connection.runner.unsure(at)) attempt.delayed = true;
    this.#over(attempt, "cancelled", at);
    for (const observer of this.#observers) observer.onCancelSent?.(attempt, at);
  }

  /** It never begins, and is no attempt at its job: it may go to the same worker again. */
  #recalled({ connection: number, attemptId }: RecalledObservation, at: number): void {
    const attempt =
      this.#connections.get(number)?.inFlight.get(attemptId) ?? this.#justLost.get(number)?.get(attemptId);
    if (attempt === undefined) return;
    const { job, connection } = attempt;
    if (attempt.state === "lost" && attempt.overAt === at) {
      if (!attempt.doubtful) job.lost--;
      attempt.state = "recalled";
    } else this.#over(attempt, "recalled", at);
    if (attempt.state === "recalled") job.used.splice(job.used.indexOf(connection), 1);
  }

  #over(attempt: WireAttempt, state: WireAttempt["state"], at: number): void {
    if (attempt.state !== "current") return;
    attempt.state = state;
    attempt.overAt = at;
    if (attempt.job.current === attempt) attempt.job.current = undefined;
  }

  #closed(seen: ClosedObservation, at: number): void {
    const connection = this.#connections.get(seen.connection);
    if (connection === undefined || seen.machine !== connection.runner.machine) return;
    const { runner, identity } = connection;
    connection.closed = true;
    // The runner may have closed it in the middle of the frame: then the rest of it was never read.
    if (seen.byItself) {
      for (const attempt of this.#answered) if (attempt.connection === connection) attempt.doubtful = true;
    }
    for (const observer of this.#observers) observer.onEnded?.(connection, seen, at);
    // Another job's handler ignores its abort: that is no loss of theirs. A silent worker may owe a confirmation, too.
    const isBystander = connection.isUnresponsive && connection.unconfirmedSince !== undefined;
    for (const attempt of connection.inFlight.values()) {
      if (runner.unsure(at)) attempt.doubtful = true;
      if (attempt.state === "current" && !attempt.doubtful && !isBystander) attempt.job.lost++;
      this.#over(attempt, "lost", at);
    }
    this.#justLost.set(connection.number, new Map(connection.inFlight));
    connection.inFlight.clear();
    this.#connections.delete(connection.number);
    runner.connections.delete(connection.number);
    runner.congested.delete(connection);
    runner.counted(-connection.unread, at);
    if (runner.workers.get(identity) === connection) runner.workers.delete(identity);
  }

  #settled(machine: string, jobId: number, at: number): void {
    const runner = this.#runners.get(machine);
    const job = runner?.jobs.get(jobId);
    if (runner === undefined || job === undefined || job.settledAt !== Number.POSITIVE_INFINITY) return;
    job.settledAt = at;
    runner.settled.push(job);
  }

  /** A job that no `execute` took in ends with the runner's event. */
  #otherSettled(machine: string, jobId: number, at: number): void {
    const runner = this.#up(machine);
    if (runner.wasSubmitted(jobId)) return;
    runner.job(jobId); // its JOB may still be in the batch of this turn
    this.#settled(machine, jobId, at);
    runner.otherSettled(jobId);
    runner.othersAt = at;
  }

  /** A frame of this moment may still name a job that has just settled: jobs are kept until the time moves. */
  #forget(runner: WireRunner, now: number): void {
    if (runner.stalled || now <= runner.wokeAt) return;
    if (now > runner.othersAt) runner.forgetOthers();
    const over = runner.settled.filter((job) => job.settledAt < now);
    if (over.length === 0) return;
    runner.settled = runner.settled.filter((job) => job.settledAt >= now);
    for (const job of over) {
      for (const observer of this.#observers) observer.onForgotten?.(job, runner);
      runner.jobs.delete(job.id);
    }
  }
}

/** A worker begins its jobs in the order in which they were sent. */
function giveSlots({ inFlight, capacity }: WireConnection, at: number): void {
  let slots = capacity;
  for (const attempt of inFlight.values()) {
    if (slots-- === 0) return;
    if (attempt.isParked) continue;
    attempt.begunAt ??= at;
  }
}
