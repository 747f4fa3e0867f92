import { describe, expect, it } from "vitest";
import { EncodingError } from "../../../src/core/errors.ts";
import { Job, JOB_LIMITS } from "../../../src/core/job/job.ts";
import { entries, errorOf, originalVectors, readingError } from "../../support/job-texts.ts";

/** A job made from what the types would not let through. */
function made(...args: unknown[]): unknown {
  return Reflect.construct(Job, args);
}

describe("a job", () => {
  it("is the documented example", () => {
    expect(new Job("4*2").serialize()).toBe("NONE:::4*2");
    expect(Job.loadFromString("NONE:::4*2").data).toBe("4*2");
  });

  it("takes headers as pairs, as a map and as an object", () => {
    const pairs: [string, string][] = [
      ["b", "2"],
      ["a", "1"],
    ];
    expect(entries(new Job("x", pairs))).toEqual(pairs);
    expect(entries(new Job("x", new Map(pairs)))).toEqual(pairs);
    expect(entries(new Job("x", { b: "2", a: "1" }))).toEqual(pairs);
    expect(entries(new Job("x"))).toEqual([]);
  });

  it("keeps the order of pairs, of names like integers too", () => {
    const pairs: [string, string][] = ["10", "2", "__proto__", "1", "constructor"].map((name) => [name, "v"]);
    expect(entries(new Job("x", pairs))).toEqual(pairs);
    expect(new Job("x", pairs).serialize()).toBe("10:v::2:v::__proto__:v::1:v::constructor:v:::x");
  });

  it("replaces a header that is there, in its place", () => {
    const job = new Job("x", { a: "1", b: "2" });
    expect(job.addHeader("a", "3")).toBe(job);
    expect(job.serialize()).toBe("a:3::b:2:::x");
  });

  it("leaves a map it has handed out as it was", () => {
    const job = new Job("x", { a: "1" });
    const before = job.headers;
    job.addHeader("b", "2");
    expect([...before]).toEqual([["a", "1"]]);
    expect(entries(job)).toEqual([
      ["a", "1"],
      ["b", "2"],
    ]);
  });

  it.each([undefined, null, 1, {}, [1], new ArrayBuffer(1), new Uint16Array(1), new DataView(new ArrayBuffer(1))])(
    "refuses data that is neither text nor bytes: %s",
    (data) => {
      expect(() => made(data)).toThrow(TypeError);
    },
  );

  it("takes a Buffer as bytes", () => {
    expect(new Job(Buffer.from("ab")).serializeBytes()).toEqual(new TextEncoder().encode("NONE:::ab"));
  });

  it.each([null, 7, "ab"])("refuses headers that are none: %s", (headers) => {
    expect(() => made("x", headers)).toThrow(TypeError);
  });

  it("refuses lone surrogates and says where", () => {
    expect(() => new Job("a\ud800")).toThrow(
      new TypeError("the data of a job has a lone surrogate, which UTF-8 cannot carry"),
    );
    expect(() => new Job("x", [["\udc00", "v"]])).toThrow(/the name of a header has a lone surrogate/);
    expect(() => new Job("x", { a: "\ud800b" })).toThrow(/the value of the header "a" has a lone surrogate/);
    expect(readingError("NONE:::😀\udc00").offset).toBe(9);
    expect(readingError("a:\ud800:::x").offset).toBe(2);
  });

  it("has no text form when its data is bytes", () => {
    const job = new Job(new Uint8Array([0xff, 0x3a]), { a: ":" });
    expect(() => job.serialize()).toThrow(/serializeBytes/);
    expect(() => job.serialize()).toThrow(EncodingError);
    expect(Buffer.from(job.serializeBytes()).toString("latin1")).toBe("a:\\::::\xff:");
  });

  it("gives out bytes read from bytes as a plain view of them", () => {
    const whole = Buffer.from("xxNONE:::ab");
    const job = Job.loadFromBytes(whole.subarray(2), "bytes");
    if (typeof job.data === "string") throw new Error("expected bytes");
    expect(Object.getPrototypeOf(job.data)).toBe(Uint8Array.prototype);
    expect(job.data.buffer).toBe(whole.buffer);
    expect(Buffer.from(job.data).toString()).toBe("ab");
  });

  it.each([
    ["NONE:::", [0xff], 7],
    ["a:b:::x", [0xf0, 0x9f, 0x98], 7],
    ["NONE:::é", [0xef, 0xbf], 9],
  ])("says where data that should be text is none: %s %s", (head, tail, least) => {
    const all = Buffer.concat([Buffer.from(head), Uint8Array.from(tail)]);
    const error = errorOf(() => Job.loadFromBytes(all, "text"));
    expect(error).toBeInstanceOf(EncodingError);
    expect((error as EncodingError).offset).toBeGreaterThanOrEqual(least);
    expect((error as EncodingError).offset).toBeLessThanOrEqual(all.length);
  });

  it("refuses headers that are not UTF-8, in text and in bytes", () => {
    const all = Buffer.from("a:\xff:::x", "latin1");
    for (const as of ["text", "bytes"] as const) expect(() => Job.loadFromBytes(all, as)).toThrow(EncodingError);
  });

  it.each<unknown>([undefined, 1, null, {}])("loads nothing but text and bytes: %s", (value) => {
    expect(() => Job.loadFromString(value as string)).toThrow(TypeError);
    expect(() => Job.loadFromBytes(value as Uint8Array, "text")).toThrow(TypeError);
  });
});

