/**
 * A storm of retries is stopped: those after a timeout or an error that asks for it are paid for with tokens. Counted twice:
 * by the runner's events, for any stretch of time, and by the frames, over its life.
 */
import type { CancelledMessage } from "../../core/message.ts";
import type { Checker, Violation } from "../checker.ts";
import type { Observation } from "../observation.ts";
import type { Evidence } from "./evidence.ts";
import type { LedgerReader } from "./ledger.ts";
import type { Answer, WireAttempt, WireRunner } from "./wire.ts";

/** Ten tokens, and none is spent when five or fewer would be left. */
const SPENDABLE = 5;
const REFILL = 0.1;
/** Less than a refill: sums of tenths are not exact. */
const EPSILON = 0.05;

interface Count {
  retries: number;
  successes: number;
}

/** Checks I20. */
export class Throttle implements Checker, LedgerReader {
  readonly #violation: Violation;
  /** What each runner may spend, at most. */
  readonly #tokens = new Map<string, number>();
  readonly #counts = new WeakMap<WireRunner, Count>();

  /** @param violation - Is told of what is wrong. @param evidence - Is shown everything before this checker is. */
  constructor(violation: Violation, evidence: Evidence) {
    this.#violation = violation;
    evidence.ledger.read(this);
  }

  observe(seen: Observation): void {
    if (seen.kind === "machine" && seen.state === "down") this.#tokens.delete(seen.machine);
    if (seen.kind !== "runner") return;
    const { machine, event } = seen;
    const tokens = this.#tokens.get(machine) ?? SPENDABLE;
    if (event.type === "job-settled" && event.ok) this.#tokens.set(machine, Math.min(SPENDABLE, tokens + REFILL));
    if (event.type !== "job-retried" || (event.outcome !== "timeout" && event.outcome !== "error")) return;
    this.#tokens.set(machine, tokens - 1);
    if (tokens - 1 < EPSILON)
      this.#violation(
        "I20",
        `${machine}: job ${event.jobId} is tried again after its ${event.outcome}, without a token`,
      );
  }

  jobSent(attempt: WireAttempt): void {
    const { previous, job, connection } = attempt;
    if (previous === undefined || !isPaidFor(previous)) return;
    const count = this.#count(connection.runner);
    count.retries++;
    if (count.retries > SPENDABLE + REFILL * count.successes - EPSILON)
      this.#violation("I20", `job ${job.id}: ${count.retries} retries for ${count.successes} successes`);
  }

  answered(attempt: WireAttempt, answer: Answer | CancelledMessage, current: boolean): void {
    if (current && answer.type === "JOBRES") this.#count(attempt.connection.runner).successes++;
  }

  #count(runner: WireRunner): Count {
    let count = this.#counts.get(runner);
    if (count === undefined) this.#counts.set(runner, (count = { retries: 0, successes: 0 }));
    return count;
  }
}

/** Whether the attempt after this one took a token. */
function isPaidFor({ answer, cancelReason, doubtful }: WireAttempt): boolean {
  if (doubtful) return false;
  return answer?.type === "JOBERR" ? answer.retryable : cancelReason === "timeout";
}
