import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { badUtf8At, cutText, isBytes, loneSurrogateAt, utf8Length } from "../../src/core/text.ts";

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
