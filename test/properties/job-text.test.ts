import { expect, it } from "vitest";
import { originalVectors } from "../support/job-texts.ts";
import { jobText } from "./job-text.ts";
import { original } from "./original.ts";
import { originalRead, originalWrite } from "./original-parser.ts";
import { tryFew } from "./trial.ts";

tryFew([...jobText, ...original]);

it("P4: the reference is the original, by what that wrote", () => {
  expect(originalVectors.length).toBeGreaterThan(50);
  for (const { data, headers, serialized } of originalVectors) {
    expect(originalWrite(data, headers)).toBe(serialized);
    expect(originalRead(serialized)).toEqual({ data, headers: new Map(headers) });
  }
});

it("P4: the reference is the original, by what it got wrong", () => {
  expect(originalRead("url:http\\://a:::x"), "a colon in a value").toBe("error");
  expect(originalRead("a::::x"), "an empty value").toBe("error");
  expect(originalRead("a:b\\::::x"), "a value that ends in a colon").toEqual({
    data: ":x",
    headers: new Map([["a", "b\\"]]),
  });
  expect(originalRead("NONE::a:b:::x"), "NONE anywhere").toEqual({ data: "x", headers: new Map() });
  expect(originalRead(" a:b :::x"), "spaces").toEqual({ data: "x", headers: new Map([["a", "b"]]) });
  expect(originalRead("a:1::a:2:::x"), "a name twice").toEqual({ data: "x", headers: new Map([["a", "2"]]) });
});
