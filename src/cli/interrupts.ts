/** SIGINT and SIGTERM: the first asks for an orderly end, the second for one at once. What that means is the command's. */

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Calls `first` on the first signal and `second` on every later one, until it is let go. */
export class Interrupts {
  readonly #onSignal: () => void;
  #count = 0;

  /** Takes over both signals. */
  constructor(first: () => void, second: () => void) {
    this.#onSignal = (): void => (this.#count++ === 0 ? first() : second());
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  /** Whether a signal has come. */
  get any(): boolean {
    return this.#count > 0;
  }

  /** Gives the signals back to the host. May be called twice. */
  release(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }
}
