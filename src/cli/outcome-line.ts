/** Outcomes in the order in which they are to be written, whatever the order they come in. Holds them; counts no bytes. */

/** What has a place among the others. */
interface Placed {
  readonly index: number;
}

/** A queue in order of arrival, or one in order of places, without gaps. */
export class OutcomeLine<T extends Placed> {
  readonly #ordered: boolean;
  readonly #waiting = new Map<number, T>();
  #arrived = 0;
  #next = 0;

  constructor(ordered: boolean) {
    this.#ordered = ordered;
  }

  /** One has come. */
  add(outcome: T): void {
    this.#waiting.set(this.#ordered ? outcome.index : this.#arrived++, outcome);
  }

  /** The next one, if it is there. */
  shift(): T | undefined {
    const outcome = this.#waiting.get(this.#next);
    if (outcome !== undefined) this.#waiting.delete(this.#next++);
    return outcome;
  }
}
