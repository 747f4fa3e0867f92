import { describe, expect, it } from "vitest";
import { MAX_DURATION } from "../../src/core/time/clock.ts";
import {
  abortSignal,
  isFunction,
  checkedCopy,
  checkOptions,
  duration,
  finiteDuration,
  isBoolean,
  integer,
  integerOrInfinity,
  oneOf,
  oneOrMore,
  type Validator,
  hasMethods,
  isString,
  withDefaults,
} from "../../src/core/options.ts";

interface Some {
  readonly ms?: unknown;
  readonly n?: unknown;
}

function check(given: unknown): void {
  checkOptions("it", given as Some, { ms: duration, n: integer(1) });
}

describe("an options record", () => {
  it("may be empty, and undefined counts as absent", () => {
    expect(() => check({})).not.toThrow();
    expect(() => check({ ms: undefined, n: undefined })).not.toThrow();
    expect(() => check({ ms: 1, n: 1 })).not.toThrow();
    expect(() => check(Object.assign(Object.create(null) as object, { n: 1 }))).not.toThrow();
  });

  it.each([
    [undefined, "undefined"],
    [null, "null"],
    [5, "5"],
    ["5", '"5"'],
    [(): void => undefined, "a function"],
    [[], "an array"],
  ])("is refused when it is %s", (given, shown) => {
    expect(() => check(given)).toThrow(new TypeError(`it: expected an options object, got ${shown}`));
  });

  it.each(["Ms", "timeout", "__proto__", "constructor", "toString", "hasOwnProperty", "", "0"])(
    "is refused for an unknown key: %s",
    (key) => {
      const given: unknown = JSON.parse(`{"ms": 5, ${JSON.stringify(key)}: 1}`);
      expect(() => check(given)).toThrow(new TypeError(`it: unknown option \`${key}\``));
    },
  );

  it("is refused for an unknown key that is undefined", () => {
    expect(() => check({ timeOut: undefined })).toThrow("it: unknown option `timeOut`");
  });

  it.each([
    [0, RangeError, "0"],
    [-1, RangeError, "-1"],
    [1.5, RangeError, "1.5"],
    [Number.NaN, RangeError, "NaN"],
    [Number.POSITIVE_INFINITY, RangeError, "Infinity"],
    ["1", TypeError, '"1"'],
    [null, TypeError, "null"],
    [true, TypeError, "true"],
    [1n, TypeError, "1"],
    [Symbol("s"), TypeError, "Symbol(s)"],
    [{}, TypeError, "an object"],
    [[1], TypeError, "an array"],
    [new Number(1), TypeError, "an object"],
  ])("says what it expected and what it got: %s", (n, kind, shown) => {
    let error: unknown;
    try {
      check({ n });
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toBe(`it: expected \`n\` to be an integer ≥ 1, got \`${shown}\``);
  });

  it("is not called for what its prototype has", () => {
    expect(() => check(Object.create({ n: 0 }))).not.toThrow();
    expect(withDefaults({ n: 7 }, Object.create({ n: 0 }) as object)).toEqual({ n: 7 });
  });
});

/** Values by whether a rule lets them pass. */
function sorted(rule: Validator, values: readonly unknown[]): [pass: unknown[], refused: unknown[]] {
  return [values.filter((value) => rule(value) === undefined), values.filter((value) => rule(value) !== undefined)];
}

const odd = [0, -0, -1, Number.NaN, Number.NEGATIVE_INFINITY, 2 ** 31, "5", "", null, true, 5n, {}, [], [5]];

describe("a rule", () => {
  it.each<[string, Validator, unknown[], unknown[]]>([
    ["duration", duration, [0.001, 1, MAX_DURATION, Number.POSITIVE_INFINITY], odd],
    ["finiteDuration", finiteDuration, [0.001, 1, MAX_DURATION], [...odd, Number.POSITIVE_INFINITY]],
    ["integer", integer(1, 10), [1, 10], [0, 11, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "1", null, 1n]],
    ["integer without end", integer(0), [0, Number.MAX_SAFE_INTEGER], [-1, 2 ** 53, Number.POSITIVE_INFINITY]],
    [
      "limit",
      integerOrInfinity(1),
      [1, 5, Number.POSITIVE_INFINITY],
      [0, 1.5, Number.NaN, Number.NEGATIVE_INFINITY, "Infinity"],
    ],
    ["flag", isBoolean, [true, false], [0, 1, "true", null, {}]],
    ["callable", isFunction, [(): void => undefined, Object], [{}, "f", null]],
    ["text", isString, ["", "x"], [0, null, {}, ["x"]]],
    ["oneOf", oneOf("run", "reject"), ["run", "reject"], ["Run", "", "toString", null, ["run"]]],
    ["shape", hasMethods("a Dialer", "dial"), [{ dial: (): void => undefined }], [{}, { dial: 1 }, null, "dial", []]],
    ["oneOrMore", oneOrMore(isString), ["x", [], ["x", "y"]], [1, [1], ["x", 1], [["x"]]]],
    [
      "abortSignal",
      abortSignal,
      [new AbortController().signal],
      [new AbortController(), null, {}, "abort", new EventTarget()],
    ],
  ])("%s", (_name, rule, pass, refused) => {
    expect(sorted(rule, [...pass, ...refused])).toEqual([pass, refused]);
  });

  it("finds a method its value inherits", () => {
    class Base {
      dial(): void {}
    }
    expect(hasMethods("a Dialer", "dial")(new (class extends Base {})())).toBeUndefined();
  });

  it.each([
    [duration(0), "a number of ms over 0 and at most 2147483647, or Infinity"],
    [finiteDuration(0), "a number of ms over 0 and at most 2147483647"],
    [integer(1)(0), "an integer ≥ 1"],
    [integer(1, 5)(0), "an integer from 1 to 5"],
    [integerOrInfinity(1)(0), "an integer ≥ 1 or Infinity"],
    [oneOf("run", "reject")(0), '"run" or "reject"'],
    [oneOrMore(hasMethods("a Dialer", "dial"))(0), "a Dialer, or an array of such"],
    [abortSignal(0), "an AbortSignal"],
  ])("says what it wants: %s", (said, wanted) => {
    expect(said).toBe(wanted);
  });
});

describe("defaults", () => {
  it("are laid under what was given, and undefined does not override", () => {
    const defaults = Object.freeze({ a: 1, b: 2, c: 3 });
    expect(withDefaults(defaults, { a: 9, b: undefined, d: 0 })).toEqual({ a: 9, b: 2, c: 3, d: 0 });
    expect(defaults).toEqual({ a: 1, b: 2, c: 3 });
  });
});

describe("a checked copy", () => {
  it("has each option read once, so that what was checked is what is used", () => {
    let reads = 0;
    const given = {
      get ms(): number {
        return ++reads === 1 ? 5 : Number.NaN;
      },
    };
    expect(checkedCopy("it", given, { ms: duration })).toEqual({ ms: 5 });
    expect(reads).toBe(1);
  });

  it.each([null, [], "x", 5] as unknown[])("is not made of %j", (given) => {
    expect(() => checkedCopy("it", given as Some, { ms: duration, n: integer(1) })).toThrow(
      /^it: expected an options object/,
    );
  });
});
