/** Why a simulated run fails, other than by what its scenario throws. */

/** A promise the library makes was broken. */
export class InvariantError extends Error {
  /** Names the class. */
  override readonly name: string = "InvariantError";
  /** Which: `within-capacity`. The list is in docs/testing.md. */
  readonly invariant: string;

  /** @internal */
  constructor(invariant: string, what: string) {
    super(`${invariant}: ${what}`);
    this.invariant = invariant;
  }
}

/** The simulation leads nowhere: something in it waits for what never comes. */
export class StuckError extends Error {
  /** Names the class. */
  override readonly name: string = "StuckError";
}

/** A handler ended while the host was busy with something that is not of the simulation. */
export function escaped(handler: string): StuckError {
  return new StuckError(
    `${handler} waited for something outside of the simulation: real time or real I/O. Wait with sim.sleep instead, and give ` +
      "it what it would have read",
  );
}
