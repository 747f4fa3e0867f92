import { describe, expect, test } from "vitest";
import { houseFaults, looseAssertions, personsInComments, sharedNames } from "../support/house-style.ts";
import { textsBelow } from "../support/package-files.ts";

describe("the house style", () => {
  test("holds in src", () => {
    const texts = textsBelow("src", ".ts");
    expect(texts.size).toBeGreaterThan(0);
    expect([...texts].flatMap(([path, text]) => houseFaults(path, text))).toEqual([]);
  });

  test("comments in src speak of things", () => {
    expect([...textsBelow("src", ".ts")].flatMap(([path, text]) => personsInComments(path, text))).toEqual([]);
  });

  test("no name is exported by two files of src", () => {
    // One function at two doors: `powerhose/websocket/node` adds what Node can say besides, headers and TLS.
    const known = /^dialWebSocket: /;
    expect(sharedNames(textsBelow("src", ".ts")).filter((one) => !known.test(one))).toEqual([]);
  });

  test("holds in test", () => {
    const texts = textsBelow("test", ".ts");
    expect(texts.size).toBeGreaterThan(0);
    expect([...texts].flatMap(([path, text]) => looseAssertions(path, text))).toEqual([]);
  });
});

describe("the guard itself", () => {
  const opening = "/** Owns nothing. */\n";

  test("finds nothing where nothing is wrong", () => {
    const text = `#!/usr/bin/env node\n${opening}export const a = 1 as unknown; declare let b: number; { let c = a; const d = c; }`;
    expect(houseFaults("src/core/a.ts", text)).toEqual([]);
  });

  test.each([
    [
      "src/core/a.ts",
      `${opening}const a = {} as unknown as string;`,
      "src/core/a.ts:2: an assertion by way of `unknown`",
    ],
    [
      "src/core/a.ts",
      `${opening}const a = ({} as unknown) as string;`,
      "src/core/a.ts:2: an assertion by way of `unknown`",
    ],
    ["src/core/a.ts", `${opening}let a = 1;`, "src/core/a.ts:2: a variable of the module"],
    ["src/core/a.ts", `${opening}export var a = 1;`, "src/core/a.ts:2: a variable of the module"],
    ["src/core/a.ts", `${opening}{ using a = b(); }`, "src/core/a.ts:2: `using` is large once compiled"],
    [
      "src/core/a.ts",
      `${opening}async () => { await using a = b(); };`,
      "src/core/a.ts:2: `using` is large once compiled",
    ],
    ["src/core/a.ts", `// Owns nothing.\nexport {};`, "src/core/a.ts:1: does not open with what it owns"],
    ["src/core/utils.ts", opening, "src/core/utils.ts:1: says nothing by its name"],
  ])("finds a fault planted in %s: %s", (path, text, fault) => {
    expect(houseFaults(path, text)).toEqual([fault]);
  });

  test("finds a person in a comment, and not in code", () => {
    const text = `${opening}const who = "nobody"; // Whoever waits.\n/* See it:\n * he goes first. */\n`;
    expect(personsInComments("a.ts", text)).toEqual(['a.ts:2: "Whoever" in a comment', 'a.ts:4: "he" in a comment']);
  });

  test("finds a name that two files export", () => {
    const a = "export const one = 1; export interface Two {} export default class {}";
    const b = "export class Two {} const one = 2; export function three(): void {}";
    const texts = new Map(Object.entries({ "a.ts": a, "b.ts": b, "c.ts": "export function three(): void;" }));
    expect(sharedNames(texts)).toEqual(["Two: a.ts, b.ts", "three: b.ts, c.ts"]);
  });
});
