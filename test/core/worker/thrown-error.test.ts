import { describe, expect, it } from "vitest";
import { ExecutionError, type RemoteError } from "../../../src/core/errors.ts";
import { remoteCause } from "../../../src/core/dispatch/remote-error.ts";
import { withoutStacks } from "../../../src/core/protocol/error-details.ts";
import { ErrorValues } from "../../../src/tasks/error-values.ts";
import { cbor } from "../../../src/tasks/value/cbor.ts";
import { describeThrown } from "../../../src/core/worker/thrown-error.ts";

/** What comes back of what was thrown. */
const back = (thrown: unknown): Error => remoteCause(describeThrown(thrown));

/** An error as another realm makes it: no `Error` of this one. */
class Foreign {
  readonly name = "RangeError";
  readonly message = "too far";
  readonly code = "E_FAR";
  readonly stack = "RangeError: too far\n    at there";
}

describe("what was thrown", () => {
  it.each<[string, unknown, Partial<RemoteError>]>([
    ["an error", new TypeError("no"), { name: "TypeError", message: "no", code: "" }],
    ["an error of another realm", new Foreign(), { name: "RangeError", message: "too far", code: "E_FAR" }],
    ["an object with a message", { message: "busy", code: 7 }, { name: "Error", message: "busy", code: "7" }],
    ["an object without", { status: 404 }, { name: "Error", message: '{"status":404}' }],
    ["an object that has no JSON form", { size: 1n }, { name: "Error", message: "[object Object]" }],
    ["a text", "just so", { name: "Error", message: "just so", stack: "" }],
    ["nothing", undefined, { name: "Error", message: "undefined" }],
    ["another copy's ExecutionError", foreignExecutionError(), { name: "Inner", message: "deep", code: "E_DEEP" }],
  ])("as %s keeps its words", (_name, thrown, told) => {
    expect(describeThrown(thrown)).toMatchObject(told);
  });

  it("keeps its own fields, as far as they have a JSON form and are small", () => {
    const loop: { self?: unknown } = {};
    loop.self = loop;
    const error = Object.assign(new Error("x"), {
      status: 503,
      at: new Date(0),
      big: 1n,
      loop,
      huge: "x".repeat(20_000),
      nothing: undefined,
    });
    Object.defineProperty(error, "trap", {
      enumerable: true,
      get: () => loop["self" as never]["no" as never]["way" as never],
    });
    const fields = Object.fromEntries(Object.entries(back(error)));
    expect(fields).toEqual({ status: 503, at: "1970-01-01T00:00:00.000Z" });
    // Beside them, and in no way of a field of that name.
    expect(back(error)).toMatchObject({ dropped: ["big", "loop", "huge", "trap"] });
    expect(back(Object.assign(error, { dropped: 3 }))).toMatchObject({ dropped: 3 });
  });

  it("keeps causes of causes and the errors of an aggregate, to a depth of eight", () => {
    let error = new Error("bottom");
    for (let depth = 0; depth < 20; depth++) error = new Error(`level ${depth}`, { cause: error });
    const messages: string[] = [];
    for (let next: unknown = back(error); next instanceof Error; next = next.cause) messages.push(next.message);
    expect(messages).toEqual(Array.from({ length: 9 }, (_, index) => `level ${19 - index}`));
    const told = back(new AggregateError([new RangeError("a"), "b"], "all"));
    expect(told).toMatchObject({ name: "AggregateError", errors: [{ name: "RangeError", message: "a" }, "b"] });
  });

  it("that is its own cause comes to an end", () => {
    const error = new Error("loop");
    error.cause = error;
    expect(back(error)).toMatchObject({ message: "loop", cause: { message: "loop" } });
  });

  it("leaves out stacks within, then fields, when all is too large", () => {
    const cause = Object.assign(new Error("inner"), { stack: `Error: inner\n${"x".repeat(20_000)}` });
    const told = back(Object.assign(new Error("outer", { cause }), { kept: 1 }));
    expect(told).toMatchObject({ kept: 1, cause: { message: "inner", stack: "Error: inner" } });
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`field${n}`, "x".repeat(1_000)]));
    const bare = back(Object.assign(new Error("outer", { cause: new Error("inner") }), many));
    expect(Object.keys(bare)).toEqual([]);
    expect(bare).toMatchObject({ cause: { message: "inner" } });
  });

  it("has no stack, nor have its causes, where stacks are not told", () => {
    const told = withoutStacks(describeThrown(new Error("outer", { cause: new Error("inner") })));
    expect(told.stack).toBe("");
    expect(JSON.stringify(told)).not.toContain("at ");
    expect(remoteCause(told)).toMatchObject({ stack: "Error: outer", cause: { stack: "Error: inner" } });
  });
});

describe("what a peer says", () => {
  const remote = (details: string): RemoteError => ({ name: "TypeError", message: "m", code: "", stack: "", details });

  it.each([
    "",
    "{",
    "null",
    "[]",
    "1",
    '{"cause":null}',
    '{"errors":[[[]]]}',
    '{"fields":7}',
    '{"cause":{"cause":[]}}',
  ])("is an error whatever the details are: %s", (details) => {
    expect(remoteCause(remote(details))).toMatchObject({ name: "TypeError", message: "m" });
  });

  it("changes no prototype and none of what an error is made of", () => {
    const told = remoteCause(remote('{"fields":{"__proto__":{"a":1},"stack":"s","message":"n","toString":"t"}}'));
    expect(Object.getPrototypeOf(told)).toBe(TypeError.prototype);
    expect(told).toMatchObject({ message: "m", stack: "TypeError: m", toString: "t" });
    expect(Object.hasOwn({}, "a")).toBe(false);
  });
});

