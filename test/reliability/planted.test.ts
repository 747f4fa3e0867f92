/** Each planted bug is found. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { beforeAll, expect, it } from "vitest";
import { lookFor } from "./planted.ts";
import { PLANTED_BUGS } from "./planted/bugs.ts";

const results = new Map<string, Awaited<ReturnType<typeof lookFor>>>();

/** Several processes at a time: each bug has one of its own. */
beforeAll(async () => {
  const bugs = [...PLANTED_BUGS];
  const look = async (): Promise<void> => {
    for (let bug = bugs.shift(); bug !== undefined; bug = bugs.shift()) results.set(bug.name, await lookFor(bug));
  };
  await Promise.all(Array.from({ length: availableParallelism() }, look));
}, 400_000);

it("there are at least twenty, each with a place of its own", () => {
  expect(PLANTED_BUGS.length).toBeGreaterThanOrEqual(20);
  for (const { name, file, from, to } of PLANTED_BUGS) {
    const text = readFileSync(new URL(`../../src/core/${file}.ts`, import.meta.url), "utf8");
    expect(text.split(from).length - 1, name).toBe(1);
    expect(to).not.toBe(from);
  }
  expect(new Set(PLANTED_BUGS.map(({ name }) => name)).size).toBe(PLANTED_BUGS.length);
});

it.each(PLANTED_BUGS)("$name", ({ name }) => {
  const result = results.get(name);
  expect(result?.found, `not found in ${result?.seeds ?? 0} seeds`).toBeDefined();
});
