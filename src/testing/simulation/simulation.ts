/**
 * One simulated world from one seed: virtual time, machines, a network, and the checkers that watch them. It owns the machines
 * and the end of the world. See simulate.ts for the seeds that are played, and report.ts for the text of a failure.
 */
import type { Random } from "../../core/time/clock.ts";
import type { Handler } from "../../core/worker/execution.ts";
import type { Checker, ObservedRunner, Violation } from "../invariants/checker.ts";
import { escaped, InvariantError, StuckError } from "./simulation-errors.ts";
import { HandlerMonitor } from "./handler-monitor.ts";
import { Machine, type MachineRole, type ActiveMachine } from "./machine.ts";
import { FaultyNetwork, type FaultyNetworkOptions } from "../network/network.ts";
import type { Observation, Observed } from "../history/observation.ts";
import { SeededRandom } from "../time/seeded-random.ts";
import { SimulatedPeer, type SimulatedPeerOptions } from "./simulated-peer.ts";
import { SimulatedRelay, type SimulatedRelayOptions } from "./simulated-relay.ts";
import { SimulatedRunner, type SimulatedRunnerOptions } from "./simulated-runner.ts";
import { SimulatedWorker, type SimulatedWorkerOptions } from "./simulated-worker.ts";
import { crash } from "./world.ts";
import { scheduleFaults, type InjectFaultsOptions } from "./fault-schedule.ts";
import { Trace } from "../history/trace.ts";
import { cut, delay, drop, pass, tamper, type Verdict } from "../network/rules.ts";
import { type SimulationClock, VirtualClock } from "../time/virtual-clock.ts";
import { Waits } from "./waits.ts";

/** How one world is set up. */
export interface SimulationOptions {
  /** The network's, but for what the simulation brings itself. */
  readonly network?: Omit<FaultyNetworkOptions, "clock" | "random" | "observe"> | undefined;
  /** Virtual ms without progress after which a run has failed; default an hour. */
  readonly stuckAfter?: number | undefined;
  /** Whether events that are due at the same instant change places, by the seed; default true. */
  readonly shuffle?: boolean | undefined;
}

const DEFAULT_STUCK_AFTER_MS = 3_600_000;
/** Virtual ms after which what is left of a stopped world counts as a leak. */
const MAX_SHUTDOWN_MS = 60_000;

const SEEN_AS_PROGRESS: ReadonlySet<Observed["kind"]> = new Set([
  "submitted",
  "settled",
  "handler-started",
  "handler-ended",
  "fault",
  "machine",
  "note",
]);

/** A world that repeats itself: the same seed and the same code lead to the same events in the same order. */
export class Simulation {
  // It is the `World` of its runners, workers and peers. Those members are left out of the published types.
  /** What everything in this world is drawn from. */
  readonly seed: number;
  /** Between the machines. */
  readonly network: FaultyNetwork;
  /** @internal */
  readonly handlers: HandlerMonitor;
  /** @internal */
  readonly trace: Trace = new Trace();
  readonly #clock: VirtualClock;
  readonly #random: SeededRandom;
  readonly #workload: SeededRandom;
  readonly #active: ActiveMachine = { actor: undefined };
  readonly #waits: Waits;
  readonly #stuckAfter: number;
  readonly #checkers: readonly Checker[];
  readonly #lives = new Map<string, number>();
  /** Those that are up. */
  #machines: readonly Machine[] = [];
  readonly #runners: SimulatedRunner[] = [];
  readonly #workers: SimulatedWorker[] = [];
  readonly #relays: SimulatedRelay[] = [];
  #views: readonly ObservedRunner[] = [];
  /** The first failure. What is thrown may be anything. */
  #failure: { readonly error: unknown } | undefined;
  #progressAt = 0;
  /** Functions of `at` whose time has not come. */
  #planned = 0;
  /** Functions of `at` that have begun and not ended. */
  #running = 0;
  #ending = false;
  #over = false;

