/**
 * Listens to abort signals: once per distinct signal, however many jobs share it. Why: a listener costs a microsecond, and
 * hosts warn beyond ten on one signal.
 */

/** What waits for an abort. */
export interface Abortable {
  /** The signal aborted, with this reason. */
  aborted(reason: unknown): void;
}

interface Watch {
  readonly waiting: Set<Abortable>;
  readonly listener: () => void;
}

/** Signals and what waits for each. */
export class AbortListeners {
  readonly #watches = new Map<AbortSignal, Watch>();

  /** How many signals are listened to. */
  get size(): number {
    return this.#watches.size;
  }

  /** Calls `waiter` when `signal` aborts, until `forget`. */
  watch(signal: AbortSignal, waiter: Abortable): void {
    let watch = this.#watches.get(signal);
    if (watch === undefined) {
      watch = { waiting: new Set(), listener: () => this.#fire(signal) };
      this.#watches.set(signal, watch);
      signal.addEventListener("abort", watch.listener);
    }
    watch.waiting.add(waiter);
  }

  /** Ends that. Harmless when it does not wait. */
  forget(signal: AbortSignal, waiter: Abortable): void {
    const watch = this.#watches.get(signal);
    if (watch === undefined) return;
    watch.waiting.delete(waiter);
    if (watch.waiting.size === 0) this.#drop(signal, watch);
  }

  #fire(signal: AbortSignal): void {
    const watch = this.#watches.get(signal);
    if (watch === undefined) return;
    // The end of one waiter may be the end of another: a waiter that is forgotten meanwhile is not called.
    for (const waiter of watch.waiting) waiter.aborted(signal.reason);
    this.#drop(signal, watch);
  }

  #drop(signal: AbortSignal, watch: Watch): void {
    this.#watches.delete(signal);
    signal.removeEventListener("abort", watch.listener);
  }
}
