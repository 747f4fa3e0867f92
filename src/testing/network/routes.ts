/** Which machine reaches which, and how fast each reads: by the faults that last. Knows no connection. */

/** A fault that lasts: what it does to the routes. */
type Fault = { readonly blocks: readonly string[] } | { readonly machine: string; readonly rate: number };

/** The state of the network's routes. All are open at first. */
export class Routes {
  /** In the order they began. */
  readonly #faults = new Set<Fault>();
  /** How many faults block a route; none is there with 0. */
  readonly #blocked = new Map<string, number>();

  /** Whether frames from one machine do not arrive at the other. */
  isBlocked(from: string, to: string): boolean {
    return this.#blocked.size > 0 && this.#blocked.has(route(from, to));
  }

  /** How fast a machine reads, in bytes per second: as the latest fault has it. */
  rate(machine: string): number {
    let rate = Number.POSITIVE_INFINITY;
    for (const fault of this.#faults) if ("rate" in fault && fault.machine === machine) ({ rate } = fault);
    return rate;
  }

  /** Closes every route from one of the first to one of the second. What it returns ends that: `false` when it is over already. */
  block(from: readonly string[], to: readonly string[]): () => boolean {
    const blocks = from.flatMap((one) => to.map((other) => route(one, other)));
    for (const one of blocks) this.#blocked.set(one, (this.#blocked.get(one) ?? 0) + 1);
    return this.#begin({ blocks });
  }

  /** Sets how fast a machine reads. What it returns ends that: `false` when it is over already. */
  throttle(machine: string, bytesPerSecond: number): () => boolean {
    return this.#begin({ machine, rate: bytesPerSecond });
  }

  /** All faults are over: all routes are open and fast again. */
  clear(): void {
    this.#faults.clear();
    this.#blocked.clear();
  }

  #begin(fault: Fault): () => boolean {
    this.#faults.add(fault);
    return () => {
      if (!this.#faults.delete(fault)) return false;
      if ("blocks" in fault) for (const one of fault.blocks) this.#unblock(one);
      return true;
    };
  }

  #unblock(one: string): void {
    const left = (this.#blocked.get(one) ?? 1) - 1;
    if (left === 0) this.#blocked.delete(one);
    else this.#blocked.set(one, left);
  }
}

function route(from: string, to: string): string {
  return `${from}\n${to}`;
}
