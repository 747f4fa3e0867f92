/** Each planted bug is found. That each still has its place in the core is checked in planted.test.ts. */
import { availableParallelism } from "node:os";
import { beforeAll, expect, it } from "vitest";
import { lookFor } from "./planted.ts";
import { PLANTED_BUGS } from "./planted/bugs.ts";

type Found = Awaited<ReturnType<typeof lookFor>>;

const results = new Map<string, Found | Error>();

/** What was found, or why the search could not be run: one that cannot must not hide what the others found. */
async function lookOrFail(bug: (typeof PLANTED_BUGS)[number]): Promise<Found | Error> {
  try {
    return await lookFor(bug);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Several processes at a time: each bug has one of its own. */
beforeAll(async () => {
  const bugs = [...PLANTED_BUGS];
  const look = async (): Promise<void> => {
    for (let bug = bugs.shift(); bug !== undefined; bug = bugs.shift()) results.set(bug.name, await lookOrFail(bug));
  };
  await Promise.all(Array.from({ length: availableParallelism() }, look));
}, 700_000);

it.each(PLANTED_BUGS)("$name", ({ name }) => {
  const result = results.get(name);
  if (result instanceof Error) throw result;
  expect(result?.found, `not found in ${result?.seeds ?? 0} seeds`).toBeDefined();
});
