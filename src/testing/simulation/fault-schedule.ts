/** Random faults: kind, time and machine are drawn from a seed. A scenario can inject each of them itself, too. */
import { checkOptions, finiteDuration, type Validator, type Validators } from "../../core/options.ts";
import type { SeededRandom } from "../time/seeded-random.ts";
import type { CrashKind } from "./world.ts";
import type { FaultyNetwork } from "../network/network.ts";
import type { SimulatedRelay } from "./simulated-relay.ts";
import type { SimulatedRunner } from "./simulated-runner.ts";
import type { SimulatedWorker } from "./simulated-worker.ts";

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
export const INJECTED_FAULTS = [
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
] as const;

/** A kind of fault of a fault schedule. */
export type InjectedFault = (typeof INJECTED_FAULTS)[number];

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

/** The world a fault schedule acts on. */
export interface FaultTargets {
  readonly network: FaultyNetwork;
  readonly workers: readonly SimulatedWorker[];
  readonly runners: readonly SimulatedRunner[];
  readonly relays: readonly SimulatedRelay[];
  now(): number;
  at(ms: number, fn: () => unknown): void;
}

class FaultSchedule {
  readonly #sim: FaultTargets;
  readonly #random: SeededRandom;
  readonly #options: Required<{ [K in keyof InjectFaultsOptions]: NonNullable<InjectFaultsOptions[K]> }>;

  constructor(options: InjectFaultsOptions, sim: FaultTargets, chance: SeededRandom) {
    checkOptions("injectFaults", options, RULES);
    const { from = sim.now(), every = 500, lasts = 2_000, faults = INJECTED_FAULTS, until } = options;
    if (until === undefined) throw new TypeError("injectFaults: `until` is missing: the time when it ends");
    if (until < from)
      throw new RangeError(`injectFaults: it would end, at ${until} ms, before it begins, at ${from} ms`);
    this.#sim = sim;
    this.#random = chance;
    this.#options = { from, until, every, lasts, faults };
  }

  schedule(): void {
    const { from, until, every } = this.#options;
    this.#sim.at(until, () => this.#healAll());
    this.#scheduleNext(from + this.#below(2 * every));
  }

  /** One fault after the other: all of a long schedule at once would be a timer each. */
  #scheduleNext(at: number): void {
    const { until, every, faults } = this.#options;
    if (at >= until || faults.length === 0) return;
    this.#sim.at(at, () => {
      this.#scheduleNext(at + 1 + this.#below(2 * every));
      this.#inject();
    });
  }

  #below(limit: number): number {
    return this.#random.random() * limit;
  }

  #inject(): void {
    const sim = this.#sim;
    const { relays, runners } = sim;
    const workers = [...sim.workers, ...relays];
    const listeners = [...runners, ...relays];
    if (workers.length === 0 || runners.length === 0) return;
    const worker = this.#random.pick(workers);
    const lasts = this.#below(this.#options.lasts);
    switch (this.#random.pick(this.#options.faults)) {
      case "cut":
        return sim.network.cut(worker.name);
      case "half-open":
        return this.#halfOpen(worker.name, lasts);
      case "partition": {
        const names = listeners.map(({ name }) => name).filter((name) => name !== worker.name);
        return this.#later(lasts, sim.network.partition(worker.name, names));
      }
      case "slow-reader": {
        const { name } = this.#random.pick([worker, ...runners]);
        return this.#later(lasts, sim.network.throttle(name, 1 + this.#below(20_000)));
      }
      case "latency": {
        const least = this.#below(50);
        return sim.network.setLatency(least, least + this.#below(200));
      }
      case "crash":
        worker.crash(this.#random.pick(CRASHES));
        return this.#later(lasts, () => this.#restartCrashed());
      case "stall-worker":
        return worker.stall(lasts);
      case "stall-runner":
        return this.#random.pick(runners).stall(lasts);
      case "worker-clock":
        return worker.jumpClock(lasts);
      case "runner-clock":
        return this.#random.pick(runners).jumpClock(lasts);
    }
  }

  #halfOpen(worker: string, lasts: number): void {
    const { network, runners, relays } = this.#sim;
    const runner = this.#random.pick([...runners, ...relays]).name;
    if (runner === worker) return;
    const outwards = this.#random.below(2) === 0;
    this.#later(lasts, outwards ? network.halfOpen(worker, runner) : network.halfOpen(runner, worker));
  }

  #later(ms: number, fn: () => void): void {
    this.#sim.at(Math.min(this.#sim.now() + ms, this.#options.until), fn);
  }

  #restartCrashed(): void {
    for (const worker of [...this.#sim.workers, ...this.#sim.relays])
      if (worker.machineState === "down") worker.restart();
  }

  #healAll(): void {
    this.#sim.network.heal();
    this.#restartCrashed();
  }
}

/** Sets a fault schedule up. @throws TypeError or RangeError when an option is wrong, or its times make no sense. */
export function scheduleFaults(options: InjectFaultsOptions, sim: FaultTargets, chance: SeededRandom): void {
  new FaultSchedule(options, sim, chance).schedule();
}
