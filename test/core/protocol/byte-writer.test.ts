/** Whose buffer is whose, and how often it is copied. What is written is tested with the codec. */
import { describe, expect, it, vi } from "vitest";
import { ByteWriter, OWN_BYTES } from "../../../src/core/protocol/byte-writer.ts";
import { MAX_SPARE_BYTES, SpareBuffers } from "../../../src/core/protocol/spare-buffers.ts";

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
  return writtenWith(new SpareBuffers(), ...pieces);
}

function writtenWith(spares: SpareBuffers, ...pieces: readonly number[]): ByteWriter {
  const writer = new ByteWriter(spares);
  for (const length of pieces) writer.raw(new Uint8Array(length));
  return writer;
}

const KIB = 1_024;

describe("what is written", () => {
  it.each([
    ["little", [10], true],
    ["just what its own buffer holds", [512], true],
    ["a byte more than that", [512, 1], true],
    ["just what a grown buffer holds", [512, 512], false],
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

describe("an idle writer", () => {
  it.each([10, 513, 3_000, 60_000, 200_000, 300_000, 2_000_000])("retains 512 bytes after a frame of %i", (length) => {
    const writer = written(10, length);
    expect(writer.retained).toBeGreaterThanOrEqual(length);
    writer.take();
    expect(writer.retained).toBe(OWN_BYTES);
  });

  it("is one of thousands that together retain no more than a few: the spare buffers have a bound", () => {
    const spareBuffers = new SpareBuffers();
    const writers = Array.from({ length: 2_000 }, () => writtenWith(spareBuffers, 100, 20_000, 20_000));
    for (const writer of writers) writer.take();
    const retained = writers.reduce((sum, writer) => sum + writer.retained, 0);
    expect(retained).toBe(2_000 * OWN_BYTES);
    expect(spareBuffers.bytes).toBeLessThanOrEqual(MAX_SPARE_BYTES);
    expect(spareBuffers.bytes, "some are kept").toBeGreaterThan(MAX_SPARE_BYTES / 2);
  });

  it("has no part in what the next writer takes out", () => {
    const spareBuffers = new SpareBuffers();
    const secret = new ByteWriter(spareBuffers);
    secret.raw(new Uint8Array(5_000).fill(0xaa));
    secret.take();
    const next = writtenWith(spareBuffers, 600);
    next.raw(new Uint8Array(600));
    expect(next.take()).toEqual(new Uint8Array(1_200));
  });
});

describe("a writer that is busy again and again", () => {
  it("allocates nothing to grow: it finds a spare buffer as large as its last frame", () => {
    const spareBuffers = new SpareBuffers();
    const writer = writtenWith(spareBuffers, 10, 600, 3_000, 9_000);
    writer.take();
    const before = spareBuffers.bytes;
    for (let frame = 0; frame < 3; frame++) {
      for (const length of [10, 600, 3_000, 9_000]) writer.raw(new Uint8Array(length));
      expect(writer.retained - OWN_BYTES, "in one step").toBe(16 * KIB);
      expect(spareBuffers.bytes).toBe(before - 16 * KIB);
      writer.take();
      expect(spareBuffers.bytes).toBe(before);
    }
  });

  it("allocates no more than it needs when nothing is spare", () => {
    const spareBuffers = new SpareBuffers();
    const busy = Array.from({ length: 2_000 }, () => writtenWith(spareBuffers, 100, 20_000, 20_000));
    expect(spareBuffers.bytes, "small ones of their growth may be spare").toBeLessThanOrEqual(MAX_SPARE_BYTES);
    for (const writer of busy) writer.take();
    for (const writer of busy) writer.raw(new Uint8Array(600));
    const held = busy.reduce((sum, writer) => sum + writer.retained, 0);
    expect(held).toBeLessThanOrEqual(2_000 * (OWN_BYTES + KIB) + MAX_SPARE_BYTES);
    for (const writer of busy) writer.take();
  });
});
