/**
 * Holds a runner's own numbers against each other and against its limits: nothing is lost from the count, no slot is idle
 * beside a job that waits, nothing grows over its bound, and nothing is left at the end.
 */
import { JOB_LIMITS } from "../../core/job/headers.ts";
import type { RunnerStats, WorkerStats } from "../../core/stats.ts";
import type { Checker, ObservedRunner, Violation } from "./checker.ts";
import type { Observation } from "../history/observation.ts";
import type { CheckerContext } from "./checker-context.ts";
import { BACKPRESSURE_POLL_MS, hasAll, type WireRunner } from "./wire.ts";

interface LastSample {
  stats: RunnerStats;
  /** Since when a timer keeps the process alive although no call waits. */
  idleSince: number | undefined;
}

/** Checks leaves-nothing-behind, within-capacity, counts-add-up, only-ready-workers, no-idle-slot, nothing-left-at-end and within-bounds. */
export class StatsChecker implements Checker {
  readonly #violation: Violation;
  readonly #context: CheckerContext;
  readonly #last = new Map<string, LastSample>();

  /** @param violation - Called for each breach. @param context - Has to be shown each observation first. */
  constructor(violation: Violation, context: CheckerContext) {
    this.#violation = violation;
    this.#context = context;
  }

  observe(seen: Observation): void {
    if (seen.kind === "machine" && seen.state === "down") this.#last.delete(seen.machine);
  }

  betweenEvents(now: number, runners: readonly ObservedRunner[]): void {
    for (const view of runners) {
      const stats = this.#context.sampler.fresh(view);
      if (stats !== undefined) this.#check(view, stats, now);
      const last = this.#last.get(view.machine);
      if (last !== undefined) this.#checkTimers(view, last, now);
    }
  }

  atEnd(_now: number, runners: readonly ObservedRunner[]): void {
    for (const view of runners) {
      const { queued, running, backoff, queuedBytes, workers, pending } = view.stats();
      const left = {
        "jobs queued": queued,
        "jobs running": running,
        "jobs in backoff": backoff,
        "bytes queued": queuedBytes,
        "workers registered": workers.length,
        "connections pending": pending,
        "timers set": view.timers,
        "calls waited for": view.waiting,
        "connections open": view.openConnections,
        "waiters for a slot": view.waiters ?? 0,
        "slots leased": view.leased ?? 0,
      };
      for (const [what, count] of Object.entries(left))
        if (count !== 0) this.#violation("nothing-left-at-end", `${view.machine}: ${count} ${what} at the end`);
    }
  }

