/** A runner on a machine of its own that can stand still and crash. It is the real one; only its calls are watched. */
import type { CallInfo } from "../../core/dispatch/call-context.ts";
import type { CallOptions } from "../../core/dispatch/call-options.ts";
import { RunnerStoppedError } from "../../core/errors.ts";
import type { RunnerEvent } from "../../core/events.ts";
import type { ExecuteOptions } from "../../core/job/execute-options.ts";
import type { Job } from "../../core/job/job.ts";
import type { PayloadStream } from "../../core/job/payload-stream.ts";
import { type MapInput, type MapOptions, type MapOptionsOf, mapJobs, type Outcome } from "../../core/dispatch/map.ts";
import { withDefaults } from "../../core/options.ts";
import type { Random } from "../../core/time/clock.ts";
import type { Payload } from "../../core/peer.ts";
import { resolveLimits } from "../../core/runner/registration.ts";
import { JobRunner } from "../../core/runner/runner.ts";
import { type DrainOptions, RUNNER_DEFAULTS, type RunnerOptions } from "../../core/runner/runner-options.ts";
import type { ObservedRunner } from "../invariants/checker.ts";
import { getOrCreate } from "../invariants/get-or-create.ts";
import type { Machine, MachineState } from "./machine.ts";
import type { NumberedEvent, SettledObservation } from "../history/observation.ts";
import { type CrashKind, crash, jumpClock, stall, type World } from "./world.ts";

/** Options of a simulated runner, besides those of a {@link JobRunner}. */
export interface SimulatedRunnerOptions extends Omit<RunnerOptions, "clock" | "random" | "listen"> {
  /** The name of its machine, which workers dial; default `runner`. */
  readonly name?: string | undefined;
  /** The machines of workers that it dials: those that listen; default none. */
  readonly to?: string | readonly string[] | undefined;
}

/** Where the runner of a relay runs. */
export interface RunnerHost {
  readonly machine: Machine;
  readonly random: Random;
  /** What the relay comes with itself. */
  readonly relay: NonNullable<ObservedRunner["relay"]>;
}

/** One runner of a simulation; it starts by itself, and calls made before it has started wait for that. */
export class SimulatedRunner extends JobRunner {
  /** The name of its machine. */
  readonly name: string;
  readonly #world: World;
  readonly #machine: Machine;
  readonly #options: SimulatedRunnerOptions;
  readonly #ready: Promise<void>;
  /** Calls whose callers wait. */
  readonly #open = new Set<object>();
  /** Whether a call of `execute` is being taken in, and as which job it was. */
  #executing = false;
  #taken: number | undefined;
  #maps = 0;
  /** The numbers of jobs that have not settled, by their ids. A relayed one may be back before the event of its end is told. */
  readonly #numbers = new Map<string, number[]>();
  readonly #relay: ObservedRunner["relay"];

