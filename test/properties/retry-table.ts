/**
 * The table of retries in docs/semantics.md, read cell by cell into what it says. A cell in words that are not known here
 * is an error: a change of the table needs a change of its reader.
 */
import { readFileSync } from "node:fs";
import type { AttemptFailure, RetryHistory, RetryPolicy } from "../../src/core/dispatch/retry.ts";

/** One attempt that failed, with all that the decision depends on. */
export interface Case {
  readonly failure: AttemptFailure;
  readonly history: RetryHistory;
  readonly policy: RetryPolicy;
}

/** What one row says. */
export interface RetryRow {
  /** Whether it is tried again, the throttle apart. */
  readonly again: (given: Case) => boolean;
  /** After how many ms, when chance is `share` of what it can be. */
  readonly after: (given: Case, share: number) => number;
  readonly throttled: boolean;
}

const left = ({ history, policy }: Case): boolean => history.made < policy.attempts;

/** The pause that the handler asked for, as far as it counts. */
function wish({ failure, policy }: Case): number {
  return failure.kind === "error" ? Math.min(failure.retryAfter, policy.maxRetryAfter) : 0;
}

const AGAIN: Readonly<Record<string, RetryRow["again"]>> = {
  always: () => true,
  "yes; by workers that are leaving, 99 times at most": ({ failure, history }) =>
    failure.kind === "rejected" && (failure.reason !== "draining" || history.rejected <= 99),
  "while attempts made < `attempts` and losses < `maxLost`": (given) =>
    left(given) && given.history.lost < given.policy.maxLost,
  "if `retryOnTimeout`, while attempts made < `attempts`": (given) => given.policy.retryOnTimeout && left(given),
  "only if the error says `retryable: true`, while attempts made < `attempts`, and `retryAfter` ends before the deadline":
    (given) =>
      given.failure.kind === "error" &&
      given.failure.retryable &&
      left(given) &&
      (wish(given) === 0 || wish(given) < given.history.left),
};

function backoff(n: number, share: number): number {
  return share * Math.min(2_000, 50 * 2 ** (n - 1));
}

const AFTER: Readonly<Record<string, RetryRow["after"]>> = {
  "at once": () => 0,
  "at once three times, then backoff(1, 2 …); `unfit`, at once while others may fit": ({ failure, history }, share) => {
    const hasOther = failure.kind === "rejected" && failure.hasOther === true;
    return hasOther || history.rejected <= 3 ? 0 : backoff(history.rejected - 3, share);
  },
  "backoff(attempts made)": ({ history }, share) => backoff(history.made, share),
  "backoff(attempts made), at least `retryAfter`, which counts up to `maxRetryAfter`": (given, share) =>
    Math.max(wish(given), backoff(given.history.made, share)),
};

const FAILURES: Readonly<Record<AttemptFailure["kind"], string>> = {
  "not-sent": "not sent",
  rejected: "rejected (REJECT)",
  lost: "lost with its worker",
  timeout: "attempt timed out",
  error: "handler error",
};

const THROTTLED: Readonly<Record<string, boolean>> = { yes: true, no: false };

function known<T>(readings: Readonly<Record<string, T>>, cell: string | undefined): T {
  const reading = cell !== undefined && Object.hasOwn(readings, cell) ? readings[cell] : undefined;
  if (reading === undefined) throw new Error(`the table of retries says ${JSON.stringify(cell)}: read it anew`);
  return reading;
}

/** The row of each failure. */
export function retryTable(): Readonly<Record<AttemptFailure["kind"], RetryRow>> {
  const page = readFileSync(new URL("../../docs/semantics.md", import.meta.url), "utf8");
  const rows = page
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) => line.split("|").map((cell) => cell.trim()));
  const row = (kind: AttemptFailure["kind"]): RetryRow => {
    const found = rows.filter(([, failure, ...cells]) => failure === FAILURES[kind] && cells.length === 6);
    if (found.length !== 1) throw new Error(`the table of retries has ${found.length} rows for ${FAILURES[kind]}`);
    const [, , , , again, after, throttled] = found[0] ?? [];
    return { again: known(AGAIN, again), after: known(AFTER, after), throttled: known(THROTTLED, throttled) };
  };
  return {
    "not-sent": row("not-sent"),
    rejected: row("rejected"),
    lost: row("lost"),
    timeout: row("timeout"),
    error: row("error"),
  };
}
