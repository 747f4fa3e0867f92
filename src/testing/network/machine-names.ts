/** The names of machines: what one may be, and which there are, so that a fault for a machine that is not there is not lost. */
import { describeValue } from "../history/format.ts";

/**
 * A name as it was given.
 * @throws TypeError, naming what the name is for, when it is not a string or empty.
 */
export function machineName(name: unknown, what: string): string {
  if (typeof name === "string" && name !== "") return name;
  throw new TypeError(`${what} is called by a name that is not empty, not ${describeValue(name)}`);
}

/** The machines that listened, dialled or were attached; those that have crashed included. */
export class MachineNames {
  readonly #known = new Set<string>();

  /** There is one of this name. @throws TypeError when it is no name. */
  add(name: string): void {
    this.#known.add(machineName(name, "a machine"));
  }

  /**
   * One or several that a fault is for.
   * @throws TypeError when a name is missing; Error when there is no machine of that name.
   */
  listed(fault: string, given: string | readonly string[]): readonly string[] {
    const names = Array.isArray(given) ? (given as readonly unknown[]) : [given];
    return names.map((name) => {
      if (typeof name !== "string")
        throw new TypeError(`${fault}: expected the name of a machine, got ${describeValue(name)}`);
      if (this.#known.has(name)) return name;
      const present = this.#known.size === 0 ? "there is none yet" : `there are ${[...this.#known].join(", ")}`;
      throw new Error(`${fault}: no machine is called ${JSON.stringify(name)}; ${present}`);
    });
  }
}
