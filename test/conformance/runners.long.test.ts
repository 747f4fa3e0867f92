/** The runner's conformance cases over every transport behind one and two relays, and all of them over threads. */
import { fleets } from "./fleets.ts";
import { describeRunners } from "./describe-runners.ts";

describeRunners(fleets.slice(1), [1, 2]);
describeRunners(
  fleets.filter(({ name }) => name === "threads"),
  [0],
);
