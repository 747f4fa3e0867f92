import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeError, errorLine, errorParts } from "../../src/core/describe-error.ts";

function hostile(key: string): unknown {
  return Object.defineProperty(new Error("x"), key, {
    get: () => {
      throw new Error("not for you");
    },
  });
}

const revoked = Proxy.revocable({}, {});
revoked.revoke();

describe("the words of anything thrown", () => {
  it("are an error's message, with its name when asked for", () => {
    const error = new TypeError("two is one too many\nand three is two");
    expect(describeError(error)).toBe("two is one too many\nand three is two");
    expect(errorLine(error)).toBe("TypeError: two is one too many");
    expect(errorParts(error)).toEqual({ name: "TypeError", message: error.message });
  });

  it.each([
    ["x", "x"],
    [undefined, "undefined"],
    [null, "null"],
    [Symbol("s"), "Symbol(s)"],
    [12n, "12"],
    [{}, "[object Object]"],
  ])("are the text of what is not an error: %s", (thrown, text) => {
    expect([describeError(thrown), errorLine(thrown)]).toEqual([text, text]);
    expect(errorParts(thrown)).toEqual({ name: "", message: text });
  });

  it("are said to be missing where reading them throws", () => {
    const thrower = {
      toString: () => {
        throw new Error("no");
      },
    };
    for (const thrown of [hostile("message"), hostile("name"), Object.create(null), revoked.proxy, thrower]) {
      expect([describeError(thrown), errorLine(thrown)]).toEqual(["an error without words", "an error without words"]);
    }
  });

  it("are texts even where an error has something else for them", () => {
    expect(errorParts(Object.assign(new Error("x"), { name: 1, message: undefined }))).toEqual({
      name: "1",
      message: "undefined",
    });
  });

  it("are found in any value at all", () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withSparseArray: true, withBigInt: true }), (thrown) => {
        expect(typeof describeError(thrown)).toBe("string");
        expect(errorLine(thrown)).not.toContain("\n");
      }),
    );
  });
});
