/** The runner's laws over every transport. */
import { describe, test } from "vitest";
import { runnerLaws } from "../../src/testing/conformance/runner-conformance.ts";
import { fleets } from "./fleets.ts";

describe.each(fleets)("the runner's laws over $name", ({ make }) => {
  const laws = runnerLaws(make).map(({ name, run }) => [name, run] as const);
  test.each(laws)("%s", (_name, run) => run());
});
