/** fast-check as the tests know it, but quicker to its verdict: of a mutant it is enough to know that it was caught. */
import * as fc from "fast-check";

export * from "fast-check";

/** A run of an asynchronous property plays a whole game on virtual time; the others cost next to nothing. */
const MAX_GAMES = 100;
/** The same games for each mutant, and in each run of the tool: some tests count what their games have come to. */
const SEED = 1;

/** Does not shrink, and plays fewer games. */
export function assert(property, parameters = {}) {
  const numRuns = property.isAsync() ? Math.min(parameters.numRuns ?? MAX_GAMES, MAX_GAMES) : parameters.numRuns;
  return fc.assert(property, {
    seed: SEED,
    ...parameters,
    ...(numRuns === undefined ? {} : { numRuns }),
    endOnFailure: true,
  });
}
