/** An abort signal that counts its listeners. Why: browsers have no API for that number. */

/** A signal, and whether it has listeners. */
export class WatchedSignal {
  /** A signal that never aborts. */
  readonly signal: AbortSignal = new AbortController().signal;
  readonly #listeners = new Set<unknown>();

  constructor() {
    const { signal } = this;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    // The signal's own methods still work; their calls are counted on the way.
    signal.addEventListener = (
      type: string,
      listener: EventListenerOrEventListenerObject,
      options?: boolean | AddEventListenerOptions,
    ): void => {
      this.#listeners.add(listener);
      if (typeof options === "object") {
        options.signal?.addEventListener("abort", () => this.#listeners.delete(listener), { once: true });
      }
      add(type, listener, options);
    };
    signal.removeEventListener = (
      type: string,
      listener: EventListenerOrEventListenerObject,
      options?: boolean | EventListenerOptions,
    ): void => {
      this.#listeners.delete(listener);
      remove(type, listener, options);
    };
  }

  /** Whether it has a listener now, or an `onabort`. */
  get isHeard(): boolean {
    return this.#listeners.size > 0 || this.signal.onabort !== null;
  }
}
