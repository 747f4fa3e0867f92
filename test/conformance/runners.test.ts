/** The runner's conformance cases over every transport. */
import { describe, test } from "vitest";
import { runnerConformance } from "../../src/testing/conformance/runner-conformance.ts";
import { fleets } from "./fleets.ts";

describe.each(fleets)("the runner's conformance cases over $name", ({ make }) => {
  const laws = runnerConformance(make).map(({ name, run }) => [name, run] as const);
  test.each(laws)("%s", (_name, run) => run());
});
