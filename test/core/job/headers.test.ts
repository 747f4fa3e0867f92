import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Job } from "../../../src/core/job/job.ts";
import {
  anyText,
  entries,
  errorOf,
  headerPairs,
  readingError,
  readOrRefused,
  wellFormed,
} from "../../support/job-texts.ts";
import { growthOf } from "../../support/growth.ts";

describe("a text", () => {
  it.each([
    ["a:b:::", "b", ""],
    ["a:b::::", "b", ":"],
    ["a:b:::::x", "b", "::x"],
    ["a::::::", "", "::"],
    ["a:NONE:::x", "NONE", "x"],
  ])("ends its headers at the first separator that can end them: %s", (written, value, data) => {
    const job = Job.loadFromString(written);
    expect(entries(job)).toEqual([["a", value]]);
    expect(job.data).toBe(data);
    expect(job.serialize()).toBe(written);
  });
});

describe("a malformed text", () => {
  it.each([
    ["", 0, "expected ::: after the headers"],
    ["abc", 3, "expected ::: after the headers"],
    ["a:b", 3, "expected ::: after the headers"],
    ["a:b:", 3, "expected :: or ::: after a value"],
    ["a:b:c", 3, "expected :: or ::: after a value"],
    ["a:b::", 5, "expected ::: after the headers"],
    ["a:b::c", 6, "expected ::: after the headers"],
    [":b:::x", 0, "an empty name is written \\e"],
    ["a:1::\\e", 5, "unknown escape"],
    ["\\ea:b:::x", 0, "unknown escape"],
    ["a\\e:b:::x", 1, "unknown escape"],
    ["a:\\e:::x", 2, "unknown escape"],
    ["NONE:\\eb:::x", 5, "unknown escape"],
    ["a:b::NONE:\\e:::x", 10, "unknown escape"],
    ["a:\\n:::x", 2, "unknown escape"],
    ["header-name:\\", 12, "unterminated escape"],
    ["größe:ä:ö", 7, "expected :: or ::: after a value"],
    ["größe:ä", 7, "expected ::: after the headers"],
    ["NONE::x", 5, "expected :: or ::: after a value"],
    ["none:::x", 8, "expected ::: after the headers"],
  ])("%j", (malformed, offset, message) => {
    const error = readingError(malformed);
    expect(error.message).toBe(`offset ${offset}: ${message}`);
    expect(error.offset).toBe(offset);
    for (const as of ["text", "bytes"] as const) {
      expect(errorOf(() => Job.loadFromBytes(Buffer.from(malformed), as))).toEqual(error);
    }
  });
});

