/**
 * What `powerhose status` asks for and a run with --listen answers: counts and workers, nothing of any job's content. Its
 * shape, and how it reads as a table. The listener serves it.
 */
import type { RunnerStats } from "../../index.ts";
import { counted, grouped, safeText, showDuration, table, threeDigits } from "../terminal/format.ts";

/** One worker, as reported. */
export interface WorkerReport {
  readonly identity: string;
  readonly transport: string;
  readonly address: string;
  readonly state: string;
  readonly labels: readonly string[];
  readonly capacity: number;
  readonly inFlight: number;
  /** Jobs in its slots whose streams stand still, as they are not read. */
  readonly unread: number;
  readonly served: number;
  /** Since it registered, in ms. */
  readonly ageMs: number;
}

/** One typed task, as reported. */
export interface TaskReport {
  readonly task: string;
  /** Workers that have it. */
  readonly workers: number;
  /** Its jobs that wait in the queue, and those in workers' slots. */
  readonly queued: number;
  readonly running: number;
}

/** A run at one moment. */
export interface StatusReport {
  readonly state: string;
  /** Since the run started, in ms. */
  readonly uptimeMs: number;
  /** Jobs settled a second, over the last seconds. */
  readonly jobsPerSecond: number;
  /** Lines read so far. */
  readonly read: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly queued: number;
  readonly running: number;
  readonly backoff: number;
  readonly retries: number;
  readonly capacity: number;
  /** Its tasks; empty when its workers have none. */
  readonly tasks: readonly TaskReport[];
  readonly workers: readonly WorkerReport[];
}

