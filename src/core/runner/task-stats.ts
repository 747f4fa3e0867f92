/** Counts by typed task, made on demand: of workers and of the queue by their labels, of slots by what their jobs ask for. */
import { taskOf } from "../identifiers.ts";
import type { Scheduler } from "../pool/scheduler.ts";
import type { Session } from "../session/session.ts";
import type { TaskStats } from "../stats.ts";

/** Names come from peers and callers: what is told of them is bounded. */
const MAX_TASKS_TOLD = 100;

/** The task among the labels that a job requires. */
function taskIn(labels: readonly string[] | undefined): string | undefined {
  for (const label of labels ?? []) {
    const task = taskOf(label);
    if (task !== undefined) return task;
  }
  return undefined;
}

/** The tasks of a fleet and of its jobs, by name. */
export function taskStats(scheduler: Scheduler<Session>, sessions: Iterable<Session>): TaskStats[] {
  const counts = new Map<string, { workers: number; queued: number; running: number }>();
  const countsOf = (task: string): { workers: number; queued: number; running: number } => {
    const known = counts.get(task) ?? { workers: 0, queued: 0, running: 0 };
    counts.set(task, known);
    return known;
  };
  for (const label of scheduler.labels) {
    const task = taskOf(label);
    if (task !== undefined) countsOf(task).workers = scheduler.countWithLabel(label);
  }
  for (const { selector, length } of scheduler.queueDepths) {
    const task = taskIn(selector?.labels);
    if (task !== undefined) countsOf(task).queued += length;
  }
  // A job without a task costs no more than a look.
  if (counts.size > 0) {
    for (const { attempts } of sessions)
      attempts.counts.forEachRunning(({ owner, cancelled }) => {
        const task = cancelled === undefined ? taskIn(owner.selector?.labels) : undefined;
        if (task !== undefined) countsOf(task).running++;
      });
  }
  return Array.from(counts, ([task, count]) => ({ task, ...count }))
    .sort((a, b) => (a.task < b.task ? -1 : 1))
    .slice(0, MAX_TASKS_TOLD);
}
