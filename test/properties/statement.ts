/**
 * One statement that is to hold for all inputs, and how often it is tried. See trial.ts for the tests, and
 * test/reliability/properties.ts for `npm run reliability`.
 */
import type { IRawProperty } from "fast-check";

/** What was met while trying, by name: shows that a statement was not true for want of cases. */
export class Tally {
  readonly #counts = new Map<string, number>();

  /** Counts one more of these, or so many. */
  add(what: string, count = 1): void {
    this.#counts.set(what, this.count(what) + count);
  }

  /** How many of these were met. */
  count(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  /** All counts, by name in alphabetical order. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

/** Something that is to hold for all inputs. */
export interface Statement {
  /** What holds, after the name of its row: `P3: …`. */
  readonly name: string;
  /** How many inputs the long test tries; `npm test` tries a tenth of them. */
  readonly runs: number;
  /** How many `npm run reliability` tries. */
  readonly fullRuns: number;
  /** What has to be met at least once in the long test: without it the statement says nothing about it. */
  readonly meets: readonly string[];
  /** The property, which counts what it meets. */
  property(tally: Tally): IRawProperty<unknown>;
}
