/** What tests feed to jobs: texts that mean something to the grammar, to UTF-8 or to JavaScript objects. */
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { EncodingError } from "../../src/core/errors.ts";
import { Job } from "../../src/core/job/job.ts";

/** A text that the original wrote, and what it means. */
export interface OriginalVector {
  readonly why: string;
  readonly data: string;
  readonly headers: readonly [string, string][];
  readonly serialized: string;
}

/** All of test/golden/original-vectors.json. */
export const originalVectors: readonly OriginalVector[] = JSON.parse(
  readFileSync(new URL("../golden/original-vectors.json", import.meta.url), "utf8"),
) as OriginalVector[];

const pieces = String.raw`: \ ::: :: \e \: * ***** NONE NONE::: e é 漢 😀 __proto__ constructor toString 10 2 a`
  .split(" ")
  .concat("\n", " ", "\ufeff", "\0", "\uffff");

/** Well-formed text, mostly hostile. */
export const wellFormed: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.array(fc.constantFrom(...pieces), { maxLength: 6 }).map((parts) => parts.join("")) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 20 }) },
);

/** Any headers a job can have. */
export const headerPairs: fc.Arbitrary<[string, string][]> = fc.uniqueArray(fc.tuple(wellFormed, wellFormed), {
  maxLength: 5,
  selector: ([name]) => name,
});

/** Text that may or may not be a job's, from the grammar's own alphabet as often as not. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.array(fc.constantFrom(":", "\\", "e", "NONE", "a"), { maxLength: 14 }).map((parts) => parts.join("")),
  wellFormed,
  fc.string({ unit: "binary", maxLength: 30 }),
);

/** A job's headers, in order. */
export function entries(job: Job): [string, string][] {
  return [...job.headers];
}

/** What `run` throws, or `undefined`. */
export function errorOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** The job `read` returns, or `undefined` when it throws an EncodingError; any other error passes. */
export function readOrRefused(read: () => Job): Job | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof EncodingError) return undefined;
    throw error;
  }
}

/** The error of reading `malformed`. */
export function readingError(malformed: string): EncodingError {
  const error = errorOf(() => Job.loadFromString(malformed));
  if (error instanceof EncodingError) return error;
  throw new Error(`expected an EncodingError for ${JSON.stringify(malformed)}`);
}
