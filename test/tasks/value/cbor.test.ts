import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { EncodingError } from "../../../src/core/errors.ts";
import { cbor } from "../../../src/tasks/value/cbor.ts";
import { isCollected } from "../../support/collected.ts";
import { errorOf } from "../../support/job-texts.ts";

class User {
  readonly name = "ada";
}
class Rows extends Array<number> {}
class Vector extends Float32Array {}
class Index extends Map<string, number> {}

const codec = cbor();
const roundTrip = (value: unknown): unknown => codec.decode(codec.encode(value));
const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

function refusalOf(value: unknown): string {
  const error = errorOf(() => codec.encode(value, "input"));
  return error instanceof EncodingError ? error.message : `not refused: ${String(error)}`;
}

describe("what is refused, with its path", () => {
  const cycle: Record<string, unknown> = { a: { b: [] } };
  cycle["a"] = { b: [0, cycle] };
  const sparse: unknown[] = [1, undefined];
  sparse[3] = 2;
  const getter = {
    get broken(): never {
      throw new TypeError("boom");
    },
  };
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const moved = new ArrayBuffer(8);
  structuredClone(moved, { transfer: [moved] });

  it.each<[string, unknown, string]>([
    ["an instance of a class", { owner: new User() }, "at input.owner: an instance of User"],
    ["one within a list", { rows: [1, { by: new User() }] }, "at input.rows[1].by: an instance of User"],
    ["one below an odd key", { "first name": new User() }, 'at input["first name"]: an instance of User'],
    ["a function", { run: () => 1 }, "at input.run: a function"],
    ["a symbol", [Symbol("s")], "at input[0]: a symbol"],
    ["a cycle", cycle, `at input${".a.b[1]".repeat(10)}.a.b: a cycle`],
    ["33 levels", nested(33), `at input${"[0]".repeat(32)}: more than 32 levels of nesting`],
    ["a regular expression", { pattern: /a/ }, "at input.pattern: an instance of RegExp"],
    ["an error", { error: new TypeError("x") }, "at input.error: an instance of TypeError"],
    ["a promise", [Promise.resolve(1)], "at input[0]: a Promise, which is to be awaited first"],
    ["a WeakMap", new WeakMap(), "at input: an instance of WeakMap"],
    ["a class of arrays", new Rows(), "at input: an instance of Rows"],
    ["a class of typed arrays", new Vector(2), "at input: an instance of Vector"],
    ["a class of maps", new Index(), "at input: an instance of Index"],
    ["a DataView", new DataView(new ArrayBuffer(1)), "at input: an instance of DataView"],
    ["a boxed number", Object(1), "at input: an instance of Number"],
    ["an imitation of a map", Object.create(Map.prototype), "at input: an instance of Map"],
    ["an imitation of a date", Object.create(Date.prototype), "at input: an instance of Date"],
    ["an imitation of an array", Object.create(Array.prototype), "at input: an instance of Array"],
    ["an object of no class", Object.create(Object.create(null) as object), "at input: an object of an unknown class"],
    ["inherited fields", Object.create({ a: 1 }), "at input: an instance of Object"],
    ["an invalid date", { at: new Date(Number.NaN) }, "at input.at: an invalid Date"],
    ["a lone surrogate", { text: "a\ud800" }, "at input.text: a text with a lone surrogate, at its index 1"],
    ["one in a key", { "\udc00": 1 }, 'at input["\\udc00"]: a text with a lone surrogate, at its index 0'],
    ["a hole in an array", sparse, "at input[2]: a hole in a sparse array; an element may be undefined"],
    ["a large bigint", { n: 2n ** 8192n }, "at input.n: a bigint of more than 1024 bytes"],
    ["a large negative bigint", -(2n ** 8192n) - 1n, "at input: a bigint of more than 1024 bytes"],
    ["more items than are read", Array.from({ length: 1_048_577 }), "at input: more than 1048576 items in one value"],
    [
      "an empty array of four billion",
      Object.assign([], { length: 2 ** 32 - 1 }),
      "at input: more than 1048576 items in one value",
    ],
    ["a key of a map", new Map([[new User(), 1]]), "at input(key 0): an instance of User"],
    ["a value of a map", new Map([["a", new User()]]), "at input(value 0): an instance of User"],
    ["an item of a set", new Set([1, new User()]), "at input(item 1): an instance of User"],
    ["a getter that throws", { a: [getter] }, "at input.a[0].broken: cannot be read: TypeError: boom"],
    ["a revoked proxy", { proxy }, "at input.proxy: cannot be read: TypeError: "],
    ["shared memory", { shared: new SharedArrayBuffer(8) }, "at input.shared: bytes of a SharedArrayBuffer"],
    ["a view of it", new Uint8Array(new SharedArrayBuffer(8)), "at input: bytes of a SharedArrayBuffer, which may"],
    ["a buffer that was transferred", { moved }, "at input.moved: cannot be read: TypeError"],
    ["what a proxy holds", { list: new Proxy([new User()], {}) }, "at input.list[0]: an instance of User"],
    ["a symbol as a key", { [Symbol("s")]: 1 }, "at input: a property by the name of Symbol(s)"],
  ])("%s", (_, value, message) => {
    expect(refusalOf(value)).toContain(message);
  });

  it("a view whose buffer was transferred, though it seems to be empty", () => {
    const bytes = new Uint8Array(8);
    structuredClone(bytes, { transfer: [bytes.buffer] });
    expect(refusalOf({ bytes })).toContain("at input.bytes: cannot be read");
  });

  it("the cause is what a getter has thrown, also when it is an EncodingError", () => {
    const boom = new EncodingError("of its own");
    const value = {
      get field(): never {
        throw boom;
      },
    };
    expect(errorOf(() => codec.encode(value, "input"))).toMatchObject({
      message: "at input.field: cannot be read: EncodingError: of its own",
      cause: boom,
    });
  });

  it("a buffer that a getter of the same value transfers", () => {
    const large = new Uint8Array(100_000);
    const value = {
      large,
      get then(): number {
        structuredClone(large.buffer, { transfer: [large.buffer] });
        return 1;
      },
    };
    expect(refusalOf(value)).toBe("at input: a buffer has changed while it was encoded");
  });

  it("bytes that come so often that they would take all memory", () => {
    const content = new Uint8Array(2 ** 26);
    const often = Array.from({ length: 1_000_000 }, () => content);
    expect(refusalOf(often)).toBe("at input: more than 1073741824 bytes in one value");
  });

  it("leaves the codec as it was", () => {
    expect(() => codec.encode([[[() => 1]]])).toThrow(EncodingError);
    expect(roundTrip([[[1]]])).toEqual([[[1]]]);
    expect(refusalOf({ a: new User() })).toBe("at input.a: an instance of User");
  });
});

