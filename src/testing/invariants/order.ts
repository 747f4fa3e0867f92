/**
 * The order of jobs. Jobs with the same labels start in the order of submission. An older job is not passed by others for a
 * worker it could use. A retry keeps its place, and avoids the workers that have had it. Jobs of `map` and of leased workers
 * are outside this order; the outcomes of a `map` have an order of their own.
 */
import type { Checker, ObservedRunner, Violation } from "./checker.ts";
import type { NumberedEvent, Observation, YieldedObservation } from "../history/observation.ts";
import type { CheckerContext } from "./checker-context.ts";
import { getOrCreate } from "./get-or-create.ts";
import type { WireModelObserver } from "./wire-model.ts";
import type { CoveragePoint } from "./coverage-points.ts";
import { hasRequiredLabels, hasAll, labelKey, type WireAttempt, type WireConnection, type WireRunner } from "./wire.ts";

/** One life of a runner's queue. */
interface Queue {
  /** The highest job that has started, and when; by label key. */
  readonly latest: Map<string, { readonly id: number; readonly at: number }>;
  /** Jobs that were never sent nor started, the oldest first; by label key. */
  readonly waiting: Map<string, Set<number>>;
  /** Jobs below this number may have been prefetched to a worker that went before their frame left: no frame shows them. */
  unseen: number;
  /** Jobs that have started and not settled. */
  readonly started: Set<number>;
  /** Jobs that were prefetched: when each starts depends on its worker. */
  readonly prefetched: Set<number>;
  /** Jobs that started after later ones before their JOB was seen, and the latest of those. */
  readonly late: Map<number, number>;
  /** Jobs to be tried again, and when they are back in the queue. */
  readonly retries: Map<number, number>;
  /** No retry is back earlier. */
  earliest: number;
  /** Workers under suspicion, and since when. */
  readonly suspects: Map<string, number>;
}

/** A job started, and jobs with other labels may have been there before it. */
interface Pass {
  readonly jobId: number;
  readonly key: string;
  readonly connection: WireConnection;
  readonly at: number;
}

interface Reuse {
  readonly attempt: WireAttempt;
  readonly at: number;
}

/** Timers are rounded up to whole milliseconds. */
const TICK_MS = 1;

/** Checks first-in-first-out and retry-elsewhere. */
export class OrderChecker implements Checker, WireModelObserver {
  readonly #violation: Violation;
  readonly #context: CheckerContext;
  readonly #queues = new Map<string, Queue>();
  /** How many outcomes each `map` has handed over in order, by runner. */
  readonly #maps = new Map<string, Map<number, number>>();
  readonly #saw: (name: CoveragePoint) => void;
  #reuses: Reuse[] = [];
  #passes: Pass[] = [];

  /**
   * @param violation - Called for each breach. @param context - Has to be shown each observation first.
   * @param saw - Called for what is rare.
   */
  constructor(violation: Violation, context: CheckerContext, saw: (name: CoveragePoint) => void) {
    this.#violation = violation;
    this.#context = context;
    this.#saw = saw;
    context.wire.addObserver(this);
  }

  observe(seen: Observation): void {
    if (seen.kind === "runner") this.#onEvent(seen.machine, seen.event, seen.at);
    else if (seen.kind === "yielded") this.#onYielded(seen);
    else if (seen.kind === "submitted")
      this.#waitingFor(this.#queue(seen.machine), labelKey(seen.options)).add(seen.jobId);
    else if (seen.kind === "machine" && seen.state === "down") {
      this.#queues.delete(seen.machine);
      this.#maps.delete(seen.machine);
    }
  }

