import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type SplitLine, type LineRules, LineSplitter } from "../../../src/cli/run/line-splitter.ts";

const BY_LINES: LineRules = { terminator: "newline", maxLineBytes: 1_000_000 };

function split(chunks: readonly Buffer[], rules: LineRules = BY_LINES): SplitLine[] {
  const splitter = new LineSplitter(rules);
  return [...chunks.flatMap((chunk) => [...splitter.push(chunk)]), ...splitter.end()];
}

/** Cuts bytes at the given places, in any order and number. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...at, bytes.length].map((end, index) => bytes.subarray(index === 0 ? 0 : at[index - 1], end));
}

const places = fc.array(fc.nat(), { maxLength: 12 });
/** Mostly terminators and the bytes around their meaning, so that every chunking meets them. */
const bytes = fc
  .array(fc.oneof(fc.constantFrom(0, 10, 13, 65, 0xc3, 0xa4, 0xef, 0xbb, 0xbf, 0xff), fc.nat(255)), { maxLength: 60 })
  .map((list) => Buffer.from(list));

test("any chunking gives the same lines", () => {
  fc.assert(
    fc.property(bytes, places, fc.constantFrom("newline" as const, "null" as const), (data, cuts, terminator) => {
      const rules = { terminator, maxLineBytes: 1_000 };
      expect(split(cut(data, cuts), rules)).toEqual(split([data], rules));
    }),
  );
});

test("lines come back as they were written, whichever line end is used", () => {
  const line = fc.string({ unit: "grapheme" }).filter((text) => !/[\r\n\ufeff]/.test(text));
  fc.assert(
    fc.property(fc.array(line), fc.constantFrom("\n", "\r\n"), places, fc.boolean(), (lines, end, cuts, closed) => {
      const text = lines.join(end) + (closed && lines.length > 0 ? end : "");
      // A last line that is empty and has no line end is not there.
      const expected = !closed && lines.at(-1) === "" ? lines.slice(0, -1) : lines;
      expect(split(cut(Buffer.from(text), cuts))).toEqual(expected);
    }),
  );
});

test("a broken byte spoils its own line only", () => {
  const input = Buffer.concat([Buffer.from("fine\nb"), Buffer.from([0xff]), Buffer.from("d\nä\n")]);
  expect(split([input])).toEqual(["fine", { fault: "the line is not valid UTF-8" }, "ä"]);
});

test("with zero bytes as ends, newlines and carriage returns are data", () => {
  expect(split([Buffer.from("a\nb\r\0\0c")], { terminator: "null", maxLineBytes: 100 })).toEqual(["a\nb\r", "", "c"]);
});

test("a carriage return that no newline follows belongs to the line", () => {
  expect(split(["a\r\nb", "\r"].map((text) => Buffer.from(text)))).toEqual(["a", "b\r"]);
});

test("a byte order mark counts at the very beginning alone", () => {
  expect(split([Buffer.from("\ufeffa\n\ufeffb\n")])).toEqual(["a", "\ufeffb"]);
  expect(split([...Buffer.from("\ufeffa\n")].map((byte) => Buffer.from([byte])))).toEqual(["a"]);
});

test("a line that goes on for too long is not kept, and the next one is read", () => {
  const rules: LineRules = { terminator: "newline", maxLineBytes: 10 };
  const chunks = ["123456789", "0123", "456", "\n1234567890\r", "\nok"].map((text) => Buffer.from(text));
  expect(split(chunks, rules)).toEqual([{ fault: "the line has over 10 bytes" }, "1234567890", "ok"]);
});