describe("what the original wrote", () => {
  it("is here in full", () => {
    expect(originalVectors).toHaveLength(80);
  });

  it.each(originalVectors)("is what we write and read: $why $serialized", ({ data, headers, serialized }) => {
    const job = new Job(data, headers);
    expect(job.serialize()).toBe(serialized);
    expect(Buffer.from(job.serializeBytes()).toString()).toBe(serialized);
    const back = Job.loadFromString(serialized);
    expect(back.data).toBe(data);
    expect(entries(back)).toEqual(headers);
  });
});

describe("what the original got wrong", () => {
  it("1: a colon in a value", () => {
    const job = new Job("x", { url: "http://host:80/" });
    expect(job.serialize()).toBe("url:http\\://host\\:80/:::x");
    expect(entries(Job.loadFromString(job.serialize()))).toEqual([["url", "http://host:80/"]]);
  });

  it("2: a backslash before a colon", () => {
    expect(new Job("x", { a: "\\:" }).serialize()).toBe("a:\\\\\\::::x");
    expect(new Job("x", { a: "\\", b: "" }).serialize()).toBe("a:\\\\::b::::x");
    for (const value of ["\\", "\\:", ":\\", "\\\\", "\\e", "\n\\:"]) {
      expect(Job.loadFromString(new Job("x", { a: value }).serialize()).headers.get("a")).toBe(value);
    }
  });

  it("3: empty names and values", () => {
    expect(new Job("x", { a: "" }).serialize()).toBe("a::::x");
    expect(new Job("x", { "": "a" }).serialize()).toBe("\\e:a:::x");
    expect(entries(Job.loadFromString("a::::x"))).toEqual([["a", ""]]);
    expect(entries(Job.loadFromString("\\e::::x"))).toEqual([["", ""]]);
    expect(entries(Job.loadFromString("a:::b::::x"))).toEqual([
      ["a", ""],
      ["b", ""],
    ]);
  });

  it("4: a value that ends in a colon", () => {
    const job = Job.loadFromString(new Job("x", { a: "b:" }).serialize());
    expect(entries(job)).toEqual([["a", "b:"]]);
    expect(job.data).toBe("x");
  });

  it("5: NONE among other headers", () => {
    expect(readingError("NONE::a:b:::x").offset).toBe(5);
    expect(readingError("a:b::NONE:::x").message).toContain("expected ::: after the headers");
    expect(entries(Job.loadFromString("NONE:1::a:b:::x"))).toEqual([
      ["NONE", "1"],
      ["a", "b"],
    ]);
    expect(entries(Job.loadFromString("a:b::NONE::::x"))).toEqual([
      ["a", "b"],
      ["NONE", ""],
    ]);
    expect(new Job(":x", { NONE: "" }).serialize()).toBe("NONE:\\e::::x");
    expect(entries(Job.loadFromString("NONE:\\e::::x"))).toEqual([["NONE", ""]]);
    expect(Job.loadFromString("NONE::::x")).toMatchObject({ data: ":x" });
  });

  it("6: white space around names and values", () => {
    const job = new Job(" x ", [[" a ", " b "]]);
    expect(job.serialize()).toBe(" a : b ::: x ");
    expect(entries(Job.loadFromString(job.serialize()))).toEqual([[" a ", " b "]]);
  });

  it("7: a name that is there twice", () => {
    expect(readingError("a:1::a:2:::x").message).toBe('offset 5: the header "a" is there twice');
    expect(readingError("\\e:1::\\e:1:::x").offset).toBe(6);
  });

  it("8: a value or name that is no string", () => {
    expect(() => made("x", { size: 7 })).toThrow(
      new TypeError('expected the value of the header "size" to be a string, got number'),
    );
    expect(() => made("x", [["size", null]])).toThrow(/"size".*got null/);
    expect(() => made("x", [[Symbol("s"), "v"]])).toThrow(TypeError);
  });

  it("9: no limits", () => {
    const many = Array.from({ length: JOB_LIMITS.maxHeaders }, (_, i): [string, string] => [`h${i}`, ""]);
    const job = new Job("x", many);
    expect(() => job.addHeader("one more", "")).toThrow(EncodingError);
    expect(entries(job)).toEqual(many);
    expect(entries(Job.loadFromString(job.serialize()))).toEqual(many);
    expect(readingError(`${job.serialize().slice(0, -4)}::more::::x`).message).toContain("at most 64 headers");

    // Two bytes a colon, since it is escaped; é takes two as well.
    for (const unit of [":", "é", "\\"]) {
      const most = `a${unit.repeat((JOB_LIMITS.maxHeaderBytes - 4) / 2)}`;
      const full = new Job("x", [["n", `${most}.`]]);
      expect(Buffer.byteLength(full.serialize())).toBe(JOB_LIMITS.maxHeaderBytes + 4);
      expect(Job.loadFromString(full.serialize()).serialize()).toBe(full.serialize());
      expect(Job.loadFromBytes(full.serializeBytes(), "bytes").headers.size).toBe(1);
      expect(() => full.addHeader("n", `${most}..`)).toThrow(EncodingError);
      expect(full.headers.get("n")).toBe(`${most}.`);
      const over = full.serialize().replace(":::x", ".:::x");
      expect(readingError(over).offset).toBeGreaterThan(0);
      expect(() => Job.loadFromBytes(Buffer.from(over), "text")).toThrow(EncodingError);
    }
  });

  it("10: escapes in the headers themselves", () => {
    const job = new Job("x", { a: "b:c\\" });
    expect(job.headers.get("a")).toBe("b:c\\");
    const again = Job.loadFromString(Job.loadFromString(job.serialize()).serialize());
    expect(again.headers.get("a")).toBe("b:c\\");
  });
});

