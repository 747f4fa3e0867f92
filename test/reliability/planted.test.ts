/** Planted bugs: each has its place in the core. That each is found is for the long test. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { textsBelow } from "../support/package-files.ts";
import { PLANTED_BUGS } from "./planted/bugs.ts";

it("there are at least twenty, each with a place of its own", () => {
  expect(PLANTED_BUGS.length).toBeGreaterThanOrEqual(20);
  for (const { name, file, from, to } of PLANTED_BUGS) {
    const text = readFileSync(new URL(`../../src/core/${file}.ts`, import.meta.url), "utf8");
    expect(text.split(from).length - 1, name).toBe(1);
    expect(to).not.toBe(from);
  }
  // A member the core does not have would be found in any world, as a TypeError.
  const core = [...textsBelow("src/core", ".ts").values()].join("\n");
  const members = PLANTED_BUGS.flatMap(({ to }) => to.match(/[.#][A-Za-z]\w*/g) ?? []);
  expect(members.filter((member) => !core.includes(member))).toEqual([]);
  expect(new Set(PLANTED_BUGS.map(({ name }) => name)).size).toBe(PLANTED_BUGS.length);
});