describe("what is carried", () => {
  it("32 levels", () => {
    expect(roundTrip(nested(32))).toEqual(nested(32));
  });

  it("as many items as fit", () => {
    const items = Array.from({ length: 1_048_576 }, () => 1);
    const read = codec.decode(codec.encode(items)) as number[];
    expect([read.length, read.every((item) => item === 1)]).toEqual([items.length, true]);
  });

  it("the same part twice, as two", () => {
    const part = { a: 1 };
    const read = roundTrip([part, part]) as [unknown, unknown];
    expect(read).toEqual([part, part]);
    expect(read[0]).not.toBe(read[1]);
  });

  it("objects without a prototype, of another realm, and proxies of objects", () => {
    const bare = Object.assign(Object.create(null) as object, { a: 1 });
    const foreign: unknown = runInNewContext(
      "({ list: [1], when: new Date(0), map: new Map([[1, new Set([2])]]), bytes: new Uint8Array(2), floats: new Float32Array(1), memory: new ArrayBuffer(1) })",
    );
    const value = { bare, foreign, proxy: new Proxy({ b: [1] }, {}) };
    expect(roundTrip(value)).toStrictEqual({
      bare: { a: 1 },
      foreign: {
        list: [1],
        when: new Date(0),
        map: new Map([[1, new Set([2])]]),
        bytes: new Uint8Array(2),
        floats: new Float32Array(1),
        memory: new Uint8Array(1),
      },
      proxy: { b: [1] },
    });
  });

  it("keys that objects inherit are own ones", () => {
    const value = JSON.parse('{"__proto__":{"isAdmin":true},"constructor":1,"toString":2}') as object;
    const read = roundTrip(value) as object;
    expect(Object.keys(read)).toEqual(["__proto__", "constructor", "toString"]);
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
    expect(Reflect.get(read, "isAdmin")).toBeUndefined();
  });

  it("every form of bytes as a Uint8Array", () => {
    const memory = Uint8Array.of(1, 2, 3).buffer;
    const part = new Uint8Array(memory, 1, 1);
    expect(roundTrip([memory, Buffer.from("hi"), part])).toStrictEqual([
      Uint8Array.of(1, 2, 3),
      Uint8Array.of(104, 105),
      Uint8Array.of(2),
    ]);
  });

  it("texts around each length at which something changes", () => {
    const texts = [
      0, 1, 23, 24, 31, 32, 33, 84, 85, 127, 255, 256, 4_095, 4_096, 21_845, 65_535, 65_536, 70_000,
    ].flatMap((length) => ["x", "é", "漢"].map((unit) => unit.repeat(length)));
    expect(roundTrip(texts)).toEqual(texts);
    for (const text of texts) expect(roundTrip(text)).toBe(text);
  });

  it("dates to the millisecond, to the ends of time", () => {
    const times = [
      4_452_018_928_736_938,
      8.64e15,
      -8.64e15,
      8.64e15 - 1,
      1 - 8.64e15,
      -1,
      1,
      1_785_473_385_123,
      4_503_599_627_370_497,
    ];
    expect(roundTrip(times.map((time) => new Date(time)))).toEqual(times.map((time) => new Date(time)));
  });

  it("what a getter encodes with the same codec", () => {
    const value = {
      get inner(): Uint8Array {
        return codec.encode([1]);
      },
      after: 2,
    };
    expect(roundTrip(value)).toEqual({ inner: codec.encode([1]), after: 2 });
  });

  it("a map that grows while it is encoded, as it was", () => {
    const map = new Map<string, unknown>();
    const set = new Set<unknown>();
    const grow = {
      get size(): number {
        map.set(`k${map.size}`, 1);
        return set.add(set.size).size;
      },
    };
    map.set("grow", grow);
    set.add(grow);
    expect(roundTrip({ map, set })).toEqual({
      map: new Map([["grow", { size: 2 }]]),
      set: new Set([{ size: 3 }, 1]),
    });
  });
});