describe("what is no job", () => {
  it.each([
    ["data", () => new Job(5 as never), "expected the data of a job to be a string or bytes, got number"],
    ["headers", () => new Job("x", null as never), "expected the headers of a job to be pairs or an object, got null"],
    ["headers", () => new Job("x", "a" as never), "expected the headers of a job to be pairs or an object, got string"],
    [
      "a name",
      () => new Job("x").addHeader(5 as never, "v"),
      "expected the name of a header to be a string, got number",
    ],
    ["a text", () => Job.loadFromString(5 as never), "expected the text of a job to be a string, got number"],
    [
      "bytes",
      () => Job.loadFromBytes("x" as never, "text"),
      "expected the bytes of a job to be a Uint8Array, got string",
    ],
  ])("is refused by what it is: %s", (_name, make, message) => {
    expect(make).toThrow(new TypeError(message));
  });

  it("is refused with the place of the fault, and its cause", () => {
    expect(() => Job.loadFromString("\ud800:::x")).toThrow(
      expect.objectContaining({ code: "ENCODING", offset: 0, message: "offset 0: a lone surrogate" }) as Error,
    );
    const bytes = Uint8Array.from([...Buffer.from("NONE:::ab"), 0xff]);
    expect(() => Job.loadFromBytes(bytes, "text")).toThrow(
      expect.objectContaining({ code: "ENCODING", offset: 9, cause: expect.any(TypeError) as unknown }) as Error,
    );
  });
});