function foreignExecutionError(): unknown {
  const { code, remoteName, remoteMessage, remoteCode, remoteStack, remoteDetails } = new ExecutionError({
    name: "Inner",
    message: "deep",
    code: "E_DEEP",
    stack: "",
  });
  return { code, remoteName, remoteMessage, remoteCode, remoteStack, remoteDetails };
}

describe("what a typed task has thrown", () => {
  const codec = cbor();
  const tell = (thrown: unknown): RemoteError => describeThrown(thrown, new ErrorValues(codec));
  const heard = ({ values, ...remote }: RemoteError): Error =>
    remoteCause(remote, values === undefined ? [] : (codec.decode(values) as unknown[]));

  it("keeps its fields as the values they are, and those of its causes and errors", () => {
    const inner = Object.assign(new RangeError("inner"), { at: new Date(5), seen: new Set([1]) });
    const thrown = Object.assign(new AggregateError([new Error("none"), inner, "text"], "outer", { cause: inner }), {
      big: 10n ** 30n,
      map: new Map([[{ a: 1 }, Uint8Array.of(1)]]),
      nothing: undefined,
    });
    const error = heard(tell(thrown));
    expect(error).toMatchObject({ big: 10n ** 30n, map: thrown["map" as never], message: "outer" });
    expect(Object.keys(error)).toEqual(["big", "map", "nothing"]);
    expect(error.cause).toMatchObject({ name: "RangeError", at: new Date(5), seen: new Set([1]) });
    const { errors } = error as AggregateError;
    expect(Object.keys(errors[0] as Error)).toEqual([]);
    expect(errors[1]).toMatchObject({ at: new Date(5), seen: new Set([1]) });
    expect(errors[2]).toBe("text");
    expect(error).not.toHaveProperty("dropped");
  });

  it("loses the fields that cannot be carried, by name, and nothing else", () => {
    const loop: Record<string, unknown> = {};
    loop["loop"] = loop;
    const deep = (depth: number): unknown => (depth === 0 ? 1 : [deep(depth - 1)]);
    const error = heard(
      tell(Object.assign(new Error("x"), { f: () => 1, loop, at: new Date(1), a: deep(31), b: deep(20) })),
    );
    expect(error).toMatchObject({ at: new Date(1), b: deep(20), dropped: ["f", "loop", "a"] });
    expect(Object.keys(error)).toEqual(["at", "b"]);
  });

  it("loses the largest fields first when they are too large together, whosever they are", () => {
    const cause = Object.assign(new Error("inner"), { huge: "x".repeat(20_000), middle: "y".repeat(7_000), small: 1n });
    const thrown = Object.assign(new Error("x", { cause }), { large: "z".repeat(9_000), at: new Date(1) });
    const told = tell(thrown);
    expect(told.values?.length).toBeLessThanOrEqual(16_384);
    const error = heard(told);
    expect(error).toMatchObject({ at: new Date(1), large: thrown["large" as never] });
    expect(error.cause).toMatchObject({ small: 1n, middle: cause.middle, dropped: ["huge"] });
    const more = heard(tell(Object.assign(thrown, { also: new Uint8Array(8_000) })));
    expect(more).toMatchObject({ at: new Date(1), also: new Uint8Array(8_000), dropped: ["large"] });
    expect(more.cause).toMatchObject({ middle: cause.middle, dropped: ["huge"] });
  });

  it("keeps the words when they leave no room for the fields", () => {
    const errors = Array.from({ length: 16 }, () => Object.assign(new Error("x".repeat(1_500)), { at: new Date(1) }));
    const told = tell(Object.assign(new AggregateError(errors, "all"), { at: new Date(1) }));
    expect(told).toMatchObject({ name: "AggregateError", message: "all" });
    expect(heard(told).message).toBe("all");
  });

  it("is passed on as it came when it is the error of another runner", () => {
    const first = tell(Object.assign(new Error("x"), { at: new Date(1) }));
    expect(tell(new ExecutionError(first))).toEqual(first);
    expect(Object.keys(new ExecutionError(first))).not.toContain("remoteValues");
  });

  const remote: RemoteError = { name: "TypeError", message: "m", code: "", stack: "", details: '{"fields":0}' };

  it.each<[string, readonly unknown[]]>([
    ["too few records", []],
    ["records that are none", [7]],
  ])("has no fields for values that are %s", (_what, records) => {
    expect(Object.keys(remoteCause(remote, records))).toEqual([]);
  });

  it("sets nothing that an error is made of, whatever the records say", () => {
    const record = Object.fromEntries([
      ["__proto__", { evil: 1 }],
      ["message", "other"],
      ["stack", "s"],
      ["ok", 1],
    ]);
    const error = remoteCause(remote, [record]);
    expect([Object.keys(error), error.message, Object.getPrototypeOf(error)]).toEqual([
      ["ok"],
      "m",
      TypeError.prototype,
    ]);
  });

  it("is without stacks when they are not to be told, and its fields stay", () => {
    const thrown = Object.assign(new Error("x", { cause: new Error("inner") }), { at: new Date(1) });
    const error = heard(withoutStacks(tell(thrown)));
    expect(error).toMatchObject({ at: new Date(1), stack: "Error: x", cause: { stack: "Error: inner" } });
  });
});