describe("any job", () => {
  it("is what reading its text gives", () => {
    fc.assert(
      fc.property(wellFormed, headerPairs, (data, headers) => {
        const job = new Job(data, headers);
        for (const back of [Job.loadFromString(job.serialize()), Job.loadFromBytes(job.serializeBytes(), "text")]) {
          expect(back.data).toBe(data);
          expect(entries(back)).toEqual(headers);
          expect(back.serialize()).toBe(job.serialize());
        }
        expect(Buffer.from(job.serializeBytes()).toString()).toBe(job.serialize());
      }),
      { numRuns: 2000 },
    );
  });

  it("is what reading its bytes gives", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), headerPairs, (data, headers) => {
        const back = Job.loadFromBytes(new Job(data, headers).serializeBytes(), "bytes");
        expect(back.data).toEqual(data);
        expect(entries(back)).toEqual(headers);
        expect(back.serializeBytes()).toEqual(new Job(data, headers).serializeBytes());
      }),
      { numRuns: 1000 },
    );
  });

  it("has a text no other job has", () => {
    fc.assert(
      fc.property(wellFormed, headerPairs, wellFormed, headerPairs, (data, headers, otherData, otherHeaders) => {
        const same = JSON.stringify([data, headers]) === JSON.stringify([otherData, otherHeaders]);
        expect(new Job(data, headers).serialize() === new Job(otherData, otherHeaders).serialize()).toBe(same);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("any text", () => {
  it("is refused, or what is read serializes to it", () => {
    let accepted = 0;
    let refused = 0;
    fc.assert(
      fc.property(anyText, (any) => {
        const job = readOrRefused(() => Job.loadFromString(any));
        if (job === undefined) refused++;
        else accepted++;
        return job === undefined || job.serialize() === any;
      }),
      { numRuns: 5000 },
    );
    expect(accepted).toBeGreaterThan(20);
    expect(refused).toBeGreaterThan(20);
  });

  it("has the place of its fault within it", () => {
    const refused = anyText.filter((any) => readOrRefused(() => Job.loadFromString(any)) === undefined);
    fc.assert(
      fc.property(refused, (any) => {
        const { offset } = readingError(any);
        expect(offset).toBeGreaterThanOrEqual(0);
        expect(offset).toBeLessThanOrEqual(any.length);
      }),
      { numRuns: 1000 },
    );
  });

  it("of the grammar's own alphabet too, all short ones", () => {
    const alphabet = [":", "\\", "e", "NONE"];
    const damaged: string[] = [];
    let texts = [""];
    let accepted = 0;
    for (let length = 0; length < 8; length++) {
      for (const each of texts) {
        const job = readOrRefused(() => Job.loadFromString(each));
        if (job === undefined) continue;
        accepted++;
        if (job.serialize() !== each) damaged.push(each);
      }
      texts = texts.flatMap((each) => alphabet.map((letter) => each + letter));
    }
    expect(damaged).toEqual([]);
    expect(accepted).toBeGreaterThan(100);
  });

  it("is read alike as text and as bytes", () => {
    fc.assert(
      fc.property(anyText, (any) => {
        const bytes = new TextEncoder().encode(any);
        const job = readOrRefused(() => Job.loadFromString(any));
        const headers = job && entries(job);
        const fromText = readOrRefused(() => Job.loadFromBytes(bytes, "text"));
        const fromBytes = readOrRefused(() => Job.loadFromBytes(bytes, "bytes"));
        expect(fromText && entries(fromText)).toEqual(headers);
        expect(fromBytes && entries(fromBytes)).toEqual(headers);
        expect(fromText?.data).toBe(job?.data);
      }),
      { numRuns: 3000 },
    );
  });

  it("of bytes, whatever they are, is refused, or what is read serializes to it", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        headerPairs,
        fc.constantFrom("text", "bytes"),
        (tail, headers, as) => {
          const head = new Job("", headers).serializeBytes();
          const bytes = Buffer.concat([head.subarray(0, Math.max(0, head.length - ((tail[0] ?? 0) % 4))), tail]);
          const job = readOrRefused(() => Job.loadFromBytes(bytes, as));
          expect(bytes.equals(job?.serializeBytes() ?? bytes)).toBe(true);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("touches no prototype", () => {
    const before = Object.getOwnPropertyNames(Object.prototype);
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "then", "10", "2"];
    const job = Job.loadFromString(
      new Job(
        "x",
        names.map((name): [string, string] => [name, "polluted"]),
      ).serialize(),
    );
    expect([...job.headers.keys()]).toEqual(names);
    const own = JSON.parse('{"__proto__": "v", "b": "w"}') as Record<string, string>;
    expect(entries(new Job("x", own))).toEqual([
      ["__proto__", "v"],
      ["b", "w"],
    ]);
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

describe("the time it takes to read", () => {
  const shapes: [string, (n: number) => string][] = [
    ["colons in the data", (n) => `NONE:::${":".repeat(n)}`],
    ["backslashes in the data", (n) => `a:b:::${"\\".repeat(n)}`],
    ["no separator", (n) => "a".repeat(n)],
    ["only colons", (n) => ":".repeat(n)],
    ["only backslashes", (n) => "\\".repeat(n)],
    ["escapes in a name", (n) => "\\:".repeat(n / 2)],
    ["headers without end", (n) => "a:b::".repeat(n / 5)],
    ["wide characters", (n) => `NONE:::${"漢".repeat(n)}`],
    ["a lone surrogate at the end", (n) => `NONE:::${"😀".repeat(n / 2)}\ud800`],
    ["almost the sentinel", (n) => "NONE::".repeat(n / 6)],
  ];

  // Twice as long a text takes about twice as long; in a quadratic reader, four times.
  const MAX_GROWTH = 3;

  it.each(shapes)("grows no faster than the text: %s", (_, shape) => {
    // New texts each time: engines remember what they found out about a string.
    const reading = (doublings: number) => (): void => {
      const text = shape((1 << 17) << doublings);
      errorOf(() => Job.loadFromString(text));
      errorOf(() => Job.loadFromBytes(Buffer.from(text), "bytes"));
    };
    expect(growthOf(reading, MAX_GROWTH)).toBeLessThanOrEqual(MAX_GROWTH);
  });
});
