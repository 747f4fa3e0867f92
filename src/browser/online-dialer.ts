/** A dialer that waits while the browser has no network: no try is wasted, and none is delayed once the network is back. */
import type { Dialer, Socket, SocketLimits } from "../index.ts";

/** Wraps another dialer. */
export class OnlineDialer implements Dialer {
  readonly #dialer: Dialer;
  readonly #waiting = new Set<() => void>();
  #online = true;

  constructor(dialer: Dialer) {
    this.#dialer = dialer;
  }

  /** Whether the browser has a network, as last set. At first `true`: a browser may be wrong about loopback. */
  get isOnline(): boolean {
    return this.#online;
  }

  /** Sets whether the browser has a network. */
  setOnline(online: boolean): void {
    this.#online = online;
    if (!online) return;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  async dial(signal: AbortSignal, limits: SocketLimits): Promise<Socket> {
    while (!this.#online) await this.#whenOnline(signal);
    return await this.#dialer.dial(signal, limits);
  }

  #whenOnline(signal: AbortSignal): Promise<void> {
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