describe("memory", () => {
  it("a result has memory of its own, of its size", () => {
    for (const value of [1, "x".repeat(5_000), new Uint8Array(200_000), Array.from({ length: 100_000 }, () => 1)]) {
      const bytes = codec.encode(value);
      expect(bytes.buffer.byteLength).toBe(bytes.length);
    }
    const first = codec.encode("first");
    codec.encode("other");
    expect(codec.decode(first)).toBe("first");
  });

  it("large bytes that are most of the frame lie in it, others are copied, typed arrays aligned", () => {
    const large = codec.encode([new Uint8Array(10_000), new Uint8Array(4_000), new Float64Array(5_000)]);
    const [bytes, few] = codec.decode(codec.encode([new Uint8Array(10_000), new Uint8Array(10)])) as Uint8Array[];
    expect(bytes?.byteOffset).toBeGreaterThan(0);
    expect(few?.byteOffset).toBe(0);
    const [copied, small, floats] = codec.decode(large) as Uint8Array[];
    expect([copied, small, floats].map((one) => one?.byteOffset)).toEqual([0, 0, 0]);
    expect(codec.decode(Buffer.from(codec.encode(new Float64Array([1.5]))))).toEqual(new Float64Array([1.5]));
  });

  it("what was encoded is not kept alive", async () => {
    const encoded = (): WeakRef<object> => {
      const value = { a: [{ b: new Uint8Array(5_000) }] };
      codec.encode(value);
      return new WeakRef(value);
    };
    expect(await isCollected(encoded())).toBe(true);
  });
});

describe("registered classes", () => {
  class Money {
    readonly amount: bigint;
    constructor(amount: bigint) {
      this.amount = amount;
    }
  }
  const money = {
    is: (instance: object) => instance instanceof Money,
    to: ({ amount }: Money) => amount,
    from: (amount: bigint) => new Money(BigInt.asIntN(128, amount)),
  };
  const own = cbor({ classes: { Money: money } });

  it("are instances again", () => {
    const value = { price: new Money(5n), all: [new Money(6n)] };
    expect(own.decode(own.encode(value))).toStrictEqual(value);
  });

  it("are refused by a codec that does not know them, at both ends", () => {
    expect(refusalOf({ price: new Money(5n) })).toBe("at input.price: an instance of Money");
    expect(() => codec.decode(own.encode(new Money(5n)))).toThrow('an instance of "Money" cannot be made');
    expect(() => own.decode(cbor({ classes: { constructor: money } }).encode(new Money(5n)))).toThrow(EncodingError);
  });

  it("an error of `from`, and a part of `to` that cannot be carried, are EncodingErrors", () => {
    const odd = cbor({ classes: { Money: { ...money, to: () => ({ run: () => 1 }) } } });
    expect(() => odd.encode({ price: new Money(1n) })).toThrow("at value.price.run: a function");
    const endless = cbor({ classes: { Money: { ...money, to: (one: Money) => one } } });
    expect(() => endless.encode(new Money(1n))).toThrow("a cycle");
    const bytes = cbor({ classes: { Money: { ...money, to: () => "five" } } }).encode(new Money(1n));
    expect(() => own.decode(bytes)).toThrow(EncodingError);
  });

  it("options are checked", () => {
    expect(() => cbor({ classes: { Money: { is: money.is } as never } })).toThrow(TypeError);
    expect(() => cbor({ class: {} } as never)).toThrow("unknown option");
  });
});
