/** The rare things a simulation should bring about sometimes, by name. See sometimes.ts for how they are counted. */
const ERRORS = [
  "error: EXECUTION",
  "error: WORKER_LOST",
  "error: NO_WORKER",
  "error: QUEUE_FULL",
  "error: ENCODING",
  "error: RUNNER_STOPPED",
  "error: ABORTED",
  "error: a reason of the caller's own",
  "error: TIMEOUT acquire",
  "error: TIMEOUT queue",
  "error: TIMEOUT attempt",
  "error: TIMEOUT deadline",
] as const;

/** Without `refused`, which the runner reports by another event. */
const GONE = [
  "gone: removed",
  "gone: closed",
  "gone: silent",
  "gone: unresponsive",
  "gone: replaced",
  "gone: violation",
  "gone: slow",
  "gone: deleted",
  "gone: stopped",
] as const;

const REFUSED = [
  "refused: identity taken",
  "refused: flapping",
  "refused: busy",
  "refused: another version",
  "refused: no HELLO in time",
  "refused: a violation",
] as const;

const JOBS = [
  "abort while queued",
  "abort while running",
  "abort while in backoff",
  "backoff cut by the deadline",
  "cancel confirmed",
  "cancel not confirmed",
  "job crossed a REMOVE",
  "job not sent",
  "late result dropped",
  "passed while it waited for its labels",
  "poison stop",
  "rejected and retried after a pause",
  "rejected and retried at once",
  "result too large",
  "retry after an error",
  "retry after a loss",
  "retry after a timeout",
  "retry succeeded",
  "retry throttled",
  "prefetched",
  "prefetched and handed back",
  "prefetched and taken back",
  "prefetched and lost",
] as const;

const WORKERS = [
  "busy blocking worker silent and spared",
  "fewer slots offered",
  "suspect recovered",
  "suspected",
  "worker disconnected: closed",
  "worker disconnected: lost",
  "worker disconnected: refused",
  "worker disconnected: unreachable",
  "worker restarted",
  "worker retired",
] as const;

const FRAMES = ["answered twice", "forged id", "garbage before HELLO", "malformed frame", "second HELLO"] as const;

const RUNNERS = [
  "drained with nothing given up",
  "drain timeout hit",
  "runner restarted",
  "send full",
  "stall guard used",
] as const;

/** All of them. */
export const COVERAGE_POINTS: readonly [
  ...typeof ERRORS,
  ...typeof GONE,
  ...typeof REFUSED,
  ...typeof JOBS,
  ...typeof WORKERS,
  ...typeof FRAMES,
  ...typeof RUNNERS,
] = [...ERRORS, ...GONE, ...REFUSED, ...JOBS, ...WORKERS, ...FRAMES, ...RUNNERS];

/** The name of one. */
export type CoveragePoint = (typeof COVERAGE_POINTS)[number];