  /** @internal `host`: the machine of the relay that it belongs to, and the chance there; default: a machine of its own. */
  constructor(options: SimulatedRunnerOptions, world: World, host?: RunnerHost) {
    if ("listen" in options)
      throw new TypeError("a runner of a simulation listens on its own machine: workers dial its name");
    const { name = "runner", to = [], ...rest } = options;
    const machine = host?.machine ?? world.machine(name, "runner");
    const dialed = (typeof to === "string" ? [to] : to).map((worker) => world.network.dialer(name, worker));
    super({
      ...rest,
      ...(dialed.length === 0 ? {} : { dial: dialed }),
      listen: world.network.listen(name),
      clock: machine,
      random: host?.random ?? world.randomOf(machine),
    });
    this.#relay = host?.relay;
    this.name = name;
    this.#world = world;
    this.#machine = machine;
    this.#options = rest;
    this.on((event) => {
      // Nothing is heard of a crashed process.
      if (machine.state !== "down") world.record({ kind: "runner", machine: name, event: this.#numbered(event) });
    });
    this.#ready = this.start();
    this.#ready.catch(() => undefined); // each call that waits for it rejects
  }

  /** Where its machine stands. */
  get machineState(): MachineState {
    return this.#machine.state;
  }

  /** @internal */
  get machine(): Machine {
    return this.#machine;
  }

  /** {@link JobRunner.execute}. After a crash of its machine it rejects with RunnerStoppedError. */
  override execute(job: Job | Payload, options?: ExecuteOptions): Promise<Payload> {
    if (this.#machine.state === "down") return Promise.reject(this.#crashed());
    if (this.state !== "starting") return this.#watched(job, options);
    return this.#ready.then(() => this.#watched(job, options));
  }

  /** {@link JobRunner.open}. After a crash of its machine it rejects with RunnerStoppedError. */
  override open(job: Job | Payload, options?: ExecuteOptions): Promise<Payload | PayloadStream> {
    if (this.#machine.state === "down") return Promise.reject(this.#crashed());
    const open = (): Promise<Payload | PayloadStream> => super.open(job, options);
    return this.state === "starting" ? this.#ready.then(open) : open();
  }

  /** {@link JobRunner.map}. */
  override map<T extends MapInput>(
    inputs: Iterable<T> | AsyncIterable<T>,
    options?: MapOptions,
  ): AsyncGenerator<Outcome<T>, void, undefined>;
  override map<T>(
    inputs: Iterable<T> | AsyncIterable<T>,
    options: MapOptionsOf<T>,
  ): AsyncGenerator<Outcome<T>, void, undefined>;
  override async *map<T>(
    inputs: Iterable<T> | AsyncIterable<T>,
    options?: MapOptions & Partial<MapOptionsOf<T>>,
  ): AsyncGenerator<Outcome<T>, void, undefined> {
    if (this.state === "starting") await this.#ready;
    const seen = { kind: "yielded", machine: this.name, map: ++this.#maps, ordered: options?.ordered ?? true } as const;
    for await (const outcome of mapJobs(inputs, options, this.submitter)) {
      if (this.#machine.state !== "down") this.#world.record({ ...seen, index: outcome.index });
      yield outcome;
    }
  }

  /** {@link JobRunner.drain}. */
  override drain(options?: DrainOptions): Promise<void> {
    const { state } = this;
    const drained = super.drain(options);
    if (state === "started" && this.state === "draining")
      this.#world.record({ kind: "drain", machine: this.name, queued: options?.queued ?? "run" });
    return drained;
  }

  /** Ends the process: what is queued and what runs is lost. Its calls reject with a RunnerStoppedError. Another runner of the same name takes its place. */
  crash(kind: CrashKind = "rst"): void {
    crash(this.#machine, kind, this.#world);
    // Nothing of the process goes on. Why: its calls settle, so that no scenario waits for ever.
    void this.stop();
  }

  /** The process stands still for `ms` of virtual time and reads nothing; then everything that waited happens: the seed says whether its timers or its input come first. */
  stall(ms: number): void {
    stall(this.#machine, ms, this.#world);
  }

  /** Its clock jumps `ms` ahead. */
  jumpClock(ms: number): void {
    jumpClock(this.#machine, ms, this.#world);
  }

  /** @internal As the checkers see it. */
  view(): ObservedRunner {
    const { network } = this.#world;
    const machine = this.#machine;
    const open = this.#open;
    const relay = this.#relay;
    const { workers } = this;
    const limits = { ...withDefaults(RUNNER_DEFAULTS, this.#options), ...resolveLimits(this.#options) };
    return {
      machine: this.name,
      limits,
      faults: network.faults,
      relay,
      stats: () => this.stats(),
      get keepAliveTimers() {
        // Those of the relay's worker cannot be told from the runner's.
        return relay !== undefined ? 0 : machine.keepAliveTimers;
      },
      get timers() {
        return machine.timers;
      },
      get waiting() {
        return open.size;
      },
      get waiters() {
        return workers.waiting;
      },
      get leased() {
        return workers.leased;
      },
      get stoodStill() {
        return machine.stoodStill;
      },
      get openConnections() {
        return network.load(machine.name).size;
      },
      buffered: (connection) => network.load(machine.name).get(connection) ?? 0,
    };
  }

  #watched(job: Job | Payload, options: ExecuteOptions | undefined): Promise<Payload> {
    this.#executing = true;
    this.#taken = undefined;
    const called = super.execute(job, options);
    this.#executing = false;
    const jobId = this.#taken;
    const machine = this.name;
    return new Promise((resolve, reject: (error: unknown) => void) => {
      const call = {};
      this.#open.add(call);
      called.then(
        (value) => {
          this.#settled(call, { kind: "settled", machine, jobId, outcome: { ok: true, value } });
          resolve(value);
        },
        (error: unknown) => {
          this.#settled(call, { kind: "settled", machine, jobId, outcome: { ok: false, error } });
          reject(this.#machine.state === "down" ? this.#crashed() : error);
        },
      );
    });
  }

  #settled(call: object, seen: SettledObservation): void {
    this.#open.delete(call);
    if (this.#machine.state !== "down") this.#world.record(seen);
  }

  /** @internal A job is taken in, and numbered, before `execute` returns. */
  protected override taken({ id, jobId }: CallInfo, options: CallOptions | undefined): void {
    getOrCreate(this.#numbers, jobId, () => []).push(id);
    if (options === undefined)
      return this.#world.record({ kind: "relayed", machine: this.name, jobId: id, name: jobId });
    this.#taken = id;
    if (this.#executing) this.#world.record({ kind: "submitted", machine: this.name, jobId: id, options });
  }

  #numbered(event: RunnerEvent): NumberedEvent {
    if (!("jobId" in event)) return event;
    const numbers = this.#numbers.get(event.jobId);
    const jobId = numbers?.[0] ?? 0;
    if (event.type === "job-settled") numbers?.shift();
    if (numbers?.length === 0) this.#numbers.delete(event.jobId);
    return { ...event, jobId };
  }

  #crashed(): RunnerStoppedError {
    return new RunnerStoppedError(`${this.name} has crashed, and its calls with it`);
  }
}
