/** The runner's conformance cases over every transport, and behind relays within a process. See runners.long.test.ts for the rest. */
import { expect, test } from "vitest";
import { runnerConformance } from "../../src/testing/conformance/runner-conformance.ts";
import { fleets } from "./fleets.ts";
import { describeRunners } from "./describe-runners.ts";

const [first, ...others] = fleets;
if (first === undefined) throw new Error("no fleet");

/** Cases in which a thread differs from a worker of this process; the long test has all of them. Each starts threads of its own. */
const OVER_THREADS = [
  "runs text, bytes, empty and odd data, and answers in kind",
  "settles a thousand jobs, each with its own answer",
  "hands errors over as they were thrown, and keeps the worker",
  "cancels: the caller hears at once, the handler's signal aborts, the slot comes back",
  "loses no job with a worker: it runs elsewhere, or the caller is told",
  "ends the handler's generator when its reader leaves, and the slot comes back",
  "fails the reader of a stream that is lost: what had arrived, then why",
];
const isThreads = ({ name }: (typeof fleets)[number]): boolean => name === "threads";

describeRunners([first], [0, 1, 2]);
describeRunners(
  others.filter((fleet) => !isThreads(fleet)),
  [0],
);
describeRunners(fleets.filter(isThreads), [0], OVER_THREADS);

test("behind a relay only the lease of a worker is something else", () => {
  const behind = new Set(runnerConformance(first.make, 1).map(({ name }) => name));
  const without = runnerConformance(first.make).filter(({ name }) => !behind.has(name));
  expect(without.map(({ name }) => name)).toEqual(["holds a worker for related jobs"]);
});
