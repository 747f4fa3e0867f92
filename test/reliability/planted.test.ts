/** Each planted bug is found. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { lookFor } from "./planted.ts";
import { PLANTED_BUGS } from "./planted/bugs.ts";

it("there are at least twenty, each with a place of its own", () => {
  expect(PLANTED_BUGS.length).toBeGreaterThanOrEqual(20);
  for (const { name, file, from, to } of PLANTED_BUGS) {
    const text = readFileSync(new URL(`../../src/core/${file}.ts`, import.meta.url), "utf8");
    expect(text.split(from).length - 1, name).toBe(1);
    expect(to).not.toBe(from);
  }
  expect(new Set(PLANTED_BUGS.map(({ name }) => name)).size).toBe(PLANTED_BUGS.length);
});

it.each(PLANTED_BUGS)("$name", { timeout: 400_000 }, async (bug) => {
  const { seeds, found } = await lookFor(bug);
  expect(found, `not found in ${seeds} seeds`).toBeDefined();
});
