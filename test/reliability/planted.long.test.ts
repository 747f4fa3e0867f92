/** Each planted bug is found. That each still has its place in the core is checked in planted.test.ts. */
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

it.each(PLANTED_BUGS)("$name", ({ name }) => {
  const result = results.get(name);
  expect(result?.found, `not found in ${result?.seeds ?? 0} seeds`).toBeDefined();
});
