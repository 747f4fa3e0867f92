/** A worker on a machine of its own that can crash and start again. The worker is the real one. */
import type { WorkerEvent } from "../../core/events.ts";
import type { Handler } from "../../core/worker/execution.ts";
import { Worker } from "../../core/worker/worker.ts";
import type { WorkerOptions } from "../../core/worker/worker-options.ts";
import { describeValue } from "../history/format.ts";
import { machineName } from "../network/machine-names.ts";
import type { Machine, MachineState } from "./machine.ts";
import { type CrashKind, crash, jumpClock, stall, type World } from "./world.ts";

/** Options of a simulated worker, besides those of a {@link Worker}. */
export interface SimulatedWorkerOptions extends Omit<
  WorkerOptions,
  "dial" | "listen" | "handler" | "clock" | "random"
> {
  /** The machine of the runner it dials; default `runner`. */
  readonly to?: string | undefined;
  /** Whether it listens on its machine, for runners that dial it with `to: name`, and dials none; default false. */
  readonly listens?: boolean | undefined;
  /** The principal it authenticates as; default `local`. Identities belong to principals. */
  readonly principal?: string | undefined;
}

/** One worker of a simulation; it starts by itself. */
export class SimulatedWorker {
  /** The name of its machine, and its identity unless the options say otherwise. */
  readonly name: string;
  readonly #world: World;
  readonly #handler: Handler;
  readonly #options: SimulatedWorkerOptions;
  #machine: Machine;
  #worker: Worker;

  /** @internal */
  constructor(name: string, handler: Handler, options: SimulatedWorkerOptions, world: World) {
    this.name = machineName(name, "a worker");
    if (typeof handler !== "function")
      throw new TypeError(`${name} is a worker with a handler, not ${describeValue(handler)}`);
    this.#world = world;
    this.#handler = handler;
    this.#options = options;
    this.#machine = world.machine(name, "worker");
    this.#worker = this.#make();
  }

  /** The worker that runs there now, or ran there last. */
  get worker(): Worker {
    return this.#worker;
  }

  /** Where its machine stands. */
  get machineState(): MachineState {
    return this.#machine.state;
  }

  /** @internal */
  get machine(): Machine {
    return this.#machine;
  }

  /** Ends the process in the middle of whatever it does; handlers that run do not go on. `kind`: see {@link CrashKind}, default `rst`. Harmless when it is down. */
  crash(kind: CrashKind = "rst"): void {
    crash(this.#machine, kind, this.#world);
  }

  /** Starts the process again, as after a {@link SimulatedWorker.crash}: same name, empty memory. Crashes it first when it is up. */
  restart(): void {
    this.crash();
    this.#world.record({ kind: "fault", fault: "restart", target: this.name });
    this.#machine = this.#world.machine(this.name, "worker");
    this.#worker = this.#make();
  }

  /** The process stands still for `ms` of virtual time, as by SIGSTOP or a handler that blocks it, and reads nothing; then everything that waited happens: the seed says whether its timers or its input come first. */
  stall(ms: number): void {
    stall(this.#machine, ms, this.#world);
  }

  /** Its clock jumps `ms` ahead. */
  jumpClock(ms: number): void {
    jumpClock(this.#machine, ms, this.#world);
  }

  /** {@link Worker.drain} of the worker there. */
  drain(options?: Parameters<Worker["drain"]>[0]): Promise<void> {
    return this.#worker.drain(options);
  }

  /** {@link Worker.stop} of the worker there. */
  stop(): Promise<void> {
    return this.#worker.stop();
  }

  #make(): Worker {
    const { to = "runner", principal, listens = false, ...options } = this.#options;
    const machine = this.#machine;
    const world = this.#world;
    const random = world.randomOf(machine);
    const handler = world.handlers.wrap(this.#handler, machine, options.capacity ?? 1);
    const { network } = world;
    const way = listens
      ? { listen: network.listen(machine.name) }
      : { dial: network.dialer(machine.name, to, principal) };
    const worker = new Worker({
      identity: this.name,
      // What a stack says, and so how long a frame is, depends on the host.
      remoteStacks: false,
      ...options,
      handler,
      ...way,
      clock: machine,
      random,
    });
    worker.on((event: WorkerEvent) => world.record({ kind: "worker", machine: machine.name, event }));
    // `worker.start()` gives a scenario the same promise, and so the reason of a refusal.
    worker.start().catch(() => undefined);
    return worker;
  }
}
