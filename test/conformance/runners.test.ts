/** The runner's conformance cases over every transport, and behind relays within a process. See runners.long.test.ts for the rest. */
import { expect, test } from "vitest";
import { runnerConformance } from "../../src/testing/conformance/runner-conformance.ts";
import { fleets } from "./fleets.ts";
import { describeRunners } from "./describe-runners.ts";

const [first, ...others] = fleets;
if (first === undefined) throw new Error("no fleet");

describeRunners([first], [0, 1, 2]);
describeRunners(others, [0]);

test("behind a relay only the lease of a worker is something else", () => {
  const behind = new Set(runnerConformance(first.make, 1).map(({ name }) => name));
  const without = runnerConformance(first.make).filter(({ name }) => !behind.has(name));
  expect(without.map(({ name }) => name)).toEqual(["holds a worker for related jobs"]);
});
