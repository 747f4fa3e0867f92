import { deepStrictEqual } from "node:assert/strict";
import { decode as cborgDecode, encode as cborgEncode } from "cborg/extended";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EncodingError } from "../../../src/core/errors.ts";
import { cbor } from "../../../src/tasks/value/cbor.ts";
import { canonicalValue } from "../../../src/tasks/value/canonical.ts";
import { anyScalar, anyValue, anyValueOf, goldenValues, refusedBytes } from "../../support/values.ts";
import { fromHex } from "../../support/frames.ts";

const codec = cbor();

/** What cborg carries as it is: a byte order mark is lost there, a clamped array is bytes, a small bigint a number. */
function isForCborg(value: unknown): boolean {
  if (typeof value === "string") return !value.startsWith("\ufeff");
  if (typeof value === "bigint") return value >= 2n ** 64n || value < -(2n ** 64n);
  if (typeof value !== "object" || value === null) return true;
  if (ArrayBuffer.isView(value)) return !(value instanceof Uint8ClampedArray) && value.byteLength > 0;
  if (value instanceof Date) return Number.isInteger(value.getTime() / 1_000);
  if (value instanceof Map) return [...value].flat().every(isForCborg);
  if (value instanceof Set) return [...value].every(isForCborg);
  return !Object.hasOwn(value, "__proto__") && Object.entries(value).flat().every(isForCborg);
}

const forCborg = anyValueOf(anyScalar.filter(isForCborg)).filter(isForCborg);

/** A value or an EncodingError, and nothing else. */
function tryDecode(bytes: Uint8Array): unknown {
  try {
    return codec.decode(bytes);
  } catch (error) {
    if (error instanceof EncodingError) return undefined;
    throw error;
  }
}

describe("for all values", () => {
  it("decoding undoes encoding, keys in their order", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const bytes = codec.encode(value);
        expect(bytes.length).toBe(bytes.buffer.byteLength);
        const read = codec.decode(bytes);
        // Not by vitest, to which a key `constructor` is a class.
        deepStrictEqual(read, value);
        expect(codec.encode(read)).toEqual(bytes);
      }),
      { numRuns: 500 },
    );
  });

  it("cborg reads what is written", () => {
    fc.assert(fc.property(forCborg, (value) => deepStrictEqual(cborgDecode(codec.encode(value)), value)));
  });

  it("what cborg writes is read", () => {
    fc.assert(fc.property(forCborg, (value) => deepStrictEqual(codec.decode(cborgEncode(value)), value)));
  });

  it("no strict beginning is a value, and nothing may follow one", () => {
    fc.assert(
      fc.property(anyValue, fc.nat(), (value, at) => {
        const bytes = codec.encode(value);
        expect(() => codec.decode(bytes.subarray(0, at % bytes.length))).toThrow(EncodingError);
        expect(() => codec.decode(Uint8Array.of(...bytes, 0))).toThrow(EncodingError);
      }),
    );
  });

  it("the canonical form is a value that means the same and is its own canonical form", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const canonical = canonicalValue(codec.encode(value));
        expect(codec.decode(canonical)).toEqual(value);
        expect(canonicalValue(canonical)).toEqual(canonical);
      }),
    );
  });
});

describe("for all bytes", () => {
  it("decoding gives a value or an EncodingError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => void tryDecode(bytes)),
      { numRuns: 2_000 },
    );
  });

  it("so it does for bytes that are nearly a value", () => {
    const seeds = [...goldenValues, ...refusedBytes].map(({ hex }) => fromHex(hex));
    const change = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }), cut: fc.boolean() });
    fc.assert(
      fc.property(
        fc.oneof(
          anyValue.map((value) => codec.encode(value)),
          fc.constantFrom(...seeds),
        ),
        fc.array(change, { minLength: 1, maxLength: 4 }),
        (bytes, changes) => {
          let mutant = bytes.slice();
          for (const { at, byte, cut } of changes) {
            mutant[at % (mutant.length || 1)] = byte;
            if (cut) mutant = Uint8Array.of(...mutant.subarray(0, at % 7), ...mutant.subarray(at % 11));
          }
          const read = tryDecode(mutant);
          // What was read can be written, unless it is too deep.
          if (read !== undefined) canonicalValue(mutant);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
