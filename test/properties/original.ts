/** P4: where the Python original was right, this says the same. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { Job } from "../../src/core/job/job.ts";
import { readOrRefused, wellFormed } from "../support/job-texts.ts";
import { originalRead, originalWrite } from "./original-parser.ts";
import type { Statement, Tally } from "./statement.ts";

/** What the original got right: nothing empty, no colon or backslash, and no space where it strips. */
function isPlain(field: string): boolean {
  return field !== "" && field === plainPart(field);
}

/** What is left without the characters that the original got wrong. Other spaces than these it leaves alone. */
function plainPart(field: string): string {
  return field.replace(/[:\\]/g, "").replace(/^[ \t\n\r\v\f]+|[ \t\n\r\v\f]+$/g, "");
}

const plainText = fc.oneof(wellFormed, fc.string({ maxLength: 12 }), fc.constantFrom("NONE", "a b", "*****", "a"));
const plainField = plainText.map((field) => plainPart(field) || "x");
const pairs = fc.uniqueArray(fc.tuple(plainField, plainField), { maxLength: 6, selector: ([name]) => name });

/** Heads of texts, of which many are the original's and many are not. */
const headPiece = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("a", "b", "NONE", " ", "é") },
  { weight: 3, arbitrary: fc.constantFrom(":", "::") },
  { weight: 1, arbitrary: fc.constantFrom("\\", "\\:", "\t") },
);
const anyHead = fc.array(headPiece, { maxLength: 9 }).map((pieces) => pieces.join(""));

const plainHead = fc
  .array(fc.tuple(plainField, plainField), { minLength: 1, maxLength: 4 })
  .map((all) => all.map((pair) => pair.join(":")).join("::"));

/** Whether the original reads the headers as they were meant, as far as can be told from the text. */
function isRight(head: string): boolean {
  if (head === "NONE") return true;
  const segments = head.split("::").map((segment) => segment.split(":"));
  const names = segments.map(([name]) => name);
  const fields = segments.every((fieldsOf) => fieldsOf.length === 2 && fieldsOf.every(isPlain));
  return fields && !head.endsWith(":") && new Set(names).size === names.length;
}

function compare(head: string, data: string, tally: Tally): void {
  const whole = `${head}:::${data}`;
  const theirs = originalRead(whole);
  const ours = readOrRefused(() => Job.loadFromString(whole));
  if (!isRight(head)) {
    if (ours === undefined) return tally.add(theirs === "error" ? "wrong: refused by both" : "wrong: refused here");
    return tally.add("wrong: read here");
  }
  assert(theirs !== "error" && ours !== undefined, "a plain text was refused");
  assert.deepEqual(
    { data: ours.data, headers: [...ours.headers] },
    { data: theirs.data, headers: [...theirs.headers] },
  );
  tally.add(theirs.headers.size > 0 ? "right: with headers" : "right: without headers");
}

/** P4. */
export const original: readonly Statement[] = [
  {
    name: "P4: jobs the original wrote rightly are written and read as it did",
    runs: 10_000,
    fullRuns: 100_000,
    meets: ["with headers", "without headers"],
    property: (tally) =>
      fc.property(wellFormed, pairs, (data, headers) => {
        const job = new Job(data, headers);
        const text = originalWrite(data, headers);
        assert.equal(job.serialize(), text);
        const theirs = originalRead(text);
        assert(theirs !== "error");
        const ours = Job.loadFromString(text);
        assert.deepEqual([ours.data, [...ours.headers]], [theirs.data, [...theirs.headers]]);
        assert.deepEqual([ours.data, [...ours.headers]], [data, headers]);
        tally.add(headers.length > 0 ? "with headers" : "without headers");
      }),
  },
  {
    name: "P4: of any texts those the original read rightly are read as it did",
    runs: 10_000,
    fullRuns: 100_000,
    meets: ["right: with headers", "right: without headers", "wrong: refused by both", "wrong: refused here"],
    property: (tally) =>
      fc.property(
        fc.oneof(
          { weight: 5, arbitrary: anyHead },
          { weight: 5, arbitrary: plainHead },
          { weight: 1, arbitrary: fc.constant("NONE") },
        ),
        wellFormed,
        (head, data) => {
          compare(head, data, tally);
        },
      ),
  },
];
