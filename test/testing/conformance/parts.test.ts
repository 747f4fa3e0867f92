/** What the cases are made of: assertions that say what they saw, waits that end, a signal that knows its listeners. */
import { describe, expect, test } from "vitest";
import {
  expectAtMost,
  expectEqual,
  expectFields,
  expectTrue,
  expectWords,
  rejectionOf,
  show,
  thrownBy,
} from "../../../src/testing/conformance/expectation.ts";
import { realTime, virtualTime } from "../../../src/testing/conformance/test-time.ts";
import { WatchedSignal } from "../../../src/testing/conformance/watched-signal.ts";

describe("expectations", () => {
  const same = new Error("same");

  test.each([
    [1, 1],
    [Number.NaN, Number.NaN],
    [undefined, undefined],
    [same, same],
    [Uint8Array.of(1, 2), Uint8Array.of(1, 2)],
    [new Uint8Array(), new Uint8Array()],
    [
      ["a", [1]],
      ["a", [1]],
    ],
    [{ a: { b: [1] } }, { a: { b: [1] } }],
  ])("%s equals %s", (actual, expected) => {
    expectEqual(actual, expected, "it");
  });

  test.each([
    [1, 2, "it: expected 2, got 1"],
    ["1", 1, `it: expected 1, got "1"`],
    [undefined, null, "it: expected null, got undefined"],
    [Uint8Array.of(1, 2), Uint8Array.of(1, 3), "it: byte 1: expected 3, got 2"],
    [Uint8Array.of(1), Uint8Array.of(1, 2), "it: expected 2 bytes, got 1"],
    [[1], Uint8Array.of(1), "it: expected 1 bytes, got [1]"],
    [["a", "c"], ["a", "b"], `it: [1]: expected "b", got "c"`],
    [["a"], ["a", "b"], `it: expected 2 items, got 1: ["a"]`],
    [["a", "b"], ["a"], `it: expected 1 items, got 2: ["a", "b"]`],
    [{ a: 1 }, { a: 2 }, "it: a: expected 2, got 1"],
    [{}, { a: 2 }, "it: a: expected 2, got undefined"],
    [{ a: 1, b: 2 }, { a: 1 }, "it: b was not expected"],
    [[], {}, "it: expected {  }, got []"],
    [new RangeError("no"), same, "it: expected Error: same, got RangeError: no"],
    [new RangeError("no"), {}, "it: expected {  }, got RangeError: no"],
  ])("%s does not equal %s: %s", (actual, expected, words) => {
    expect(() => expectEqual(actual, expected, "it")).toThrow(new Error(words));
  });

  test("fields are looked at where they are expected, also on errors", () => {
    const error = Object.assign(new Error("no luck"), { code: "E_NO" });
    expectFields(error, { code: "E_NO", message: "no luck" }, "it");
    expect(() => expectFields(error, { code: "E_YES" }, "it")).toThrow(
      `it: code: expected "E_YES", got "E_NO", of Error: no luck`,
    );
    expect(() => expectFields(undefined, { code: "E_YES" }, "it")).toThrow(
      `it: expected { code: "E_YES" }, got undefined`,
    );
  });

  test("the others say what they saw, too", async () => {
    expectAtMost(3, 3, "it");
    expect(() => expectAtMost(4, 3, "it")).toThrow("it: expected at most 3, got 4");
    expect(() => expectAtMost(Number.NaN, 3, "it")).toThrow("got NaN");
    expect(() => expectTrue(false, "the sun shines")).toThrow("expected, and not so: the sun shines");
    expect(() => expectWords("abc", "d", "it")).toThrow(`it: expected the words "d" in "abc"`);
    expect(() => expectWords(undefined, "d", "it")).toThrow("in undefined");
    expect(() => thrownBy(() => undefined, "it")).toThrow("it: expected it to throw, and it did not");
    expect(await rejectionOf(Promise.reject(same), "it")).toBe(same);
    await expect(rejectionOf(Promise.resolve([1]), "it")).rejects.toThrow("it resolved to [1]");
  });

  test("what is shown stays short", () => {
    expect(show("x".repeat(1_000)).length).toBeLessThan(130);
    expect(show(Array.from({ length: 100 }, (_, i) => i))).toBe("[0, 1, 2, 3, 4, 5, 6, 7, … 100 in all]");
    expect(show(new Uint8Array(1_000_000))).toBe("1000000 bytes");
    expect(show(Symbol("a"))).toBe("Symbol(a)");
  });
});

describe.each([
  ["virtual", virtualTime, "nothing moves any more"],
  ["real", (): ReturnType<typeof realTime> => realTime({ stuckAfter: 1, quiet: 0 }), "1 ms"],
] as const)("%s time", (_name, make, words) => {
  test("gives up on a condition and on a promise, in words", async () => {
    const time = make();
    await expect(time.until(() => false)).rejects.toThrow(words);
    await expect(time.settle(new Promise(() => undefined))).rejects.toThrow(words);
  });

  test("hands on what a promise settles with", async () => {
    const time = make();
    const reason = new Error("as it was");
    expect(await time.settle(Promise.resolve(5))).toBe(5);
    await expect(time.settle(Promise.reject(reason))).rejects.toBe(reason);
  });

  test("passes, as its own clock tells it", async () => {
    const time = make();
    const before = time.clock.now();
    await time.pass(3);
    expect(time.clock.now() - before).toBeGreaterThan(2); // a host's timer may be a fraction early
  });

  test("waits for what is on its way", async () => {
    const time = make();
    let arrived = 0;
    time.clock.nextTurn(() => time.clock.nextTurn(() => arrived++));
    await time.quiet();
    expect(arrived).toBe(1);
  });
});

describe("virtual time", () => {
  test("is waited in by several at once", async () => {
    const time = virtualTime();
    const late = new Promise<string>((resolve) => void time.clock.set(5, () => resolve("late")));
    const [, second, third] = await Promise.all([
      time.pass(5),
      time.settle(late),
      time.until(() => true),
      time.quiet(),
    ]);
    expect([second, third]).toEqual(["late", undefined]);
    expect(time.clock.now()).toBe(5);
  });

  test("goes on after a step that threw", async () => {
    const time = virtualTime();
    time.clock.nextTurn(() => {
      throw new Error("a transport's mistake");
    });
    await expect(time.quiet()).rejects.toThrow("a transport's mistake");
    await time.pass(1);
    expect(time.clock.now()).toBe(1);
  });
});

describe("a watched signal", () => {
  test("knows whether it has listeners", () => {
    const watched = new WatchedSignal();
    const listener = (): void => undefined;
    const leaving = new AbortController();
    expect(watched.isHeard).toBe(false);
    watched.signal.addEventListener("abort", listener);
    watched.signal.addEventListener("abort", () => undefined, { signal: leaving.signal });
    watched.signal.removeEventListener("abort", listener);
    expect(watched.isHeard).toBe(true);
    leaving.abort();
    expect(watched.isHeard).toBe(false);
    watched.signal.onabort = listener;
    expect(watched.isHeard).toBe(true);
  });

  test("is a signal like any other", () => {
    const watched = new WatchedSignal();
    let heard = 0;
    watched.signal.addEventListener("abort", () => heard++, { once: true });
    watched.signal.dispatchEvent(new Event("abort"));
    watched.signal.dispatchEvent(new Event("abort"));
    expect(heard).toBe(1);
  });
});
