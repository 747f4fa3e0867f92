/**
 * One stream of events to any number of listeners. Listeners run at the end of the turn, after the state they hear of is
 * consistent; what one throws is the host's uncaught error and touches neither the others nor the core.
 */
import type { Clock } from "./clock.ts";

/** One call of `on`: a listener added twice is removed one at a time. */
interface Subscription<E> {
  readonly listener: (event: E) => void;
  active: boolean;
}

/** Delivers events of one union type: to each listener those emitted after it was added and delivered before it is removed. */
export class EventStream<E> {
  readonly #clock: Clock;
  #subscriptions: readonly Subscription<E>[] = [];
  #waiting: { readonly event: E; readonly to: readonly Subscription<E>[] }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether anybody listens: an event nobody hears need not be made. */
  get active(): boolean {
    return this.#subscriptions.length > 0;
  }

  /** Adds a listener; the returned function removes it and may be called twice. */
  on(listener: (event: E) => void): () => void {
    if (typeof listener !== "function") throw new TypeError("on: expected a function to call for each event");
    const own = { listener, active: true };
    this.#subscriptions = [...this.#subscriptions, own];
    return () => {
      own.active = false;
      this.#subscriptions = this.#subscriptions.filter((other) => other !== own);
    };
  }

  /** Hands an event over, to be delivered at the end of the turn. */
  emit(event: E): void {
    if (!this.active) return;
    if (this.#waiting.push({ event, to: this.#subscriptions }) === 1) this.#clock.endOfTurn(this.#deliver);
  }

  readonly #deliver = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { event, to } of waiting) {
      for (const subscription of to) if (subscription.active) this.#call(subscription.listener, event);
    }
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
