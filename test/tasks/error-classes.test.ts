import { describe, expect, it } from "vitest";
import { remoteCause } from "../../src/core/dispatch/remote-error.ts";
import { describeThrown } from "../../src/core/worker/thrown-error.ts";
import { errorClasses, nameErrors, restoreErrors, type ErrorClass } from "../../src/tasks/error-classes.ts";

class CardDeclined extends Error {
  readonly reason: string;
  constructor(reason: string, options?: ErrorOptions) {
    super(`declined: ${reason}`, options);
    this.reason = reason;
    made.push(reason);
  }
  get isFinal(): boolean {
    return this.reason === "stolen";
  }
  advice(): string {
    return `ask again: ${this.reason}`;
  }
}
class Expired extends CardDeclined {
  override readonly name = "Expired";
}
const made: string[] = [];
const classes = errorClasses([CardDeclined, Expired]);

/** What the caller gets for what a handler has thrown. */
function arrived(thrown: unknown, known = classes): Error {
  nameErrors(thrown, known);
  const cause = remoteCause(describeThrown(thrown));
  restoreErrors(cause, known);
  return cause;
}

describe("an error of a registered class", () => {
  it("arrives as an instance, without its constructor, with its fields, message and stack", () => {
    const thrown = new CardDeclined("stolen");
    made.length = 0;
    const error = arrived(thrown);
    expect(made).toEqual([]);
    expect(error).toBeInstanceOf(CardDeclined);
    expect(error).not.toBeInstanceOf(Expired);
    expect(error).toMatchObject({ name: "CardDeclined", message: "declined: stolen", reason: "stolen", isFinal: true });
    expect((error as CardDeclined).advice()).toBe("ask again: stolen");
    expect(error.stack).toBe(thrown.stack);
  });

  it("arrives as the class it is, not the one it extends", () => {
    expect(arrived(new Expired("old"))).toBeInstanceOf(Expired);
  });

  it("arrives so as a cause and among several, and others stay what they are", () => {
    const inner = new AggregateError([new Expired("a"), new RangeError("b")], "both", { cause: "a text" });
    const error = arrived(new TypeError("outer", { cause: new CardDeclined("c", { cause: inner }) }));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.cause).toBeInstanceOf(CardDeclined);
    const both = (error.cause as Error).cause as AggregateError;
    expect(both.errors.map((one: unknown) => (one as object).constructor)).toEqual([Expired, RangeError]);
    expect(both.cause).toBe("a text");
  });

  it("goes by the name it is registered under", () => {
    const renamed = errorClasses({ "card.declined": CardDeclined });
    expect(arrived(new CardDeclined("x"), renamed)).toBeInstanceOf(CardDeclined);
    expect(arrived(new CardDeclined("x"), renamed).name).toBe("card.declined");
  });

  it("cannot replace what the class inherits", () => {
    const thrown = new CardDeclined("x");
    for (const [key, value] of Object.entries({
      advice: "none",
      toString: 1,
      constructor: 2,
      ["__proto__"]: { isAdmin: true },
    }))
      Object.defineProperty(thrown, key, { value, enumerable: true });
    const error = arrived(thrown) as CardDeclined;
    expect(error.advice()).toBe("ask again: x");
    expect(error.constructor).toBe(CardDeclined);
    expect(String(error)).toBe("CardDeclined: declined: x");
    expect(error).not.toHaveProperty("isAdmin");
  });

  it("of a name that is inherited by all objects is an Error", () => {
    for (const name of ["constructor", "__proto__", "toString"])
      expect(Object.getPrototypeOf(arrived(Object.assign(new Error("x"), { name })))).toBe(Error.prototype);
  });

  it("may stand in a circle, be frozen, or have getters that throw", () => {
    const circle = new CardDeclined("x");
    circle.cause = circle;
    expect(arrived(circle)).toBeInstanceOf(CardDeclined);
    expect(arrived(Object.freeze(new CardDeclined("x")))).toMatchObject({ name: "Error" });
    const broken = new CardDeclined("x");
    Object.defineProperty(broken, "errors", {
      get(): never {
        throw new Error("boom");
      },
    });
    expect(() => nameErrors(broken, classes)).not.toThrow();
    for (const thrown of [undefined, null, "text", 1]) expect(() => nameErrors(thrown, classes)).not.toThrow();
  });

  it("is one of a class of errors with a name of its own", () => {
    expect(() => errorClasses([CardDeclined, CardDeclined])).toThrow("each once, got `CardDeclined`");
    expect(() => errorClasses([Map as unknown, "x"] as ErrorClass[])).toThrow(
      "expected classes that extend Error, got Map",
    );
    expect(() => errorClasses([undefined] as never)).toThrow(TypeError);
  });
});
