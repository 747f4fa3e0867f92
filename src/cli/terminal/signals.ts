/** SIGINT and SIGTERM: the first asks for an orderly end, a later one for an immediate one. */

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * Time in which a second signal counts as the first: supervisors and `timeout` signal a whole process group, and a parent may
 * pass its own signal on.
 */
const REPEAT_MS = 500;

/** Calls `first` on the first signal and `second` on every later one, until `release`. */
export class SignalHandler {
  readonly #onSignal: () => void;
  #firstAt: number | undefined;

  /** Takes over both signals. `now` is a reading in ms. */
  constructor(first: () => void, second: () => void, now: () => number = () => performance.now()) {
    this.#onSignal = (): void => {
      if (this.#firstAt === undefined) {
        this.#firstAt = now();
        first();
      } else if (now() - this.#firstAt >= REPEAT_MS) {
        second();
      }
    };
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  /** Gives the signals back to the host. May be called twice. */
  release(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }
}
