import { runInNewContext } from "node:vm";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  badUtf8At,
  cutText,
  isBytes,
  keptBytes,
  loneSurrogateAt,
  readUtf8,
  utf8Length,
} from "../../../src/core/job/utf8.ts";

/** Texts at every boundary of UTF-8 and UTF-16, whole and broken. */
const TEXTS = [
  "",
  "a",
  "\x7f\x80\u07ff\u0800\uffff",
  "\ud7ff\ue000",
  "\ud800\udc00\udbff\udfff",
  "a\ud800",
  "\udc00a",
  "\ud800\ud800\udc00",
  "\ud800\ue000",
  "\udbff\udbff",
  "\udc00\udc00",
  "\udfff\udfff",
  "\ud800a\udc00",
  "é😀\ufeff",
  "\ue000\ud800",
  "\u0800\udc00",
];

/** The obvious way: a unit at a time. */
function loneAt(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const point = text.codePointAt(i) ?? 0;
    if (point >= 0xd800 && point < 0xe000) return i;
    if (point > 0xffff) i++;
  }
  return -1;
}

describe("bytes", () => {
  it("are Uint8Arrays, of whatever realm, and nothing else", () => {
    const foreign: unknown = runInNewContext("new Uint8Array(2)");
    expect(foreign instanceof Uint8Array).toBe(false);
    for (const value of [new Uint8Array(), Buffer.from("x"), foreign]) expect(isBytes(value)).toBe(true);
    const odd = { [Symbol.toStringTag]: "Uint8Array" };
    for (const value of [new Uint16Array(1), new DataView(new ArrayBuffer(1)), new ArrayBuffer(1), odd, "x", null])
      expect(isBytes(value)).toBe(false);
  });
});

describe.each(TEXTS)("the text %j", (text) => {
  it("has the length it takes, alone and in a long one", () => {
    expect(utf8Length(text)).toBe(Buffer.byteLength(text));
    const long = "x".repeat(600) + text;
    expect(utf8Length(long)).toBe(600 + Buffer.byteLength(text));
  });

  it("has its first lone surrogate where it has", () => {
    expect(loneSurrogateAt(text)).toBe(loneAt(text));
  });

  it("is cut to as many whole characters as there is room for", () => {
    const whole = Array.from(text.toWellFormed());
    for (let room = 0; room <= 24; room++) {
      let expected = "";
      for (const character of whole) {
        if (Buffer.byteLength(expected + character) > room) break;
        expected += character;
      }
      expect(cutText(text, room), `${room} bytes`).toBe(expected);
    }
  });
});

describe("bytes that are not UTF-8", () => {
  it.each([
    [[], -1],
    [[0x41, 0xc3, 0xa9], -1],
    [[0xef, 0xbb, 0xbf, 0x41], -1],
    [[0xef, 0xbb, 0xbf, 0x41, 0xff], 4],
    [[0xff], 0],
    [[0x41, 0x80], 1],
    [[0x41, 0xe2, 0x82], 1],
    [[0x41, 0xef, 0xbf], 3],
    [[0xef], 1],
  ])("break where they do: %j", (bytes, at) => {
    expect(badUtf8At(Uint8Array.from(bytes))).toBe(at);
  });
});

/** What a strict reader of the whole makes of `bytes`, byte order mark included. */
function strictly(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** What is read of `bytes` that lie among others. */
function read(bytes: Uint8Array): string | undefined {
  const lies = new Uint8Array(bytes.length + 7).fill(0x41);
  lies.set(bytes, 3);
  try {
    return readUtf8(lies, 3, 3 + bytes.length);
  } catch (error) {
    return error instanceof TypeError ? undefined : "another error";
  }
}

describe("reading UTF-8", () => {
  it("reads what is UTF-8 and nothing else, at every length", () => {
    // Mostly good, so that what is wrong is wrong in one place.
    const piece = fc.oneof(
      { weight: 8, arbitrary: fc.string({ unit: "grapheme-ascii", maxLength: 40 }).map((text) => Buffer.from(text)) },
      { weight: 4, arbitrary: fc.string({ unit: "binary", maxLength: 12 }).map((text) => Buffer.from(text)) },
      { weight: 1, arbitrary: fc.constantFrom("\uFFFD", "\uFEFF").map((text) => Buffer.from(text)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 4 }) },
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 4 }), (pieces) => {
        const bytes = Buffer.concat(pieces);
        expect(read(bytes)).toBe(strictly(bytes));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ["overlong", [0xc0, 0x80]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["over the last", [0xf4, 0x90, 0x80, 0x80]],
    ["cut", [0xf0, 0x9f, 0x98]],
    ["a lone rest", [0x80]],
  ])("refuses a character that is %s, in a short text and a long one", (_what, bad) => {
    for (const before of [0, 10, 100, 2_000]) {
      for (const after of [0, 10, 100]) {
        const bytes = [
          ...Array.from({ length: before }, () => 0x61),
          ...bad,
          ...Array.from({ length: after }, () => 0x62),
        ];
        expect(read(new Uint8Array(bytes)), `${before} before, ${after} after`).toBeUndefined();
      }
    }
  });
});

describe("bytes to keep", () => {
  it.each([0, 1, 64, 65, 2_000])("are %i of a large frame, in memory of their own", (length) => {
    const frame = Uint8Array.from({ length: 8_000 }, (_, i) => i % 251);
    const kept = keptBytes(frame, 5, 5 + length);
    expect(kept).toEqual(frame.slice(5, 5 + length));
    expect(kept.buffer.byteLength).toBe(length);
  });

  it("are not copied when they are most of it, unless the memory is shared", () => {
    const frame = new Uint8Array(100);
    expect(keptBytes(frame, 49, 100).buffer).toBe(frame.buffer);
    expect(keptBytes(frame, 50, 100).buffer).not.toBe(frame.buffer);
    const shared = new Uint8Array(new SharedArrayBuffer(100));
    expect(keptBytes(shared, 0, 100).buffer).toBeInstanceOf(ArrayBuffer);
  });
});
