/**
 * The storm's two books, and whether they agree: what the handlers wrote down of each start, where the runner has no hand in it, and
 * what the callers saw. Pure. See ledger.ts for the files.
 */

/** A start of a handler, as the handler wrote it down. */
export interface Start {
  readonly key: string;
  readonly jobId: string;
  readonly attempt: number;
  /** Where it ran: `host-1/thread-2`. */
  readonly path: string;
}

/** An attempt, as the runner told its caller of it. */
export interface AttemptTold {
  readonly identity: string;
  readonly outcome: string;
}

/** What a caller submitted. */
export interface Submission {
  readonly key: string;
  readonly kind: string;
  /** The hash that the answer has to begin with. */
  readonly expected: string;
  readonly attempts: number;
  readonly maxLost: number;
}

/** How a call settled: with a value (`hash jobId attempt`) or with a code. */
export interface Settlement {
  readonly key: string;
  /** Absent where the caller is not told. */
  readonly jobId?: string;
  readonly value?: string;
  readonly code?: string;
  readonly records: readonly AttemptTold[];
}

/** Both books. */
export interface Books {
  readonly submissions: readonly Submission[];
  readonly settlements: readonly Settlement[];
  readonly starts: readonly Start[];
}

/** What a call of each kind may end with; `ok` is a value. */
const ENDS: Readonly<Record<string, readonly string[]>> = {
  plain: ["ok"],
  busy: ["ok"],
  bytes: ["ok"],
  retry: ["ok"],
  fail: ["EXECUTION"],
  die: ["WORKER_LOST"],
  spin: ["TIMEOUT attempt", "WORKER_LOST"],
  hang: ["TIMEOUT attempt", "WORKER_LOST"],
  abort: ["ok", "AbortError"],
  once: ["ok", "WORKER_LOST"],
};

/** Ends of an attempt that has not started, and is none of `attempts`. */
const NOT_STARTED: ReadonlySet<string> = new Set(["rejected", "not-sent"]);

/** What a handler has answered: it has started. */
const ANSWERED: ReadonlySet<string> = new Set(["ok", "error"]);

function grouped<T extends { readonly key: string }>(list: readonly T[]): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const one of list) {
    const group = groups.get(one.key);
    if (group === undefined) groups.set(one.key, [one]);
    else group.push(one);
  }
  return groups;
}

/** Whether a start was where an attempt is told to have been: there, or inside of it. */
function isAt(path: string, identity: string): boolean {
  return path === identity || path.startsWith(`${identity}/`);
}

/** The numbers of the attempts that started, each told once. */
function* startFaults(
  submission: Submission,
  starts: readonly Start[],
  told: readonly AttemptTold[],
): Generator<string> {
  const seen = new Set<number>();
  for (const { attempt, path } of starts) {
    if (seen.has(attempt)) yield `attempt ${attempt} started twice`;
    seen.add(attempt);
    const record = told[attempt - 1];
    if (record === undefined) yield `attempt ${attempt} started at ${path}, and its caller is told of no such attempt`;
    else if (!isAt(path, record.identity))
      yield `attempt ${attempt} started at ${path} and is told to be ${record.identity}'s`;
  }
  if (seen.size > submission.attempts) yield `${seen.size} starts, and ${submission.attempts} attempts allowed`;
  for (const [index, { outcome, identity }] of told.entries()) {
    if (ANSWERED.has(outcome) && !seen.has(index + 1))
      yield `attempt ${index + 1} is told as ${outcome} of ${identity} and never started`;
  }
}

function* valueFaults(
  submission: Submission,
  value: string,
  jobId: string | undefined,
  made: number,
): Generator<string> {
  const [hash, id, attempt] = value.split(" ");
  if (hash !== submission.expected) yield `a wrong result: ${value}`;
  if (jobId !== undefined && id !== jobId) yield `the result is of job ${id}, and the call's is ${jobId}`;
  if (Number(attempt) !== made) yield `the result is of attempt ${attempt}, and the last one was ${made}`;
}

function* callFaults(submission: Submission, settlement: Settlement, starts: readonly Start[]): Generator<string> {
  const { value, code, records } = settlement;
  const end = value === undefined ? (code ?? "nothing") : "ok";
  if (!(ENDS[submission.kind] ?? []).includes(end)) yield `a ${submission.kind} job ended with ${end}`;
  const ids = new Set(starts.map(({ jobId }) => jobId));
  if (settlement.jobId !== undefined) ids.add(settlement.jobId);
  if (ids.size > 1) yield `one job has the ids ${[...ids].join(", ")}`;
  const told = records.filter(({ outcome }) => !NOT_STARTED.has(outcome));
  yield* startFaults(submission, starts, told);
  if (value !== undefined) yield* valueFaults(submission, value, settlement.jobId, told.length);
}

/** Losses beyond `maxLost`. One is right only where another job's fault ended the session. */
function excessLosses(submission: Submission, { records }: Settlement): number {
  return Math.max(0, records.filter(({ outcome }) => outcome === "lost").length - submission.maxLost);
}

/**
 * What the two books contradict each other in, a line each; none when all is well.
 * @param bystanders - Losses that count for no `maxLost`: jobs in flight when a session ended as `unresponsive`.
 */
export function reconcile({ submissions, settlements, starts }: Books, bystanders: number = 0): readonly string[] {
  const [settled, started, keys] = [grouped(settlements), grouped(starts), grouped(submissions)];
  const problems: string[] = [];
  let excess = 0;
  for (const submission of submissions) {
    const { key } = submission;
    const [settlement, ...more] = settled.get(key) ?? [];
    if (more.length > 0) problems.push(`${key}: settled ${more.length + 1} times`);
    if (settlement === undefined) {
      problems.push(`${key}: never settled`);
      continue;
    }
    for (const fault of callFaults(submission, settlement, started.get(key) ?? [])) problems.push(`${key}: ${fault}`);
    excess += excessLosses(submission, settlement);
  }
  for (const [key, group] of keys) if (group.length > 1) problems.push(`${key}: submitted ${group.length} times`);
  for (const key of started.keys()) if (!keys.has(key)) problems.push(`${key}: started and never submitted`);
  for (const key of settled.keys()) if (!keys.has(key)) problems.push(`${key}: settled and never submitted`);
  if (excess > bystanders) problems.push(`${excess} losses beyond maxLost, and ${bystanders} explained`);
  return problems;
}
