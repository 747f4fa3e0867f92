/** The runner's conformance cases over every transport, and behind one and two relays. */
import { describe, expect, test } from "vitest";
import { runnerConformance } from "../../src/testing/conformance/runner-conformance.ts";
import { fleets } from "./fleets.ts";

const placed = fleets.flatMap(({ name, make }) => [0, 1, 2].map((relays) => ({ name, make, relays })));

describe.each(placed)("the runner's conformance cases over $name, behind $relays relays", ({ make, relays }) => {
  const laws = runnerConformance(make, relays).map(({ name, run }) => [name, run] as const);
  test.each(laws)("%s", (_name, run) => run());
});

test("behind a relay only the lease of a worker is something else", () => {
  const [fleet] = fleets;
  if (fleet === undefined) throw new Error("no fleet");
  const behind = new Set(runnerConformance(fleet.make, 1).map(({ name }) => name));
  const without = runnerConformance(fleet.make).filter(({ name }) => !behind.has(name));
  expect(without.map(({ name }) => name)).toEqual(["holds a worker for related jobs"]);
});
