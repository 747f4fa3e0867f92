/** P3: the text form of a job is the job, whatever its strings are made of. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { decodeFrame, FrameWriter } from "../../src/core/protocol/codec.ts";
import { EncodingError } from "../../src/core/errors.ts";
import { Job, JOB_LIMITS } from "../../src/core/job/job.ts";
import type { Message } from "../../src/core/protocol/message.ts";
import { anyText, errorOf, headerPairs, readOrRefused, wellFormed } from "../support/job-texts.ts";
import type { Statement, Tally } from "./statement.ts";

/** What an object has already, and what would make it something else. */
const HOSTILE =
  "__proto__ constructor prototype toString valueOf hasOwnProperty then toJSON length 0 -1 1e21 NONE".split(" ");

const unit = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(0x3a, 0x5c, 0x65, 0x2a, 0x0a, 0x20, 0x41, 0xfeff, 0x2028, 0) },
  { weight: 2, arbitrary: fc.integer({ min: 0xd7ff, max: 0xe000 }) }, // surrogates, and what stands around them
  { weight: 2, arbitrary: fc.nat({ max: 0xffff }) },
);

/** Any string of UTF-16 units, well-formed or not. */
const utf16: fc.Arbitrary<string> = fc.array(unit, { maxLength: 12 }).map((units) => String.fromCharCode(...units));

const text = fc.oneof(
  { weight: 40, arbitrary: utf16.map((any) => any.toWellFormed()) },
  { weight: 2, arbitrary: utf16 },
  { weight: 40, arbitrary: wellFormed },
  { weight: 20, arbitrary: fc.constantFrom(...HOSTILE) },
);

/** Now and then a header that brings all of them near the limit, as what it is made of and how much it leaves. */
const filler = fc.oneof(
  { weight: 15, arbitrary: fc.constant(undefined) },
  {
    weight: 1,
    arbitrary: fc.record({ char: fc.constantFrom("x", ":", "é", "😀"), left: fc.integer({ min: -10, max: 60 }) }),
  },
);

const headers = fc.oneof(
  { weight: 30, arbitrary: fc.array(fc.tuple(text, text), { maxLength: 4 }) },
  { weight: 1, arbitrary: fc.array(fc.tuple(fc.nat().map(String), fc.constant("")), { minLength: 60, maxLength: 70 }) },
);

/** The text of a job with something put in its place somewhere: one in a few is a job's text still. */
const nearlyText = fc
  .tuple(
    headerPairs,
    wellFormed,
    fc.nat(),
    fc.nat({ max: 2 }),
    fc.constantFrom("", ":", "::", "\\", "\\e", "NONE", "a"),
  )
  .map(([pairs, data, place, length, piece]) => {
    const whole = new Job(data, pairs).serialize();
    const at = place % (whole.length + 1);
    return whole.slice(0, at) + piece + whole.slice(at + length);
  });

/** What the grammar turns on, put together as it wants it, or nearly so. */
const field = fc.constantFrom("a", "b", "NONE", "\\e", "", "\\:", "\\\\", " a", "e");
const likelyText = fc
  .tuple(
    fc.array(fc.tuple(field, field), { minLength: 1, maxLength: 3 }),
    fc.constantFrom("::", "::", "::", ":", ":::"),
    fc.constantFrom(":::", ":::x", ":::", "::x"),
  )
  .map(([pairs, between, end]) => pairs.map((pair) => pair.join(":")).join(between) + end);

/** How many bytes the headers take, worked out from docs/protocol.md and not by the writer. */
function headerBytes(all: ReadonlyMap<string, string>): number {
  const sizes = [...all].map(([name, content], i) => {
    const isMarked = i === 0 && name === "NONE" && content === "";
    return escaped(name === "" ? "e\n" : name) + 1 + (isMarked ? 2 : escaped(content));
  });
  return sizes.reduce((sum, size) => sum + size, 0) + 2 * Math.max(0, sizes.length - 1);
}

function escaped(part: string): number {
  return Buffer.byteLength(part) + part.replace(/[^:\\]/g, "").length;
}

