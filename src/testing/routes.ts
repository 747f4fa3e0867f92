/** Which machine reaches which, and how fast each reads. Knows no connection. */

/** The state of the network's routes. All are open at first. */
export class Routes {
  readonly #blocked = new Set<string>();
  readonly #rates = new Map<string, number>();

  /** Whether frames from one machine do not arrive at the other. */
  isBlocked(from: string, to: string): boolean {
    return this.#blocked.size > 0 && this.#blocked.has(route(from, to));
  }

  /** How fast a machine reads, in bytes per second. */
  rate(machine: string): number {
    return this.#rates.get(machine) ?? Number.POSITIVE_INFINITY;
  }

  /** Closes every route from one of the first to one of the second. */
  block(from: readonly string[], to: readonly string[]): void {
    for (const one of from) for (const other of to) this.#blocked.add(route(one, other));
  }

  /** Sets how fast a machine reads. */
  throttle(machine: string, bytesPerSecond: number): void {
    this.#rates.set(machine, bytesPerSecond);
  }

  /** All routes are open and fast again. */
  clear(): void {
    this.#blocked.clear();
    this.#rates.clear();
  }
}

function route(from: string, to: string): string {
  return `${from}\n${to}`;
}
