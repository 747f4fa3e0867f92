/**
 * A relay on a machine of its own: a runner that workers of this world dial there, and the worker that stands for them at other
 * runners. Both are the real ones; every link is of the simulated network.
 */
import type { WorkerEvent } from "../../core/events.ts";
import { relay } from "../../core/relay.ts";
import { Worker } from "../../core/worker/worker.ts";
import type { WorkerOptions } from "../../core/worker/worker-options.ts";
import { machineName } from "../network/machine-names.ts";
import type { Machine, MachineState } from "./machine.ts";
import { SimulatedRunner, type SimulatedRunnerOptions } from "./simulated-runner.ts";
import { type CrashKind, crash, jumpClock, stall, type World } from "./world.ts";

/** Options of a simulated relay, besides those of the {@link Worker} that stands for its fleet. */
export interface SimulatedRelayOptions extends Omit<
  WorkerOptions,
  "dial" | "listen" | "handler" | "clock" | "random" | "blocking"
> {
  /** The machines of the runners it dials, or of relays before it; default `runner`. */
  readonly to?: string | readonly string[] | undefined;
  /** The principal it authenticates as; default `local`. */
  readonly principal?: string | undefined;
  /** Options of the runner of its fleet. */
  readonly runner?: Omit<SimulatedRunnerOptions, "name"> | undefined;
}

/** One relay of a simulation; it starts by itself. Workers join its fleet with `to: name`. */
export class SimulatedRelay {
  /** The name of its machine, which its workers dial, and its identity unless the options say otherwise. */
  readonly name: string;
  readonly #world: World;
  readonly #options: SimulatedRelayOptions;
  #machine: Machine;
  #runner: SimulatedRunner;
  #workers: readonly Worker[];

  /** @internal */
  constructor(name: string, options: SimulatedRelayOptions, world: World) {
    this.name = machineName(name, "a relay");
    this.#world = world;
    this.#options = options;
    this.#machine = world.machine(name, "relay");
    [this.#runner, this.#workers] = this.#make();
  }

  /** The runner of its fleet. */
  get runner(): SimulatedRunner {
    return this.#runner;
  }

  /** What stands for the fleet: a worker for each runner it dials. */
  get workers(): readonly Worker[] {
    return this.#workers;
  }

  /** Where its machine stands. */
  get machineState(): MachineState {
    return this.#machine.state;
  }

  /** Ends the process in the middle of whatever it does. `kind`: see {@link CrashKind}, default `rst`. Harmless when it is down. */
  crash(kind: CrashKind = "rst"): void {
    crash(this.#machine, kind, this.#world);
  }

  /** Starts the process again: same name, empty memory. Crashes it first when it is up. */
  restart(): void {
    this.crash();
    this.#world.record({ kind: "fault", fault: "restart", target: this.name });
    this.#machine = this.#world.machine(this.name, "relay");
    [this.#runner, this.#workers] = this.#make();
    this.#world.runnersChanged();
  }

  /** As {@link SimulatedRunner.stall}. */
  stall(ms: number): void {
    stall(this.#machine, ms, this.#world);
  }

  /** Its clock jumps `ms` ahead. */
  jumpClock(ms: number): void {
    jumpClock(this.#machine, ms, this.#world);
  }

  /** Leaves its runners after what runs, then stops its own. */
  async drain(options?: Parameters<Worker["drain"]>[0]): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.drain(options)));
    await this.#runner.stop();
  }

  /** Leaves its runners at once, and stops its own. */
  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()));
    await this.#runner.stop();
  }

  #make(): readonly [SimulatedRunner, readonly Worker[]] {
    const { to = "runner", principal, runner: runnerOptions, ...options } = this.#options;
    const world = this.#world;
    const machine = this.#machine;
    const { name } = this;
    const random = world.randomOf(machine);
    const offer = { labels: options.labels ?? [], capacity: options.capacity ?? Number.POSITIVE_INFINITY };
    const runner = new SimulatedRunner({ ...runnerOptions, name }, world, { machine, random, relay: offer });
    const workers = (typeof to === "string" ? [to] : to).map((outer) => {
      const dial = world.network.dialer(name, outer, principal);
      const defaults = { identity: name, remoteStacks: false };
      const worker = new Worker({ ...defaults, ...options, handler: relay(runner), dial, clock: machine, random });
      worker.on((event: WorkerEvent) => world.record({ kind: "worker", machine: name, event }));
      worker.start().catch(() => undefined);
      return worker;
    });
    return [runner, workers];
  }
}
