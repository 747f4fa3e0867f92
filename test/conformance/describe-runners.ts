/** The runner's conformance cases as tests of vitest. */
import { describe, expect, test } from "vitest";
import { runnerConformance } from "../../src/testing/conformance/runner-conformance.ts";
import type { fleets } from "./fleets.ts";

/** Makes a test of each case, or of those with these names, over each fleet behind so many relays. */
export function describeRunners(
  over: readonly (typeof fleets)[number][],
  depths: readonly number[],
  only?: readonly string[],
): void {
  const placed = over.flatMap(({ name, make }) => depths.map((relays) => ({ name, make, relays })));
  describe.each(placed)("the runner's conformance cases over $name, behind $relays relays", ({ make, relays }) => {
    const all = runnerConformance(make, relays).map(({ name, run }) => [name, run] as const);
    const laws = only === undefined ? all : all.filter(([name]) => only.includes(name));
    test("there are cases of all these names", () => expect(laws).toHaveLength((only ?? all).length));
    test.each(laws)("%s", (_name, run) => run());
  });
}
