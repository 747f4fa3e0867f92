/**
 * One stream of events to any number of listeners. Listeners run at the end of the turn, when the state is consistent.
 * What a listener throws becomes the host's uncaught error, and touches neither the others nor the core.
 */
import type { Clock } from "../time/clock.ts";

/** One call of `on`: a listener added twice is removed one at a time. */
interface Subscription<E> {
  readonly listener: (event: E) => void;
  /** Whether it wants events of single jobs. */
  readonly jobs: boolean;
  active: boolean;
}

/** Delivers events of one union type: to each listener those emitted after it was added and delivered before it is removed. */
export class Emitter<E> {
  readonly #clock: Clock;
  #subscriptions: readonly Subscription<E>[] = [];
  #wantsJobEvents = false;
  #waiting: { readonly event: E; readonly to: readonly Subscription<E>[] }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether there are listeners: without one, no event need be made. */
  get active(): boolean {
    return this.#subscriptions.length > 0;
  }

  /** Whether a listener wants events of single jobs: they are a large part of what a small job costs. */
  get wantsJobEvents(): boolean {
    return this.#wantsJobEvents;
  }

  /**
   * Adds a listener; the returned function removes it and may be called twice. A listener without `jobs` still gets
   * events of single jobs while another one wants them.
   */
  on(listener: (event: E) => void, jobs: boolean = true): () => void {
    if (typeof listener !== "function") throw new TypeError("on: expected a function to call for each event");
    const own = { listener, jobs, active: true };
    this.#subscribe([...this.#subscriptions, own]);
    return () => {
      own.active = false;
      this.#subscribe(this.#subscriptions.filter((other) => other !== own));
    };
  }

  /** Hands an event over, to be delivered at the end of the turn. */
  emit(event: E): void {
    if (!this.active) return;
    if (this.#waiting.push({ event, to: this.#subscriptions }) === 1) this.#clock.endOfTurn(this.#deliver);
  }

  /** Delivers what was emitted now: before a promise settles that ends what the events are about. Runs user code. */
  flush(): void {
    this.#deliver();
  }

  #subscribe(subscriptions: readonly Subscription<E>[]): void {
    this.#subscriptions = subscriptions;
    this.#wantsJobEvents = subscriptions.some(({ jobs }) => jobs);
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
