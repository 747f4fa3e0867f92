/** The runner's laws over every transport. */
import { fleets } from "./fleets.ts";
import { runnerLaws } from "./runner-laws.ts";

for (const { name, make } of fleets) runnerLaws(name, make);