/** The report of a runner's numbers. */
export function statusReport(
  stats: RunnerStats,
  run: Pick<StatusReport, "uptimeMs" | "jobsPerSecond" | "read">,
): StatusReport {
  const { state, succeeded, failed, queued, running, backoff, retries, capacity, tasks } = stats;
  const workers = stats.workers.map(({ peer, age, identity, state: standing, labels, ...counts }) => ({
    identity,
    transport: peer.transport,
    address: peer.address,
    state: standing,
    labels,
    capacity: counts.capacity,
    inFlight: counts.inFlight,
    unread: counts.unread,
    served: counts.served,
    ageMs: Math.round(age),
  }));
  return { state, ...run, succeeded, failed, queued, running, backoff, retries, capacity, tasks, workers };
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && value >= 0;
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

const COUNTS = [
  "uptimeMs",
  "jobsPerSecond",
  "read",
  "succeeded",
  "failed",
  "queued",
  "running",
  "backoff",
  "retries",
  "capacity",
] as const;
const WORKER_TEXTS = ["identity", "transport", "address", "state"] as const;
const WORKER_COUNTS = ["capacity", "inFlight", "unread", "served", "ageMs"] as const;
const TASK_COUNTS = ["workers", "queued", "running"] as const;
/** The fields that were checked: whatever else an answer holds, however deep, is not passed on. */
const FIELDS: readonly string[] = [
  "state",
  "tasks",
  "task",
  "workers",
  "labels",
  ...COUNTS,
  ...WORKER_TEXTS,
  ...WORKER_COUNTS,
];

function isWorker(value: unknown): value is WorkerReport {
  if (typeof value !== "object" || value === null) return false;
  const worker = value as Partial<Record<keyof WorkerReport, unknown>>;
  if (!WORKER_TEXTS.every((name) => isText(worker[name])) || !WORKER_COUNTS.every((name) => isCount(worker[name])))
    return false;
  return Array.isArray(worker.labels) && worker.labels.every(isText);
}

function isTask(value: unknown): value is TaskReport {
  if (typeof value !== "object" || value === null) return false;
  const one = value as Partial<Record<keyof TaskReport, unknown>>;
  return isText(one.task) && TASK_COUNTS.every((name) => isCount(one[name]));
}

/** Whether something that came over the network is a report. */
export function isStatusReport(value: unknown): value is StatusReport {
  if (typeof value !== "object" || value === null) return false;
  const report = value as Partial<Record<keyof StatusReport, unknown>>;
  if (typeof report.state !== "string" || !COUNTS.every((name) => isCount(report[name]))) return false;
  if (!Array.isArray(report.tasks) || !report.tasks.every(isTask)) return false;
  return Array.isArray(report.workers) && report.workers.every(isWorker);
}

/** The report for programs, as JSON without a newline at its end. */
export function statusJson(report: StatusReport): string {
  return JSON.stringify(report, [...FIELDS]);
}

/** Workers that the table lists; of the others it has the number. */
const MAX_ROWS = 100;
/** Workers that are named in one line. */
const MAX_NAMED = 3;
/** All states there are, and some to spare: an answer may come from anywhere. */
const MAX_STATES = 10;

/** How many workers there are in each state: `10,000 workers: 9,000 busy, 1,000 idle`. */
function fleetLine(workers: readonly WorkerReport[]): string {
  const states = new Map<string, number>();
  for (const { state } of workers) states.set(state, (states.get(state) ?? 0) + 1);
  const byCount = [...states].sort(([, one], [, other]) => other - one).slice(0, MAX_STATES);
  const counts = byCount.map(([state, count]) => `${grouped(count)} ${safeText(state, 12)}`);
  return `${counted(workers.length, "worker")}: ${counts.join(", ")}`;
}

/** The workers to list: those that are neither idle nor busy first. */
function listed(workers: readonly WorkerReport[]): readonly WorkerReport[] {
  if (workers.length <= MAX_ROWS) return workers;
  const isWell = ({ state }: WorkerReport): boolean => state === "idle" || state === "busy";
  return [...workers.filter((one) => !isWell(one)), ...workers.filter(isWell)].slice(0, MAX_ROWS);
}

/** The tasks as a table. What jobs wait for and no worker has is among them. */
function taskTable(tasks: readonly TaskReport[]): string {
  const rows = tasks
    .slice(0, MAX_ROWS)
    .map((one) => [safeText(one.task, 64), grouped(one.workers), grouped(one.running), grouped(one.queued)]);
  return table([["TASK", "WORKERS", "RUNNING", "WAITING"], ...rows]);
}

/** The streams that stand still; empty when none does. */
function unreadLine(workers: readonly WorkerReport[]): string {
  const holders = workers.filter(({ unread }) => unread > 0);
  const unread = holders.reduce((sum, worker) => sum + worker.unread, 0);
  if (unread === 0) return "";
  const named = holders.slice(0, MAX_NAMED).map(({ identity }) => safeText(identity, 40));
  const more = holders.length > MAX_NAMED ? ` and ${counted(holders.length - MAX_NAMED, "more worker")}` : "";
  const verb = unread === 1 ? "stands" : "stand";
  return `${counted(unread, "stream")} ${verb} still, unread, in slots of ${named.join(", ")}${more}`;
}

/** The report for people, without a newline at its end. What came from peers is made harmless. */
export function statusTable(report: StatusReport): string {
  const { state, uptimeMs, jobsPerSecond, succeeded, failed, queued, running, retries, tasks, workers } = report;
  const head =
    `${safeText(state, 20)} for ${showDuration(uptimeMs)}: ${grouped(succeeded)} done, ${grouped(failed)} failed, ` +
    `${grouped(running)} running, ${grouped(queued)} waiting, ${counted(retries, "retry").replace(/retrys$/, "retries")}, ` +
    `${threeDigits(jobsPerSecond)} jobs/s`;
  const shown = listed(workers);
  const isCut = shown.length < workers.length;
  const lines = [head, unreadLine(workers), isCut ? fleetLine(workers) : ""].filter((line) => line !== "");
  const sections = [lines.join("\n")];
  if (tasks.length > 0) sections.push(taskTable(tasks));
  sections.push(workers.length === 0 ? "no workers" : workerTable(shown));
  if (isCut) sections.push(`and ${counted(workers.length - shown.length, "more worker")}; --json lists all of them`);
  return sections.join("\n\n");
}

function workerTable(workers: readonly WorkerReport[]): string {
  const rows = workers.map((worker) => [
    safeText(worker.identity, 40),
    safeText(worker.address, 40),
    safeText(worker.state, 12),
    `${worker.inFlight}/${worker.capacity}`,
    grouped(worker.served),
    showDuration(worker.ageMs),
    safeText(worker.labels.join(","), 40),
  ]);
  return table([["WORKER", "WHERE", "STATE", "JOBS", "SERVED", "SINCE", "LABELS"], ...rows]);
}
