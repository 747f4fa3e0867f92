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
  readonly served: number;
  /** Since it registered, in ms. */
  readonly ageMs: number;
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
  readonly workers: readonly WorkerReport[];
}

/** The report of a runner's numbers. */
export function statusReport(
  stats: RunnerStats,
  run: Pick<StatusReport, "uptimeMs" | "jobsPerSecond" | "read">,
): StatusReport {
  const { state, succeeded, failed, queued, running, backoff, retries, capacity } = stats;
  const workers = stats.workers.map(({ peer, age, identity, state: standing, labels, ...counts }) => ({
    identity,
    transport: peer.transport,
    address: peer.address,
    state: standing,
    labels,
    capacity: counts.capacity,
    inFlight: counts.inFlight,
    served: counts.served,
    ageMs: Math.round(age),
  }));
  return { state, ...run, succeeded, failed, queued, running, backoff, retries, capacity, workers };
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
const WORKER_COUNTS = ["capacity", "inFlight", "served", "ageMs"] as const;
/** The fields that were checked: whatever else an answer holds, however deep, is not passed on. */
const FIELDS: readonly string[] = ["state", "workers", "labels", ...COUNTS, ...WORKER_TEXTS, ...WORKER_COUNTS];

function isWorker(value: unknown): value is WorkerReport {
  if (typeof value !== "object" || value === null) return false;
  const worker = value as Partial<Record<keyof WorkerReport, unknown>>;
  if (!WORKER_TEXTS.every((name) => isText(worker[name])) || !WORKER_COUNTS.every((name) => isCount(worker[name])))
    return false;
  return Array.isArray(worker.labels) && worker.labels.every(isText);
}

/** Whether something that came over the network is a report. */
export function isStatusReport(value: unknown): value is StatusReport {
  if (typeof value !== "object" || value === null) return false;
  const report = value as Partial<Record<keyof StatusReport, unknown>>;
  if (typeof report.state !== "string" || !COUNTS.every((name) => isCount(report[name]))) return false;
  return Array.isArray(report.workers) && report.workers.every(isWorker);
}

/** The report for programs, as JSON without a newline at its end. */
export function statusJson(report: StatusReport): string {
  return JSON.stringify(report, [...FIELDS]);
}

/** Workers that the table lists; of the others it has the number. */
const MAX_ROWS = 100;
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

/** The report for people, without a newline at its end. What came from peers is made harmless. */
export function statusTable(report: StatusReport): string {
  const { state, uptimeMs, jobsPerSecond, succeeded, failed, queued, running, retries, workers } = report;
  const head =
    `${safeText(state, 20)} for ${showDuration(uptimeMs)}: ${grouped(succeeded)} done, ${grouped(failed)} failed, ` +
    `${grouped(running)} running, ${grouped(queued)} waiting, ${counted(retries, "retry").replace(/retrys$/, "retries")}, ` +
    `${threeDigits(jobsPerSecond)} jobs/s`;
  if (workers.length === 0) return `${head}\n\nno workers`;
  const shown = listed(workers);
  const rows = shown.map((worker) => [
    safeText(worker.identity, 40),
    safeText(worker.address, 40),
    safeText(worker.state, 12),
    `${worker.inFlight}/${worker.capacity}`,
    grouped(worker.served),
    showDuration(worker.ageMs),
    safeText(worker.labels.join(","), 40),
  ]);
  const lines = table([["WORKER", "WHERE", "STATE", "JOBS", "SERVED", "SINCE", "LABELS"], ...rows]);
  if (shown.length === workers.length) return `${head}\n\n${lines}`;
  const more = counted(workers.length - shown.length, "more worker");
  return `${head}\n${fleetLine(workers)}\n\n${lines}\n\nand ${more}; --json lists all of them`;
}