  #onYielded({ machine, map, ordered, index }: YieldedObservation): void {
    if (!ordered) return;
    const maps = getOrCreate(this.#maps, machine, () => new Map());
    const next = maps.get(map) ?? 0;
    maps.set(map, next + 1);
    if (index !== next)
      this.#violation(
        "first-in-first-out",
        `${machine}: map ${map} hands over outcome ${index} where ${next} was to come`,
      );
  }

  betweenEvents(now: number, runners: readonly ObservedRunner[]): void {
    if (this.#reuses.length > 0) this.#checkReuses(now, runners);
    if (this.#passes.length > 0) this.#checkPasses(now);
  }

  onJobSent(attempt: WireAttempt, at: number): void {
    const { job, connection } = attempt;
    const { machine } = connection.runner;
    const queue = this.#queue(machine);
    if (job.options !== undefined) this.#waitingFor(queue, labelKey(job.options)).delete(job.id);
    // What a runner prefetched before it read, as it woke, what frees a slot looks as if it had found that slot.
    const blurred = connection.heardAt >= at && connection.runner.unsure(at);
    const prefetched = blurred || connection.inFlight.size >= connection.capacity;
    if (prefetched) queue.prefetched.add(job.id);
    // One that was prefetched may have started before its frame left: then a slot was freed in the same moment.
    const latest = queue.late.get(job.id);
    queue.late.delete(job.id);
    if (latest !== undefined && !prefetched && connection.heardAt < at) this.#reportOvertaking(machine, job.id, latest);
    this.#checkSuspicion(attempt, at);
    if (job.used.includes(connection) && !job.isRelayed && !connection.runner.unsure(at))
      this.#reuses.push({ attempt, at });
  }

  /** The holder of a lease may send to a suspect worker; `execute` may not. */
  #checkSuspicion({ job, connection }: WireAttempt, at: number): void {
    const { machine } = connection.runner;
    const since = this.#queues.get(machine)?.suspects.get(connection.identity) ?? at;
    if (since < at && job.options !== undefined && !connection.runner.unsure(at))
      this.#violation(
        "only-ready-workers",
        `${machine}: job ${job.id} goes to ${connection.identity}, suspect since ${since} ms`,
      );
  }

  #queue(machine: string): Queue {
    return getOrCreate(this.#queues, machine, newQueue);
  }

  #waitingFor({ waiting }: Queue, key: string): Set<number> {
    return getOrCreate(waiting, key, () => new Set());
  }

  #onEvent(machine: string, event: NumberedEvent, at: number): void {
    switch (event.type) {
      case "job-started":
        return this.#onStarted(machine, event.jobId, event.identity, at);
      case "job-retried":
        return this.#onRetried(machine, event, at);
      case "job-settled":
        return this.#onSettled(this.#queue(machine), event.jobId);
      case "worker-suspect":
        return void this.#queue(machine).suspects.set(event.identity, at);
      case "worker-recovered":
        return void this.#queue(machine).suspects.delete(event.identity);
      case "worker-gone":
        return this.#onGone(this.#queue(machine), event.identity, at);
      default:
    }
  }

  #onGone(queue: Queue, identity: string, at: number): void {
    queue.suspects.delete(identity);
    for (const latest of queue.latest.values()) if (latest.at === at) queue.unseen = Math.max(queue.unseen, latest.id);
  }

  #onStarted(machine: string, jobId: number, identity: string, at: number): void {
    const queue = this.#queue(machine);
    noLongerWaits(queue, jobId); // its JOB may never leave
    if (queue.retries.delete(jobId)) return refresh(queue);
    if (queue.started.has(jobId) || queue.prefetched.has(jobId)) return;
    const runner = this.#context.wire.runner(machine);
    // An unknown job is one of a `map` or of a leased worker.
    const job = runner?.jobs.get(jobId);
    if (runner === undefined || job?.options === undefined) return;
    queue.started.add(jobId);
    const key = labelKey(job.options);
    const { id: latest } = queue.latest.get(key) ?? { id: 0 };
    if (jobId < latest && jobId >= queue.unseen) {
      if (job.last === undefined) queue.late.set(jobId, latest);
      else this.#reportOvertaking(machine, jobId, latest);
    }
    if (jobId >= latest) queue.latest.set(key, { id: jobId, at });
    const connection = runner.workers.get(identity);
    if (connection === undefined) return;
    if (queue.waiting.size > 1) this.#passes.push({ jobId, key, connection, at });
    if (at > queue.earliest + TICK_MS) this.#checkOvertaking(connection, queue, jobId, at);
  }

  #reportOvertaking(machine: string, jobId: number, latest: number): void {
    this.#violation("first-in-first-out", `${machine}: job ${jobId} starts after job ${latest}, which came later`);
  }

  #checkOvertaking(connection: WireConnection, queue: Queue, jobId: number, at: number): void {
    const { machine, jobs } = connection.runner;
    for (const [retried, due] of queue.retries) {
      const options = jobs.get(retried)?.options;
      if (retried > jobId || options === undefined || !hasRequiredLabels(connection, options)) continue;
      const what = `job ${jobId} starts before job ${retried}, which is to be tried again since ${due} ms`;
      this.#context.allowance.claim({
        machine,
        from: due,
        late: at - due - TICK_MS,
        promise: "first-in-first-out",
        what,
      });
    }
  }

  #onRetried(machine: string, { jobId, after }: Extract<NumberedEvent, { type: "job-retried" }>, at: number): void {
    const queue = this.#queue(machine);
    const due = at + after;
    queue.retries.set(jobId, due);
    queue.earliest = Math.min(queue.earliest, due);
  }

  #onSettled(queue: Queue, jobId: number): void {
    queue.started.delete(jobId);
    queue.prefetched.delete(jobId);
    queue.late.delete(jobId);
    noLongerWaits(queue, jobId);
    if (queue.retries.delete(jobId)) refresh(queue);
  }

  /** Called once the time has moved: a job that was not sent by then waited all the time. */
  #checkPasses(now: number): void {
    const due = this.#passes.filter(({ at }) => at < now);
    if (due.length === 0) return;
    this.#passes = this.#passes.filter(({ at }) => at >= now);
    for (const { jobId, key, connection, at } of due) {
      const { runner } = connection;
      if (this.#context.wire.runner(runner.machine) !== runner || runner.unsure(now) || runner.wokeAt >= at) continue;
      // It may have got the labels in the same frame, after the slot.
      if (connection.resizedAt >= at) continue;
      for (const [other, [oldest]] of this.#queue(runner.machine).waiting)
        if (other !== key && oldest !== undefined && oldest < jobId) this.#checkPass(connection, jobId, oldest);
    }
  }

  #checkPass(connection: WireConnection, jobId: number, oldest: number): void {
    const { machine, jobs } = connection.runner;
    const options = jobs.get(oldest)?.options;
    if (options === undefined) return;
    if (!hasRequiredLabels(connection, options)) return this.#saw("passed while it waited for its labels");
    const what = `job ${jobId} goes to ${connection.identity} before job ${oldest}, which came earlier`;
    this.#violation("first-in-first-out", `${machine}: ${what}`);
  }

  /** Called once the time has moved: until then, frames to other workers may not have left. */
  #checkReuses(now: number, runners: readonly ObservedRunner[]): void {
    const due = this.#reuses.filter(({ at }) => at < now);
    if (due.length === 0) return;
    this.#reuses = this.#reuses.filter(({ at }) => at >= now);
    for (const { attempt, at } of due) {
      const { runner } = attempt.connection;
      const view = runners.find(({ machine }) => machine === runner.machine);
      if (view === undefined || this.#context.wire.runner(runner.machine) !== runner) continue;
      // A slot that looks free may be leased.
      if ((view.leased ?? 0) > 0 || (view.leased === undefined && runner.mixed)) continue;
      this.#checkReuse(attempt, runner, at);
    }
  }

  #checkReuse(attempt: WireAttempt, runner: WireRunner, at: number): void {
    const { suspects } = this.#queue(runner.machine);
    const { job, connection } = attempt;
    for (const other of runner.workers.values()) {
      if (suspects.has(other.identity) || job.used.includes(other) || !wasFree(other, at)) continue;
      // Of a job of a `map` only this is known: its worker matches, so every worker with the same labels does.
      if (!hasAll(other.labels, job.options?.require ?? connection.labels ?? [])) continue;
      const what = `job ${job.id} goes back to ${connection.identity} although ${other.identity} was free`;
      return this.#violation("retry-elsewhere", `${runner.machine}: ${what}`);
    }
  }
}

function newQueue(): Queue {
  return {
    latest: new Map(),
    waiting: new Map(),
    unseen: 0,
    started: new Set(),
    prefetched: new Set(),
    late: new Map(),
    retries: new Map(),
    earliest: Number.POSITIVE_INFINITY,
    suspects: new Map(),
  };
}

/** Whether a worker had a free slot, and nothing happened to it in that moment that could have changed that. */
function wasFree(connection: WireConnection, at: number): boolean {
  const { leaving, ended, touchedAt, inFlight, capacity, unread, congestedAt, runner } = connection;
  if (leaving !== undefined || ended !== undefined || touchedAt >= at || inFlight.size >= capacity) return false;
  if (connection.hasParked) return false;
  if (runner.overBudgetAt !== Number.NEGATIVE_INFINITY && runner.isOverBudget(at)) return false;
  return unread <= runner.highWater && at - congestedAt > 6 && at - runner.wokeAt > 6;
}

function noLongerWaits({ waiting }: Queue, jobId: number): void {
  for (const jobs of waiting.values()) jobs.delete(jobId);
}

function refresh(queue: Queue): void {
  if (queue.retries.size === 0) queue.earliest = Number.POSITIVE_INFINITY;
}
