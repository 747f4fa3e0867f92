/** Planted bugs, as many as `npm test` can afford: that each has its place in the core, and that one is found. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { textsBelow } from "../support/package-files.ts";
import { lookFor } from "./planted.ts";
import { PLANTED_BUGS } from "./planted/bugs.ts";

/** Found in the first world of this kind: the process is quick to end. */
const QUICK: readonly (readonly [bug: string, world: string])[] = [["late result accepted", "lies"]];
/** Each is found in the first seed; the others are there for a core that has changed. */
const MOST_SEEDS = 20;

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

it.each(QUICK)("found: %s, in a world of the kind %s", async (name, world) => {
  const bug = PLANTED_BUGS.find((one) => one.name === name);
  if (bug === undefined) throw new Error(`no planted bug is called ${name}`);
  expect(await lookFor({ ...bug, worlds: [world] }, MOST_SEEDS)).toMatchObject({ found: expect.any(String) as string });
});