  #check(view: ObservedRunner, stats: RunnerStats, now: number): void {
    const { machine } = view;
    const wire = this.#context.wire.runner(machine);
    const last = this.#last.get(machine);
    this.#checkBalance(machine, stats);
    this.#checkLimits(view, stats, last?.stats);
    this.#checkSlots(machine, stats);
    if (wire !== undefined) this.#checkIdleness(view, stats, wire, now);
    if (last === undefined) this.#last.set(machine, { stats, idleSince: undefined });
    else last.stats = stats;
  }

  #checkBalance(machine: string, stats: RunnerStats): void {
    const { submitted, succeeded, failed, queued, running, backoff, state } = stats;
    const sum = succeeded + failed + queued + running + backoff;
    if (submitted !== sum || Math.min(queued, running, backoff) < 0)
      this.#violation(
        "counts-add-up",
        `${machine}: ${submitted} submitted, but ${succeeded} succeeded, ${failed} failed, ${queued} queued, ${running} running, ${backoff} in backoff`,
      );
    if (stats.queuedBytes < 0 || (queued + backoff === 0 && stats.queuedBytes !== 0))
      this.#violation("counts-add-up", `${machine}: ${stats.queuedBytes} bytes of ${queued + backoff} jobs that wait`);
    if (state === "stopped" && queued + running + backoff > 0)
      this.#violation(
        "nothing-left-at-end",
        `${machine} has stopped with ${queued + running + backoff} jobs unsettled`,
      );
  }

  /** Retries go back to the queue whatever its length; only what is taken in anew is refused. */
  #checkLimits({ machine, limits }: ObservedRunner, stats: RunnerStats, before: RunnerStats | undefined): void {
    const { queued, backoff, queuedBytes, pending, workers } = stats;
    const waiting = queued + backoff;
    const returned = again(stats) - (before === undefined ? 0 : again(before));
    const mayWait = Math.max(limits.maxQueue, (before?.queued ?? 0) + (before?.backoff ?? 0)) + returned;
    if (waiting > mayWait) this.#violation("within-bounds", `${machine}: ${waiting} jobs wait, ${mayWait} may`);
    const largest = 2 * (limits.maxPayload + JOB_LIMITS.maxHeaderBytes);
    const mayHold = Math.max(limits.maxQueueBytes, before?.queuedBytes ?? 0, largest) + returned * largest;
    if (queuedBytes > mayHold)
      this.#violation("within-bounds", `${machine}: ${queuedBytes} bytes wait, ${mayHold} may`);
    if (pending > limits.maxPending)
      this.#violation("within-bounds", `${machine}: ${pending} connections pending, ${limits.maxPending} may be`);
    if (workers.length > limits.maxWorkers)
      this.#violation("within-bounds", `${machine}: ${workers.length} workers, ${limits.maxWorkers} may be`);
  }

  #checkSlots(machine: string, { workers }: RunnerStats): void {
    for (const { identity, inFlight, capacity, state } of workers) {
      // What a worker has it keeps when its slots become fewer.
      const isResized = this.#context.wire.runner(machine)?.workers.get(identity)?.resized !== undefined;
      if (inFlight < 0 || (inFlight > capacity && !isResized))
        this.#violation("within-capacity", `${machine}: ${identity} has ${inFlight} jobs in ${capacity} slots`);
      if (state === "gone" || state === "connecting")
        this.#violation("only-ready-workers", `${machine}: ${identity} is ${state} and still among the workers`);
    }
  }

  #checkIdleness(view: ObservedRunner, stats: RunnerStats, wire: WireRunner, now: number): void {
    const waiting = view.waiters ?? stats.queued;
    if (waiting === 0 || wire.stalled) return;
    for (const { require, except, jobs } of stats.waiting) {
      let free = -(view.leased ?? 0);
      for (const worker of stats.workers)
        if (hasAll(worker.labels, require) && !except.includes(worker.peer.principal))
          free += freeSlots(worker, wire, now);
      const what = `${jobs} wait for a slot (${require.join(", ") || "any"})`;
      if (free > 0) this.#violation("no-idle-slot", `${view.machine}: ${what}, and ${free} are free`);
    }
  }

  /** A timer may outlive the last caller by what is left of the turn. */
  #checkTimers(view: ObservedRunner, last: LastSample, now: number): void {
    const { queued, running, backoff } = last.stats;
    const wire = this.#context.wire.runner(view.machine);
    const busy = queued + running + backoff > 0 || view.waiting > 0 || (view.waiters ?? 0) > 0;
    if (busy || view.keepAliveTimers === 0 || wire === undefined || wire.dials || wire.unsure(now))
      last.idleSince = undefined;
    else if (last.idleSince === undefined) last.idleSince = now;
    else if (now > last.idleSince)
      this.#violation(
        "leaves-nothing-behind",
        `${view.machine}: ${view.keepAliveTimers} timers keep it alive, and nobody waits`,
      );
  }
}

/** The slots of a worker that can be given work now. */
function freeSlots(worker: WorkerStats, wire: WireRunner, now: number): number {
  if (worker.state !== "idle" && worker.state !== "busy") return 0;
  const connection = wire.workers.get(worker.identity);
  if (connection !== undefined) {
    const { unread, congestedAt } = connection;
    const lately = now - Math.max(congestedAt, wire.wokeAt) <= BACKPRESSURE_POLL_MS;
    if (wire.overBudgetAt !== Number.NEGATIVE_INFINITY && wire.isOverBudget(now)) return 0;
    if (connection.hasParked) return 0;
    if (unread > wire.highWater || (congestedAt !== Number.NEGATIVE_INFINITY && lately)) return 0;
  }
  return worker.capacity - worker.inFlight;
}

/** How often jobs went back to the queue. */
function again({ retries, returned }: RunnerStats): number {
  return retries + returned;
}
