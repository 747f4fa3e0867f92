/** Tries statements as tests. fast-check prints the seed and the path of what fails. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { type Statement, Tally } from "./statement.ts";

/** The share of a statement's runs that `npm test` makes; `npm run test:long` makes them all. */
const QUICK_SHARE = 0.1;

/** One test for each statement: a few inputs. What has to be met is left to the long form, as few inputs meet little. */
export function tryFew(statements: readonly Statement[]): void {
  it.each(statements)("$name", async (statement) => {
    await fc.assert(statement.property(new Tally()), { numRuns: Math.ceil(statement.runs * QUICK_SHARE) });
  });
}

/** One test for each statement: all its runs. */
export function tryAll(statements: readonly Statement[]): void {
  it.each(statements)("$name", async (statement) => {
    const tally = new Tally();
    await fc.assert(statement.property(tally), { numRuns: statement.runs });
    const missing = statement.meets.filter((what) => tally.count(what) === 0);
    expect(missing, "never met, so nothing was said about it").toEqual([]);
  });
}
