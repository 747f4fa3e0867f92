/** Answers "why is nothing running?" from a runner's numbers. */
import type { RunnerStats, WaitingStats, WorkerStats } from "../index.ts";
import { counted, grouped } from "./format.ts";
import type { Explanation } from "./protocol.ts";
import { safeText } from "./safe-text.ts";

/** Workers that are named; of the others there is the number. */
const MAX_NAMED = 3;

/** `1 job waits`, `2 jobs wait`. */
function wait(count: number): string {
  return count === 1 ? "1 job waits" : `${grouped(count)} jobs wait`;
}

/** Counts the workers that can and cannot be given work. */
function countWorkers({ workers }: RunnerStats): { suspect: number; leaving: number; usable: number } {
  const suspect = workers.filter(({ state }) => state === "suspect").length;
  const leaving = workers.filter(({ state }) => state === "draining").length;
  return { suspect, leaving, usable: workers.length - suspect - leaving };
}

/** Why no worker can be given a job, though some may be registered. */
function noUsableWorker(stats: RunnerStats): string {
  const { suspect, leaving } = countWorkers(stats);
  if (suspect > 0 && leaving > 0) return `no worker can take it: ${suspect} suspect, ${leaving} leaving`;
  if (leaving > 0) return "every worker is leaving and finishes what it has";
  if (suspect > 0) return "every worker is suspect: none was heard of for two heartbeats";
  if (stats.pending > 0) return `no worker is registered; ${counted(stats.pending, "connection")} said no hello yet`;
  return "no worker is registered; start one";
}

/** ` with the labels cuda, gpu`, ` of another principal than those that have answered`: the workers a job waits for. */
function describeSelector({ require, except }: WaitingStats): string {
  const labels = require.length === 0 ? "" : ` with the label${require.length === 1 ? "" : "s"} ${require.join(", ")}`;
  return except.length === 0 ? labels : `${labels} of another principal than those that have answered`;
}

/** The jobs that no registered worker can run, as text; empty when each can be run. */
function describeMissing({ waiting, workers }: RunnerStats): string {
  // Without any worker, a missing label is not the reason.
  const missed = workers.length === 0 ? [] : waiting.filter((one) => one.workers === 0 && describeSelector(one) !== "");
  const [first] = missed;
  if (first === undefined) return "";
  const others =
    missed.length === 1 ? "" : ` Nor are there workers for ${counted(missed.length - 1, "other kind")} of jobs.`;
  return `${wait(first.jobs)} for a worker${describeSelector(first)}, and none is registered.${others}`;
}

/** Jobs wait and none runs. */
function explainStall(stats: RunnerStats): Explanation {
  const { queued, workers } = stats;
  const missing = describeMissing(stats);
  if (missing !== "") return { severity: "stuck", text: missing };
  if (countWorkers(stats).usable === 0)
    return { severity: "stuck", text: `${wait(queued)}: ${noUsableWorker(stats)}.` };
  const held = workers.some(({ inFlight }) => inFlight > 0);
  const why = held
    ? "every slot is taken by a job that was given up and whose handler has not ended"
    : "workers are there, but somebody holds them, or they do not read what they are sent";
  return { severity: "stuck", text: `${wait(queued)}: ${why}.` };
}

/** Nothing waits for a slot and none runs. */
function explainIdle(stats: RunnerStats): Explanation {
  const { backoff } = stats;
  if (backoff > 0) {
    const text = `${backoff === 1 ? "1 job has" : `${grouped(backoff)} jobs have`} failed and will be tried again in a moment.`;
    return { severity: "stuck", text };
  }
  if (countWorkers(stats).usable > 0) return { severity: "idle", text: "Nothing to do: no job waits." };
  return { severity: "idle", text: `No job waits, and ${noUsableWorker(stats)}.` };
}

/** Jobs run. */
function explainBusy(stats: RunnerStats): Explanation {
  const { running, queued, prefetched, capacity, workers } = stats;
  const missing = describeMissing(stats);
  const runs = running === 1 ? "1 job runs" : `${grouped(running)} jobs run`;
  const on = counted(workers.length, "worker");
  if (missing !== "") return { severity: "stuck", text: `${runs} on ${on}. ${missing}` };
  if (queued - prefetched <= 0 || running < capacity) return { severity: "busy", text: `${runs} on ${on}.` };
  const unread = workers.reduce((sum, worker) => sum + worker.unread, 0);
  const severity = unread >= running ? "stuck" : "busy";
  return { severity, text: `${runs} on ${on}. All slots are busy; ${wait(queued)}.${describeUnread(workers, unread)}` };
}

/** The workers whose slots are held by streams that nothing reads. */
function describeUnread(workers: readonly WorkerStats[], unread: number): string {
  if (unread === 0) return "";
  const holders = workers.filter((worker) => worker.unread > 0).map(({ identity }) => safeText(identity, 40));
  const [named, more] = [holders.slice(0, MAX_NAMED), holders.length - MAX_NAMED];
  const others = more > 0 ? counted(more, "more worker") : named.pop();
  const on = named.length === 0 ? others : `${named.join(", ")} and ${others}`;
  const [give, whose] =
    unread === 1
      ? ["job gives a stream that stands", "its reader does"]
      : ["jobs give streams that stand", "their readers do"];
  return ` ${grouped(unread)} ${give} still as ${whose} not read, on ${on}.`;
}

/** Says what a runner does, and what holds it up if it does nothing. */
export function explain(stats: RunnerStats): Explanation {
  const { state, running, queued, backoff } = stats;
  switch (state) {
    case "created":
    case "starting":
      return { severity: "idle", text: "The runner is starting; its listeners are not ready yet." };
    case "stopped":
      return { severity: "ending", text: "The runner has stopped." };
    case "draining": {
      const left = running + queued + backoff;
      const remaining =
        left === 0 ? "nothing is left" : `${counted(left, "job")} of it ${left === 1 ? "is" : "are"} left`;
      return { severity: "ending", text: `The runner drains: it takes no new jobs, and ${remaining}.` };
    }
    case "started":
      if (running > 0) return explainBusy(stats);
      return queued > 0 ? explainStall(stats) : explainIdle(stats);
  }
}
