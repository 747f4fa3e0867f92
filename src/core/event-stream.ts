/**
 * One stream of events to any number of listeners. Listeners run at the end of the turn, after the state they hear of is
 * consistent; what one throws is the host's uncaught error and touches neither the others nor the core.
 */
import type { Clock } from "./clock.ts";

/** Delivers events of one union type. */
export class EventStream<E> {
  readonly #clock: Clock;
  #listeners: readonly ((event: E) => void)[] = [];
  #waiting: E[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether anybody listens: an event nobody hears need not be made. */
  get active(): boolean {
    return this.#listeners.length > 0;
  }

  /** Adds a listener; the returned function removes it and may be called twice. */
  on(listener: (event: E) => void): () => void {
    // A fresh function for each call, so that one listener added twice is removed one at a time.
    const own = (event: E): void => listener(event);
    this.#listeners = [...this.#listeners, own];
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== own);
    };
  }

  /** Hands an event over, to be delivered at the end of the turn. */
  emit(event: E): void {
    if (this.#listeners.length === 0) return;
    if (this.#waiting.push(event) === 1) this.#clock.endOfTurn(this.#deliver);
  }

  readonly #deliver = (): void => {
    const events = this.#waiting;
    this.#waiting = [];
    for (const event of events) for (const listener of this.#listeners) this.#call(listener, event);
  };

  #call(listener: (event: E) => void, event: E): void {
    try {
      listener(event);
    } catch (error) {
      this.#clock.endOfTurn(() => {
        throw error;
      });
    }
  }
}