  /** @internal */
  constructor(seed: number, options: SimulationOptions, checkers: (violation: Violation) => readonly Checker[]) {
    this.seed = seed;
    this.#random = new SeededRandom(seed);
    this.#workload = this.#random.stream("workload");
    this.#stuckAfter = options.stuckAfter ?? DEFAULT_STUCK_AFTER_MS;
    this.#checkers = checkers((promise, what) => this.#fail(new InvariantError(promise, what)));
    const shuffle = options.shuffle === false ? undefined : this.#random.stream("order");
    this.#clock = new VirtualClock({ shuffle, betweenEvents: () => this.#betweenEvents() });
    const record = (observed: Observed): void => this.record(observed);
    this.handlers = new HandlerMonitor(this.#clock, record, (handler) => this.#fail(escaped(handler)));
    this.#waits = new Waits(this.#clock, this.#active, this.handlers, () => this.#noteProgress());
    this.network = new FaultyNetwork({
      ...options.network,
      clock: this.#clock,
      random: this.#random.stream("network"),
      observe: record,
    });
  }

  /** The time. It runs by itself: wait with {@link Simulation.sleep}. */
  get clock(): SimulationClock {
    return this.#clock;
  }

  /** Virtual ms since the beginning. */
  now(): number {
    return this.#clock.now();
  }

  /** A number from 0 (included) to 1 (excluded), from the seed: what `Math.random` is elsewhere. */
  random(): number {
    return this.#workload.random();
  }

  /** The seed's random numbers, for code that takes a {@link Random}. */
  get rng(): SeededRandom {
    return this.#workload;
  }

  /**
   * Starts a runner on a machine of its own.
   * @throws TypeError or RangeError when an option is wrong, Error when a machine of that name is up.
   */
  runner(options: SimulatedRunnerOptions = {}): SimulatedRunner {
    const runner = new SimulatedRunner(options, this);
    this.#runners.push(runner);
    this.#refreshViews();
    return runner;
  }

  /**
   * Starts a worker on a machine of its own.
   * @throws TypeError or RangeError when an option is wrong, Error when a machine of that name is up.
   */
  worker(name: string, handler: Handler, options: SimulatedWorkerOptions = {}): SimulatedWorker {
    const worker = new SimulatedWorker(name, handler, options, this);
    this.#workers.push(worker);
    return worker;
  }

  /**
   * Starts a relay on a machine of its own. Workers and other relays join its fleet with `to: name`.
   * @throws TypeError or RangeError when an option is wrong, Error when a machine of that name is up.
   */
  relay(name: string, options: SimulatedRelayOptions = {}): SimulatedRelay {
    const relay = new SimulatedRelay(name, options, this);
    this.#relays.push(relay);
    this.#refreshViews();
    return relay;
  }

  /** A peer on a machine of its own that sends what the scenario tells it to. It has yet to `connect`. */
  peer(name: string, options: SimulatedPeerOptions = {}): SimulatedPeer {
    return new SimulatedPeer(name, options, this);
  }

  /** The workers of this world, in the order they were made. */
  get workers(): readonly SimulatedWorker[] {
    return this.#workers;
  }

  /** The relays of this world, in the order they were made. */
  get relays(): readonly SimulatedRelay[] {
    return this.#relays;
  }

  /** The runners of this world, in the order they were made, those that have crashed included. */
  get runners(): readonly SimulatedRunner[] {
    return this.#runners;
  }

  /** Resolves after `ms` of virtual time; rejects with the signal's reason when that aborts first. In a handler, pass its signal. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#waits.sleep(ms, signal);
  }

  /** Never resolves: a handler that hangs. With a signal it rejects when that aborts. */
  forever(signal?: AbortSignal): Promise<never> {
    return this.#waits.forever(signal);
  }

  /** Waits for a promise that something in the simulation will settle, so that the handler does not count as stuck. */
  waitFor<T>(promise: Promise<T>): Promise<T> {
    return this.#waits.for(promise);
  }

  /**
   * Calls `fn` at a time of the simulation, in ms from its beginning. What it throws fails the run. After the scenario's end
   * nothing is called any more: the report counts as `unreached` what was planned for then.
   */
  at(ms: number, fn: () => unknown): void {
    this.#checkNotOver();
    this.#planned++;
    this.#clock.set(Math.max(0, ms - this.#clock.now()), () => {
      if (this.#ending) return;
      this.#planned--;
      this.#noteProgress();
      this.#running++;
      void (async () => fn())()
        .catch((error: unknown) => this.#fail(error))
        .finally(() => this.#running--);
    });
  }

  /** @internal What was planned by `at` or by a fault schedule and has not happened. */
  get planned(): number {
    return this.#planned;
  }

  /** Faults by chance from the seed, until a time: see {@link InjectFaultsOptions}. After it everything is healed and up. */
  injectFaults(options: InjectFaultsOptions): void {
    scheduleFaults(options, this, this.#random.stream("faults"));
  }

  /** Words for the log of a run that fails. @throws TypeError when it is no string. */
  note(text: string): void {
    if (typeof text !== "string") throw new TypeError(`a note is a string, not ${typeof text}`);
    this.record({ kind: "note", text });
  }

  /** For a rule of the network: the frame goes on. */
  pass(): Verdict {
    return pass();
  }

  /** For a rule of the network: the connection is cut before the frame has left. */
  cut(): Verdict {
    return cut();
  }

  /** For a rule of a `lossy` network: the frame is lost. */
  drop(): Verdict {
    return drop();
  }

  /** For a rule of the network: the frame, and all behind it, arrives `ms` later. */
  delay(ms: number): Verdict {
    return delay(ms);
  }

  /** For a rule of the network: these bytes arrive instead, or the frame with one byte changed by the seed. */
  tamper(bytes: Uint8Array, exactly = false): Verdict {
    const verdict = tamper(bytes);
    if (exactly || bytes.byteLength === 0) return verdict;
    const damaged = bytes.slice();
    const place = this.#workload.below(damaged.byteLength);
    damaged[place] = (damaged[place] ?? 0) ^ (1 << this.#workload.below(8));
    return tamper(damaged);
  }

  /** @internal */
  machine(name: string, role: MachineRole): Machine {
    this.#checkNotOver();
    const named = (one: { readonly name: string }): boolean => one.name === name;
    const present =
      [...this.#runners, ...this.#workers, ...this.#relays].some((one) => named(one) && one.machineState !== "down") ||
      this.#machines.some((one) => named(one) && one.role === "peer");
    if (present) throw new Error(`a machine called ${name} is there already, and has not crashed`);
    const life = (this.#lives.get(name) ?? 0) + 1;
    this.#lives.set(name, life);
    const wakes = this.#random.stream(`${name} ${life} wakes`);
    const machine = new Machine(name, role, life, this.#clock, this.#active, () => wakes.below(2) === 1);
    this.network.attach(name, machine);
    this.#machines = [...this.#machines.filter(({ state }) => state !== "down"), machine];
    this.record({ kind: "machine", machine: name, role, life, state: "up" });
    return machine;
  }

  /** @internal */
  randomOf(machine: Machine): Random {
    return this.#random.stream(`${machine.name} ${machine.life}`);
  }

  /** @internal */
  forget(machine: Machine): void {
    this.handlers.forget(machine);
    this.#waits.forget(machine);
  }

  /** @internal */
  runnersChanged(): void {
    this.#refreshViews();
  }

  /** @internal */
  record(observed: Observed): void {
    const at = this.#clock.now();
    const seen: Observation = { ...observed, at };
    if (SEEN_AS_PROGRESS.has(observed.kind)) this.#progressAt = at;
    if (observed.kind === "machine" && (observed.role === "runner" || observed.role === "relay")) this.#refreshViews();
    this.trace.add(seen);
    for (const checker of this.#checkers) checker.observe?.(seen);
  }

  /** @internal Plays a scenario to its end, then ends the world and sees that nothing is left of it. */
  async play(scenario: (sim: this) => unknown): Promise<void> {
    try {
      await this.#play(scenario);
      await this.#end();
    } finally {
      this.#over = true;
      this.#waits.end();
    }
  }

  async #play(scenario: (sim: this) => unknown): Promise<void> {
    let over = false;
    // Behind the start of the run: until then it would not be refused to move the clock.
    const played = Promise.resolve().then(() => scenario(this));
    played.then(
      () => (over = true),
      (error: unknown) => {
        over = true;
        this.#fail(error);
      },
    );
    await this.#clock.run(
      () => over && (this.#running === 0 || this.#failure !== undefined),
      (next) => this.#onIdle(next),
    );
    this.#throwFailure();
    this.#checkCalls();
  }

  /** A scenario that does not wait for its calls checks nothing of them. */
  #checkCalls(): void {
    let open = 0;
    for (const { waiting } of this.#views) open += waiting;
    if (open === 0) return;
    const calls = open === 1 ? "1 call of execute" : `${open} calls of execute`;
    throw new Error(
      `the scenario returned while ${calls} had not settled: is an \`await\` missing, of the call or of \`runner.stop()\`?`,
    );
  }

  /** Stops everything, and runs on until nothing moves any more. */
  async #end(): Promise<void> {
    this.#ending = true;
    this.network.heal();
    this.#wakeAll();
    const ends: Promise<unknown>[] = [];
    for (const { worker, machineState } of this.#workers) if (machineState !== "down") ends.push(worker.stop());
    for (const relay of this.#relays) if (relay.machineState !== "down") ends.push(relay.stop());
    for (const runner of this.#runners) if (runner.machineState !== "down") ends.push(runner.stop());
    for (const machine of this.#machines) if (machine.role === "peer") crash(machine, "fin", this);
    let stopped = false;
    void Promise.all(ends).then(
      () => (stopped = true),
      (error: unknown) => this.#fail(error),
    );
    const limit = this.#clock.now() + MAX_SHUTDOWN_MS;
    const done = (): boolean => this.#clock.now() > limit || (stopped && !this.#clock.busy && this.#isQuiet());
    await this.#clock.run(done);
    this.#throwFailure();
    for (const checker of this.#checkers) checker.atEnd?.(this.#clock.now(), this.#views);
    this.#throwFailure();
  }

  /** A machine that stands still cannot stop. */
  #wakeAll(): void {
    for (const machine of this.#machines) {
      const { name, role, life } = machine;
      if (machine.wake()) this.record({ kind: "machine", machine: name, role, life, state: "up" });
    }
  }

  #isQuiet(): boolean {
    return this.network.connections === 0 && this.#machines.every(({ timers }) => timers === 0);
  }

  #betweenEvents(): void {
    this.#active.actor = undefined;
    for (const checker of this.#checkers) checker.betweenEvents?.(this.#clock.now(), this.#views);
    this.#throwFailure();
  }

  /** Nothing is due now. Is it worth while to let time pass? */
  #onIdle(next: number | undefined): void {
    if (this.#waits.count === 0 && this.handlers.pending > 0) this.#findStuck();
    if (next === undefined)
      throw new StuckError(
        "nothing is left to happen, and the test still waits: for real time, real I/O, a `simulate` of its own, or for nothing at all?",
      );
    if (!this.#waits.sleeping && next - this.#progressAt > this.#stuckAfter) {
      const pending = this.handlers.all();
      const waiting =
        pending.length > 0
          ? `, and these have not ended:\n    ${pending.join("\n    ")}`
          : ", and the test still waits: for real time, real I/O, a `simulate` of its own, or for nothing at all?";
      throw new StuckError(`no progress for ${this.#stuckAfter} ms of virtual time${waiting}`);
    }
  }

  /** A handler runs, and nothing waits for the simulation. Unless another runner's calls explain it, the handler waits for the real world. */
  #findStuck(): void {
    if (this.#runners.length > 1 && this.#runners.some((runner) => runner.calls.submitted > 0)) return;
    const [first, ...others] = this.handlers.stuck();
    if (first === undefined) return;
    const more = others.length > 0 ? ` (and ${others.length} more)` : "";
    throw new StuckError(
      `${first}${more} waits for something outside of the simulation: real time, real I/O or a promise the simulation ` +
        "does not know. Wait with sim.sleep, hang with sim.forever, or say that it comes with sim.waitFor",
    );
  }

  #checkNotOver(): void {
    if (this.#over) throw new Error("this simulation is over: nothing happens in it any more");
  }

  #refreshViews(): void {
    const runners = [...this.#runners, ...this.#relays.map(({ runner }) => runner)];
    this.#views = runners.filter(({ machineState }) => machineState !== "down").map((runner) => runner.view());
  }

  #noteProgress(): void {
    this.#progressAt = this.#clock.now();
  }

  /** The first failure counts: what follows may follow from it. */
  #fail(error: unknown): void {
    this.#failure ??= { error };
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
