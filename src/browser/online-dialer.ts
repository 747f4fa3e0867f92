/** A dialer that waits while the browser has no network: no tries are wasted, and none is put off once it is back. */
import type { Dialer, Socket, SocketLimits } from "../index.ts";

/** Around another dialer. */
export class OnlineDialer implements Dialer {
  readonly #dialer: Dialer;
  readonly #waiting = new Set<() => void>();
  #open = true;

  constructor(dialer: Dialer) {
    this.#dialer = dialer;
  }

  /** Whether the browser is thought to have a network. A fresh gate thinks so: a browser may be wrong about loopback. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** The browser says that it has a network, or none. */
  set(open: boolean): void {
    this.#open = open;
    if (!open) return;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  async dial(signal: AbortSignal, limits: SocketLimits): Promise<Socket> {
    while (!this.#open) await this.#opened(signal);
    return await this.#dialer.dial(signal, limits);
  }

  #opened(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject: (reason: unknown) => void) => {
      if (signal.aborted) return reject(signal.reason);
      const onAbort = (): void => {
        this.#waiting.delete(wake);
        reject(signal.reason);
      };
      const wake = (): void => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", onAbort);
    });
  }
}
