import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { EncodingError } from "../../../src/core/errors.ts";
import { cbor } from "../../../src/tasks/value/cbor.ts";
import type { EncodedValue } from "../../../src/tasks/value/value-codec.ts";

const codec = cbor();
const SIZE = 65_536;

/** What a transport of bytes sends: the holes filled. */
function filled({ bytes, holes }: EncodedValue): Uint8Array {
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const { at, content } of holes) {
    parts.push(bytes.subarray(from, at), content);
    from = at;
  }
  return new Uint8Array(Buffer.concat([...parts, bytes.subarray(from)]));
}

describe("holes", () => {
  const image = new Uint8Array(SIZE).fill(1);
  const floats = new Float64Array(SIZE).fill(0.5);
  const value = { a: 1, image, rest: [floats, "x".repeat(5_000)], again: image };

  it("leave out each transferred buffer once", () => {
    const encoded = codec.encodeWithHoles(value, [image.buffer, floats.buffer]);
    expect(encoded.holes).toHaveLength(2);
    expect(encoded.holes[0]?.content.buffer).toBe(image.buffer);
    expect(encoded.holes[1]?.content.buffer).toBe(floats.buffer);
    expect(encoded.bytes.length).toBeLessThan(2 * SIZE);
    // Whole arrays are compared by their bytes: a matcher takes a second for each.
    expect(Buffer.compare(filled(encoded), codec.encode(value))).toBe(0);
  });

  it("are filled with the very memory that arrives", () => {
    const encoded = structuredClone(codec.encodeWithHoles(value, [image.buffer, floats.buffer]));
    const read = codec.decodeWithHoles(encoded) as typeof value;
    expect(isDeepStrictEqual(read, value)).toBe(true);
    expect(read.image.buffer).toBe(encoded.holes[0]?.content.buffer);
    expect(read.rest[0]).toMatchObject({ buffer: encoded.holes[1]?.content.buffer });
  });

  it("are not there for small buffers, for parts of one, and for others", () => {
    const small = new Uint8Array(SIZE - 1);
    const part = new Uint8Array(2 * SIZE).subarray(0, SIZE);
    const others = [small, part, new Uint8Array(SIZE)];
    expect(codec.encodeWithHoles(others, [small.buffer, part.buffer]).holes).toEqual([]);
  });

  it("that do not fit are refused", () => {
    const { bytes, holes } = codec.encodeWithHoles([image], [image.buffer]);
    const [hole] = holes;
    const at = hole?.at ?? 0;
    for (const wrong of [
      [],
      [{ at, content: new Uint8Array(SIZE - 1) }],
      [{ at: at - 1, content: image }],
      [
        { at, content: image },
        { at, content: image },
      ],
      [{ at: 2 ** 40, content: image }],
    ])
      expect(() => codec.decodeWithHoles({ bytes, holes: wrong }), JSON.stringify(wrong.length)).toThrow(EncodingError);
  });

  it("do not let lengths be claimed for anything else", () => {
    const content = new Uint8Array(SIZE);
    for (const hex of ["9a00100001", "ba00100000", "7a00010000", "9b0000100000000000", "5b0010000000000000"])
      expect(() =>
        codec.decodeWithHoles({ bytes: new Uint8Array(Buffer.from(hex, "hex")), holes: [{ at: 99, content }] }),
      ).toThrow(EncodingError);
  });
});

describe("shared memory", () => {
  const cells = new Float64Array(new SharedArrayBuffer(64), 16, 2);

  it("stands apart, whatever its size and however often it is met, with the way to it", () => {
    const { holes, bytes } = codec.encodeWithHoles(
      { cells, list: [cells.buffer, new SharedArrayBuffer(0)] },
      "shared",
      "input",
    );
    expect(holes.map(({ path, content }) => [path, content.byteOffset, content.length])).toEqual([
      ["input.cells", 16, 16],
      ["input.list[0]", 0, 64],
    ]);
    const read = codec.decodeWithHoles({ bytes, holes }) as { cells: Float64Array; list: Uint8Array[] };
    expect(read.cells.buffer).toBe(cells.buffer);
    expect([read.cells.byteOffset, read.cells.length]).toEqual([16, 2]);
    expect(read.list.map(({ length }) => length)).toEqual([64, 0]);
  });

  it("is refused beyond 1,024 places, and by a codec of bytes alone", () => {
    const many = Array.from({ length: 1_025 }, () => cells);
    expect(() => codec.encodeWithHoles(many, "shared", "input")).toThrow("at input[1024]: more than 1024 places");
    expect(codec.encodeWithHoles(many.slice(1), "all").holes.length).toBe(1_024);
    expect(() => codec.encode({ cells })).toThrow("at value.cells: bytes of a SharedArrayBuffer");
  });

  it("is not read where its elements would not be aligned", () => {
    const { bytes, holes } = codec.encodeWithHoles(cells, "shared");
    const content = new Uint8Array(cells.buffer, 17, 16);
    expect(() => codec.decodeWithHoles({ bytes, holes: holes.map((hole) => ({ ...hole, content })) })).toThrow(
      EncodingError,
    );
  });
});

describe("buffers that are given away", () => {
  it("are those that were named, or all large ones: which were found, and whether whole", () => {
    const [whole, small, half] = [new Uint8Array(SIZE), new Uint8Array(8), new Uint8Array(2 * SIZE)];
    const value = [whole, small, half.subarray(1), whole];
    const missing = new ArrayBuffer(1);
    const named = codec.encodeWithHoles(value, [whole.buffer, small.buffer, half.buffer, missing]);
    expect(named.holes.map(({ content }) => content.buffer)).toEqual([whole.buffer]);
    expect([...(named.found ?? [])]).toEqual([
      [whole.buffer, true],
      [small.buffer, true],
      [half.buffer, false],
    ]);
    expect(codec.encodeWithHoles(value, "all").holes.map(({ content }) => content.buffer)).toEqual([whole.buffer]);
    expect(codec.encodeWithHoles(value, "shared").holes).toEqual([]);
  });

  it("are copied after 1,024 holes", () => {
    const buffers = Array.from({ length: 1_030 }, () => new Uint8Array(SIZE));
    expect(codec.encodeWithHoles(buffers, "all").holes.length).toBe(1_024);
  });
});
