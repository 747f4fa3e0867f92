/** What was tried for one call, as its errors and its result tell it: which worker had it, what came of it, how long it took. */
import type { AttemptOutcome, AttemptRecord } from "../errors.ts";
import { joinPath } from "../identifiers.ts";

/** How many records are kept: a worker that rejects for ever must not fill the memory. */
const MAX_RECORDS = 64;

/** The attempts of one call, the failed ones first. */
export class AttemptRecords {
  readonly #failures: AttemptRecord[] = [];

  /** The workers that failed, each by its path. */
  get identities(): readonly string[] {
    return this.#failures.map(({ identity }) => identity);
  }

  /** Adds one that failed, at the worker of that identity; `path`: where in its fleet. */
  add(identity: string, path: string | undefined, outcome: AttemptOutcome, ms: number): void {
    if (this.#failures.length < MAX_RECORDS) this.#failures.push({ identity: joinPath(identity, path), outcome, ms });
  }

  /** All of them. */
  list(): AttemptRecord[] {
    return [...this.#failures];
  }
}

/** The record of an attempt that gave the result. */
export function answerRecord(identity: string, path: string | undefined, ms: number): AttemptRecord {
  return { identity: joinPath(identity, path), outcome: "ok", ms };
}
