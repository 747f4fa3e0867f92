/** Tries statements as tests: the small form. fast-check prints the seed and the path of what fails. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { type Statement, Tally } from "./statement.ts";

/** Far above what it takes on a busy machine: nothing here waits. */
const TIMEOUT = 120_000;

/** One test for each statement. */
export function tryAll(statements: readonly Statement[]): void {
  it.each(statements)("$name", { timeout: TIMEOUT }, async (statement) => {
    const tally = new Tally();
    await fc.assert(statement.property(tally), { numRuns: statement.runs });
    const missing = statement.meets.filter((what) => tally.count(what) === 0);
    expect(missing, "never met, so nothing was said about it").toEqual([]);
  });
}
