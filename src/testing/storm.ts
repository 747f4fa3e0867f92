/** Faults by chance: which, when and to whom is drawn from a seed. Each is one that can be asked for by hand, too. */
import type { SeededEntropy } from "./seeded-entropy.ts";
import type { CrashKind } from "./simulated-process.ts";
import type { FaultyNetwork } from "./network.ts";
import type { SimulatedRunner } from "./simulated-runner.ts";
import type { SimulatedWorker } from "./simulated-worker.ts";

/** A kind of fault a storm can bring. */
export type StormFault =
  | "cut"
  | "half-open"
  | "partition"
  | "slow-reader"
  | "latency"
  | "crash"
  | "stall-worker"
  | "stall-runner"
  | "worker-clock"
  | "runner-clock";

/** How a storm is. All durations in ms of virtual time. */
export interface StormOptions {
  /** When it ends: then the network is healed, and every worker that crashed is started again. */
  readonly until: number;
  /** When it begins; default now. */
  readonly from?: number | undefined;
  /** From one fault to the next, on average; default 500. */
  readonly every?: number | undefined;
  /** How long a fault lasts at most; default 2,000. */
  readonly lasts?: number | undefined;
  /** Which; default all. */
  readonly faults?: readonly StormFault[] | undefined;
}

/** All kinds of faults of a storm. */
export const STORM_FAULTS: readonly StormFault[] = [
  "cut",
  "half-open",
  "partition",
  "slow-reader",
  "latency",
  "crash",
  "stall-worker",
  "stall-runner",
  "worker-clock",
  "runner-clock",
];

const CRASHES: readonly CrashKind[] = ["fin", "rst", "silent"];

/** The world a storm comes over. */
export interface StormWorld {
  readonly network: FaultyNetwork;
  readonly workers: readonly SimulatedWorker[];
  readonly runners: readonly SimulatedRunner[];
  now(): number;
  at(ms: number, fn: () => unknown): void;
}

class Storm {
  readonly #sim: StormWorld;
  readonly #chance: SeededEntropy;
  readonly #options: Required<{ [K in keyof StormOptions]: NonNullable<StormOptions[K]> }>;

  constructor(options: StormOptions, sim: StormWorld, chance: SeededEntropy) {
    const { from = sim.now(), every = 500, lasts = 2_000, faults = STORM_FAULTS, until } = options;
    const finite = [from, until, every, lasts].every(Number.isFinite);
    if (!finite || !(every > 0) || !(lasts > 0) || !(until >= from))
      throw new RangeError("a storm ends after it began, and brings a fault every so many ms over 0");
    this.#sim = sim;
    this.#chance = chance;
    this.#options = { from, until, every, lasts, faults };
  }

  schedule(): void {
    const { from, until, every, faults } = this.#options;
    for (let at = from + this.#below(2 * every); at < until && faults.length > 0; at += 1 + this.#below(2 * every)) {
      this.#sim.at(at, () => this.#strike());
    }
    this.#sim.at(until, () => this.#calm());
  }

  #below(limit: number): number {
    return this.#chance.random() * limit;
  }

  #strike(): void {
    const sim = this.#sim;
    const { workers, runners } = sim;
    if (workers.length === 0 || runners.length === 0) return;
    const worker = this.#chance.pick(workers);
    const lasts = this.#below(this.#options.lasts);
    switch (this.#chance.pick(this.#options.faults)) {
      case "cut":
        return sim.network.cut(worker.name);
      case "half-open":
        return this.#halfOpen(worker.name, lasts);
      case "partition":
        sim.network.partition(
          worker.name,
          runners.map(({ name }) => name),
        );
        return this.#later(lasts, () => sim.network.heal());
      case "slow-reader":
        sim.network.throttle(this.#chance.pick([worker, ...runners]).name, 1 + this.#below(20_000));
        return this.#later(lasts, () => sim.network.heal());
      case "latency": {
        const least = this.#below(50);
        return sim.network.setLatency(least, least + this.#below(200));
      }
      case "crash":
        worker.crash(this.#chance.pick(CRASHES));
        return this.#later(lasts, () => this.#bringBack());
      case "stall-worker":
        return worker.stall(lasts);
      case "stall-runner":
        return this.#chance.pick(runners).stall(lasts);
      case "worker-clock":
        return worker.jumpClock(lasts);
      case "runner-clock":
        return this.#chance.pick(runners).jumpClock(lasts);
    }
  }

  #halfOpen(worker: string, lasts: number): void {
    const { network, runners } = this.#sim;
    const runner = this.#chance.pick(runners).name;
    if (this.#chance.below(2) === 0) network.halfOpen(worker, runner);
    else network.halfOpen(runner, worker);
    this.#later(lasts, () => network.heal());
  }

  #later(ms: number, fn: () => void): void {
    this.#sim.at(Math.min(this.#sim.now() + ms, this.#options.until), fn);
  }

  #bringBack(): void {
    for (const worker of this.#sim.workers) if (worker.machineState === "down") worker.restart();
  }

  #calm(): void {
    this.#sim.network.heal();
    this.#bringBack();
  }
}

/** Sets a storm up. @throws RangeError when its times make no sense. */
export function scheduleStorm(options: StormOptions, sim: StormWorld, chance: SeededEntropy): void {
  new Storm(options, sim, chance).schedule();
}
