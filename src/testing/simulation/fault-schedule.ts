/** Faults by chance: which, when and to whom is drawn from a seed. Each is one that can be asked for by hand, too. */
import { checkOptions, finiteDuration, type Validator, type Validators } from "../../core/options.ts";
import type { SeededRandom } from "../time/seeded-random.ts";
import type { CrashKind } from "./world.ts";
import type { FaultyNetwork } from "../network/network.ts";
import type { SimulatedRunner } from "./simulated-runner.ts";
import type { SimulatedWorker } from "./simulated-worker.ts";

/** A kind of fault a fault schedule can bring. */
export type InjectedFault =
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

/** How a fault schedule is. All durations in ms of virtual time. */
export interface InjectFaultsOptions {
  /** When it ends: then the network is healed, and every worker that crashed is started again. */
  readonly until: number;
  /** When it begins; default now. */
  readonly from?: number | undefined;
  /** From one fault to the next, on average; default 500. */
  readonly every?: number | undefined;
  /** How long a fault lasts at most; default 2,000. */
  readonly lasts?: number | undefined;
  /** Which; default all. */
  readonly faults?: readonly InjectedFault[] | undefined;
}

/** All kinds of faults of a fault schedule. */
export const INJECTED_FAULTS: readonly InjectedFault[] = [
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

const instant: Validator = (value) =>
  typeof value === "number" && value >= 0 && value < Number.POSITIVE_INFINITY ? undefined : "a number of ms from 0";
const RULES: Validators<InjectFaultsOptions> = {
  until: instant,
  from: instant,
  every: finiteDuration,
  lasts: finiteDuration,
  faults: (value) => {
    const known = Array.isArray(value) && value.every((fault) => INJECTED_FAULTS.includes(fault as InjectedFault));
    return known ? undefined : `an array of ${INJECTED_FAULTS.join(", ")}`;
  },
};

/** The world a fault schedule comes over. */
export interface FaultTargets {
  readonly network: FaultyNetwork;
  readonly workers: readonly SimulatedWorker[];
  readonly runners: readonly SimulatedRunner[];
  now(): number;
  at(ms: number, fn: () => unknown): void;
}

class FaultSchedule {
  readonly #sim: FaultTargets;
  readonly #chance: SeededRandom;
  readonly #options: Required<{ [K in keyof InjectFaultsOptions]: NonNullable<InjectFaultsOptions[K]> }>;

  constructor(options: InjectFaultsOptions, sim: FaultTargets, chance: SeededRandom) {
    checkOptions("injectFaults", options, RULES);
    const { from = sim.now(), every = 500, lasts = 2_000, faults = INJECTED_FAULTS, until } = options;
    if (until === undefined) throw new TypeError("injectFaults: `until` is missing: the time when it ends");
    if (until < from)
      throw new RangeError(`injectFaults: it would end, at ${until} ms, before it begins, at ${from} ms`);
    this.#sim = sim;
    this.#chance = chance;
    this.#options = { from, until, every, lasts, faults };
  }

  schedule(): void {
    const { from, until, every } = this.#options;
    this.#sim.at(until, () => this.#calm());
    this.#next(from + this.#below(2 * every));
  }

  /** One fault after the other: all of a long schedule at once would be a timer each. */
  #next(at: number): void {
    const { until, every, faults } = this.#options;
    if (at >= until || faults.length === 0) return;
    this.#sim.at(at, () => {
      this.#next(at + 1 + this.#below(2 * every));
      this.#strike();
    });
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
      case "partition": {
        const names = runners.map(({ name }) => name);
        return this.#later(lasts, sim.network.partition(worker.name, names));
      }
      case "slow-reader": {
        const { name } = this.#chance.pick([worker, ...runners]);
        return this.#later(lasts, sim.network.throttle(name, 1 + this.#below(20_000)));
      }
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
    const outwards = this.#chance.below(2) === 0;
    this.#later(lasts, outwards ? network.halfOpen(worker, runner) : network.halfOpen(runner, worker));
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

/** Sets a fault schedule up. @throws TypeError or RangeError when an option is wrong, or its times make no sense. */
export function scheduleFaults(options: InjectFaultsOptions, sim: FaultTargets, chance: SeededRandom): void {
  new FaultSchedule(options, sim, chance).schedule();
}
