/**
 * When prefetched jobs are recalled: once a slot is free elsewhere, or once their worker is busy with a job far longer than
 * those that were measured. Which ones come back is decided in scheduler.ts and attempt-table.ts.
 */
import type { Clock } from "../time/clock.ts";
import type { Scheduler } from "../pool/scheduler.ts";
import type { Attempt } from "../session/attempt.ts";
import type { Session } from "../session/session.ts";
import { CallbackEntry, TimerQueue } from "../time/timer-queue.ts";

/** After a slot has become free, prefetched jobs have so long to begin. */
const RECALL_AFTER_MS = 1;
/** Prefetched jobs are expected to begin within a round trip: after so long without an answer their worker is held up. */
const OVERDUE_MS = 5;

/** Recalls prefetched jobs of one runner. */
export class PrefetchRecaller {
  readonly #clock: Clock;
  readonly #scheduler: () => Scheduler<Session>;
  /** Its timers do not keep the process alive: the jobs do. */
  readonly #timers: TimerQueue;
  readonly #idle = new CallbackEntry(() => this.#recallForIdleSlot());
  readonly #overdue = new CallbackEntry(() => this.#recallOverdue());

  constructor(clock: Clock, scheduler: () => Scheduler<Session>) {
    this.#clock = clock;
    this.#scheduler = scheduler;
    this.#timers = new TimerQueue(clock, false);
  }

  /** A slot is free, no waiting job fits it, and prefetched jobs wait at other workers. */
  onIdleSlot(): void {
    if (this.#idle.due === Number.POSITIVE_INFINITY) this.#timers.set(this.#idle, RECALL_AFTER_MS);
  }

  /** A job is about to be prefetched to this worker, the first that waits there. */
  onOvercommitted({ attempts }: Session): void {
    const isSet = this.#overdue.due !== Number.POSITIVE_INFINITY;
    if (!isSet && attempts.recallsAtOnce) this.#timers.set(this.#overdue, OVERDUE_MS);
  }

  /** Recalls nothing any more. */
  stop(): void {
    this.#timers.drop(this.#idle);
    this.#timers.drop(this.#overdue);
  }

  #recallForIdleSlot(): void {
    const returned: Attempt<Session>[] = [];
    const recallSome = (
      session: Session,
      count: number,
      isUseful: Parameters<Session["attempts"]["recall"]>[1],
    ): number => session.attempts.recall(count, isUseful, returned);
    const more = this.#scheduler().recall(recallSome);
    report(returned);
    if (more) this.#timers.set(this.#idle, RECALL_AFTER_MS);
  }

  #recallOverdue(): void {
    const now = this.#clock.now();
    const returned: Attempt<Session>[] = [];
    let more = false;
    this.#scheduler().visitOvercommitted(({ attempts }) => {
      if (!attempts.recallsAtOnce) return;
      if (now - attempts.progressAt < OVERDUE_MS) more = true;
      else attempts.recall(Number.POSITIVE_INFINITY, () => true, returned);
    });
    report(returned);
    if (more) this.#timers.set(this.#overdue, OVERDUE_MS);
  }
}

/** Once all workers were asked, as each of these may be granted a slot, which changes the pool; the oldest of a worker first. */
function report(returned: readonly Attempt<Session>[]): void {
  for (const attempt of returned.toReversed())
    if (attempt.cancelled === "recalled") attempt.owner.onRejected(attempt, "recalled");
}