function filling({ char, left }: { readonly char: string; readonly left: number }): [string, string] {
  return ["filler", char.repeat(Math.floor((JOB_LIMITS.maxHeaderBytes - left) / escaped(char)))];
}

function isTooMuch(all: ReadonlyMap<string, string>): boolean {
  return all.size > JOB_LIMITS.maxHeaders || headerBytes(all) > JOB_LIMITS.maxHeaderBytes;
}

function same(job: Job, data: string, all: ReadonlyMap<string, string>): void {
  assert.equal(job.data, data);
  assert.deepEqual([...job.headers], [...all]);
}

function viaTheWire(job: Job): Job {
  const writer = new FrameWriter();
  writer.append({ type: "JOB", attemptId: 1, attempt: 1, jobId: 1, ttl: 1, job });
  const messages: Message[] = [];
  decodeFrame(writer.take(), (message) => messages.push(message));
  const [message] = messages;
  assert(message?.type === "JOB" && messages.length === 1);
  return message.job;
}

function roundTrip(data: string, pairs: readonly [string, string][], tally: Tally): void {
  const bare: unknown = JSON.stringify(Object.getOwnPropertyNames(Object.prototype));
  const all = new Map(pairs);
  const strings = [data, ...pairs.flat()];
  if (!strings.every((each) => each.isWellFormed())) {
    const error = errorOf(() => new Job(data, pairs));
    assert(error instanceof TypeError || error instanceof EncodingError, "a lone surrogate was taken");
    return tally.add("refused: a lone surrogate");
  }
  // They are added one by one, and each step has to fit; most are far too small for the question.
  const near = pairs.length > JOB_LIMITS.maxHeaders || strings.join("").length > JOB_LIMITS.maxHeaderBytes / 10;
  const growing = near ? pairs.map((_, i) => new Map(pairs.slice(0, i + 1))) : [];
  if (growing.some(isTooMuch)) {
    assert(errorOf(() => new Job(data, pairs)) instanceof EncodingError, "too much was taken");
    return tally.add("refused: over the limits");
  }
  const job = new Job(data, pairs);
  same(job, data, all);
  const serialized = job.serialize();
  assert.equal(
    Buffer.byteLength(serialized) - Buffer.byteLength(data) - 3,
    headerBytes(all) + (all.size === 0 ? 4 : 0),
  );
  for (const read of [
    Job.loadFromString(serialized),
    Job.loadFromBytes(job.serializeBytes(), "text"),
    viaTheWire(job),
  ]) {
    same(read, data, all);
    assert.equal(read.serialize(), serialized);
  }
  assert.equal(JSON.stringify(Object.getOwnPropertyNames(Object.prototype)), bare);
  tally.add(all.size === 0 ? "read back: without headers" : "read back: with headers");
}

/** P3. */
export const jobText: readonly Statement[] = [
  {
    name: "P3: a job of any UTF-16 strings is refused for a reason or read back from its text, its bytes and the wire",
    runs: 20_000,
    fullRuns: 1_000_000,
    meets: [
      "read back: with headers",
      "read back: without headers",
      "refused: a lone surrogate",
      "refused: over the limits",
    ],
    property: (tally) =>
      fc.property(text, headers, filler, (data, pairs, more) => {
        roundTrip(data, more === undefined ? pairs : [...pairs, filling(more)], tally);
      }),
  },
  {
    name: "P3: of any text at most one job is read, and it writes that text",
    runs: 20_000,
    fullRuns: 1_000_000,
    meets: ["read", "refused"],
    property: (tally) =>
      fc.property(fc.oneof(anyText, utf16, nearlyText, likelyText), (any) => {
        const job = readOrRefused(() => Job.loadFromString(any));
        if (job !== undefined) {
          assert.equal(job.serialize(), any);
          // Not only because the reader kept what it read: making such a job writes that text.
          assert.equal(new Job(job.data, [...job.headers]).serialize(), any);
        }
        tally.add(job === undefined ? "refused" : "read");
      }),
  },
];
