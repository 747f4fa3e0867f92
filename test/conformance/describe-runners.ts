/** The runner's conformance cases as tests of vitest. */
import { describe, test } from "vitest";
import { runnerConformance } from "../../src/testing/conformance/runner-conformance.ts";
import type { fleets } from "./fleets.ts";

/** Makes a test of each case, over each fleet behind so many relays. */
export function describeRunners(over: readonly (typeof fleets)[number][], depths: readonly number[]): void {
  const placed = over.flatMap(({ name, make }) => depths.map((relays) => ({ name, make, relays })));
  describe.each(placed)("the runner's conformance cases over $name, behind $relays relays", ({ make, relays }) => {
    const laws = runnerConformance(make, relays).map(({ name, run }) => [name, run] as const);
    test.each(laws)("%s", (_name, run) => run());
  });
}
