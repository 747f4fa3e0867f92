/** Whose buffer is whose, and how often it is copied. What is written is tested with the codec. */
import { describe, expect, it, vi } from "vitest";
import { ByteWriter } from "../../src/core/byte-writer.ts";

/** Whether taking what was written took a copy: it does not when the buffer is just full. */
function copies(writer: ByteWriter): boolean {
  const slice = vi.spyOn(Uint8Array.prototype, "slice");
  try {
    const { length } = writer;
    const taken = writer.take();
    expect([taken.length, taken.buffer.byteLength, writer.length]).toEqual([length, length, 0]);
    return slice.mock.calls.length > 0;
  } finally {
    slice.mockRestore();
  }
}

function written(...pieces: readonly number[]): ByteWriter {
  const writer = new ByteWriter();
  for (const length of pieces) writer.raw(new Uint8Array(length));
  return writer;
}

const KIB = 1_024;

describe("what is written", () => {
  it.each([
    ["little", [10], true],
    ["just what it has room for", [512], false],
    ["more, which doubles the room", [10, 600], true],
    ["a large piece on top of little, which gets its room exactly", [20_000, 1, 32 * KIB], false],
    ["a piece that is not quite large, which doubles the room", [20_000, 1, 32 * KIB - 1], true],
    ["a large piece on top of more, which doubles the room", [50_000, 40_000], true],
    ["a large piece on top of as much, which doubles the room", [40_000, 100, 40_100], true],
  ])("is %s", (_name, pieces, copied) => {
    expect(copies(written(...pieces))).toBe(copied);
  });

  it("is not written over once it was taken", () => {
    for (const length of [10, 512, 40_000]) {
      const writer = written(length);
      const taken = writer.take();
      writer.raw(new Uint8Array(length).fill(7));
      expect(taken.every((byte) => byte === 0)).toBe(true);
    }
  });

  it("leaves the room it grew to, unless that is very much", () => {
    const some = written(600);
    some.take();
    some.raw(new Uint8Array(512));
    expect(copies(some), "1 KiB was kept").toBe(true);
    const much = written(10, 200_000, 100_000);
    expect(copies(much)).toBe(true);
    much.raw(new Uint8Array(512));
    expect(copies(much), "a fresh one of 512 bytes").toBe(false);
  });

  it.each(["", "\x80", "x".repeat(24), "x".repeat(25), "\x7f\x80\u07ff\u0800😀", "é".repeat(300)])(
    "is UTF-8: %j",
    (text) => {
      const writer = new ByteWriter();
      writer.u8(1);
      writer.text(text);
      writer.u8(2);
      expect([...writer.take()]).toEqual([1, ...Buffer.from(text), 2]);
    },
  );
});
