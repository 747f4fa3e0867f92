import { describe, expect, it } from "vitest";
import { EncodingError } from "../../../src/core/errors.ts";
import { canonicalValue } from "../../../src/tasks/value/canonical.ts";
import { cbor } from "../../../src/tasks/value/cbor.ts";
import { fromHex, toHex } from "../../support/frames.ts";

const codec = cbor();
const form = (value: unknown): string => toHex(canonicalValue(codec.encode(value)));

describe("the canonical form", () => {
  it.each<[string, unknown, unknown]>([
    ["keys in another order", { a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 }],
    ["sets in another order", new Set([1, "a", [2]]), new Set([[2], "a", 1])],
    ["sets of sets", new Set([new Set([1, 2]), new Set([3])]), new Set([new Set([3]), new Set([2, 1])])],
    [
      "maps in another order",
      new Map([
        [[1], { a: 1, b: 2 }],
        [[0], {}],
      ] as const),
      new Map([
        [[0], {}],
        [[1], { b: 2, a: 1 }],
      ] as const),
    ],
  ])("is the same for %s", (_, one, other) => {
    expect(form(one)).toBe(form(other));
  });

  it.each<[string, unknown, unknown]>([
    ["arrays in another order", [1, 2], [2, 1]],
    ["a number and a bigint", 1, 1n],
    ["an object and a map", { a: 1 }, new Map([["a", 1]])],
    ["a missing property and one that is undefined", {}, { a: undefined }],
    ["floats of four and of eight bytes", Float32Array.of(1), Float64Array.of(1)],
  ])("is another for %s", (_, one, other) => {
    expect(form(one)).not.toBe(form(other));
  });

  it("is the same however another encoder writes it", () => {
    for (const hex of ["f93c00", "1801", "fb3ff0000000000000"]) expect(toHex(canonicalValue(fromHex(hex)))).toBe("01");
  });

  it("does not need the classes of an instance", () => {
    class Money {
      readonly amount: object;
      constructor(amount: object) {
        this.amount = amount;
      }
    }
    const own = cbor({
      classes: {
        Money: {
          is: (one) => one instanceof Money,
          to: ({ amount }: Money) => amount,
          from: () => {
            throw new Error("not to be called");
          },
        },
      },
    });
    const canonical = (amount: object): string => toHex(canonicalValue(own.encode([new Money(amount)])));
    expect(canonical({ a: 1, b: 2 })).toBe(canonical({ b: 2, a: 1 }));
  });

  it("is there for all that is read, as deep as it may be", () => {
    const deep = fromHex(`${"81".repeat(64)}00`);
    expect(canonicalValue(deep)).toEqual(deep);
    expect(() => canonicalValue(fromHex("ff"))).toThrow(EncodingError);
  });
});
