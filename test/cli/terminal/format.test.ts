import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CommandError } from "../../../src/cli/terminal/errors.ts";
import { Flags } from "../../../src/cli/terminal/flags.ts";
import { safeText, shellWord, showClock, table } from "../../../src/cli/terminal/format.ts";

describe("a peer's words", () => {
  test("cannot move the cursor, end the line or turn the text around", () => {
    expect(safeText("a\u001b[2Jb\u0007\r\nc\u009b1m\u202ed\u007f")).toBe("a\\x1b[2Jb\\x07  c\\x9b1m\\u202ed\\x7f");
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 50 }), (text) => {
        expect(safeText(text)).toMatch(/^[^\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]*$/u);
      }),
    );
  });

  test("are cut, and otherwise left alone", () => {
    expect(safeText("x".repeat(600))).toBe(`${"x".repeat(500)}…`);
    expect(safeText("naïve café 日本 🎉")).toBe("naïve café 日本 🎉");
  });
});

test("a table lines up and ends where its text ends", () => {
  expect(
    table([
      ["NAME", "N"],
      ["a", "10"],
      ["longer", ""],
    ]),
  ).toBe("NAME    N\na       10\nlonger");
});

describe("durations", () => {
  function read(...args: string[]): number {
    return new Flags(args, { timeout: { value: "<time>", help: "" } }, {}).duration("timeout");
  }

  test.each([
    ["500", 500],
    ["500ms", 500],
    ["30s", 30_000],
    ["1.5m", 90_000],
    ["2h", 7_200_000],
    ["none", Number.POSITIVE_INFINITY],
  ])("%s is %d ms", (text, ms) => {
    expect(read("--timeout", text)).toBe(ms);
  });

  test.each(["", "0", "-5", "5x", "1e3", " 5", "1000h", "5 s"])("%j is none", (text) => {
    expect(() => read(`--timeout=${text}`)).toThrow(CommandError);
  });

  test("of an option that is absent has no limit", () => {
    expect(read()).toBe(Number.POSITIVE_INFINITY);
  });
});

test("a clock has hours when it needs them", () => {
  expect([0, 7_400, 754_000, 3_723_000].map(showClock)).toEqual(["0:00", "0:07", "12:34", "1:02:03"]);
});

test("a word of a shell is quoted only where it must be", () => {
  expect(["a/b-c.js#x", "", "two words", "it's", "#top"].map(shellWord)).toEqual([
    "a/b-c.js#x",
    "''",
    "'two words'",
    "'it'\\''s'",
    "'#top'",
  ]);
});
