/**
 * Plays a plan in a simulated world and says what its callers must never see. The library's own promises are checked by the
 * simulation itself.
 */
import { getEventListeners } from "node:events";
import { NoWorkerError, PowerhoseError, QueueFullError, RunnerStoppedError } from "../../../src/core/errors.ts";
import { heldJobBytes } from "../../../src/core/job/held-bytes.ts";
import { Job } from "../../../src/core/job/job.ts";
import type { Payload } from "../../../src/core/peer.ts";
import type { Worker } from "../../../src/core/worker/worker.ts";
import type { Handler } from "../../../src/core/worker/execution.ts";
import { SimulatedRelay, type SimulatedRelayOptions } from "../../../src/testing/simulation/simulated-relay.ts";
import type { SimulatedWorker } from "../../../src/testing/simulation/simulated-worker.ts";
import type { SimulatedRunner } from "../../../src/testing/simulation/simulated-runner.ts";
import type { Simulation } from "../../../src/testing/simulation/simulation.ts";
import { playByzantine } from "./byzantine.ts";
import type { CallPlan, FaultPlan, FleetPlan, Manner, Plan, WorkerPlan } from "./plan.ts";

/** What one world came to. */
export interface Played {
  /** Calls that got their value. */
  succeeded: number;
  /** Calls that got a typed error or their own abort reason. */
  failed: number;
  /** Faults, by kind. */
  readonly faults: Map<string, number>;
}

/** How long a name that several workers fought for stays refused, in ms. */
const FLAPPING = 60_000;
/** A dial into silence is given up after so many ms. */
const CONNECT_TIMEOUT = 10_000;
/** The most that a job or a result may have, in bytes. */
const MAX_PAYLOAD = 8_192;
/** What a drain at the end is given, in ms. */
const LAST_DRAIN = 1_000;

/** A machine of the fleet, and whose fleet. */
interface Member {
  readonly node: SimulatedWorker | SimulatedRelay;
  /** The machine it dials. */
  readonly to: string;
}

const SECOND = "runner2";

class Play {
  readonly played: Played = { succeeded: 0, failed: 0, faults: new Map() };
  readonly #sim: Simulation;
  readonly #plan: Plan;
  /** Those that dial the runner. */
  readonly #workers: (SimulatedWorker | SimulatedRelay)[] = [];
  /** All of them, those behind relays included. */
  readonly #members: Member[] = [];
  readonly #calls: Promise<void>[] = [];
  /** What gives up each call that has not settled. */
  readonly #giveUps = new Set<() => void>();
  /** The first thing a caller saw that it must not. */
  #wrong: Error | undefined;
  #runner: SimulatedRunner;
  readonly #second: SimulatedRunner | undefined;
  #byzantine = 0;

  constructor(sim: Simulation, plan: Plan) {
    this.#sim = sim;
    this.#plan = plan;
    sim.network.setLatency(...plan.latency);
    this.#runner = this.#makeRunner();
    this.#second = plan.hasSecondRunner === true ? this.#makeRunner(SECOND) : undefined;
    for (const worker of plan.workers) this.#addWorker(worker);
  }

  async run(): Promise<Played> {
    const { calls, faults, calmAt } = this.#plan;
    for (const [index, call] of calls.entries())
      this.#sim.at(call.at, () => void this.#calls.push(this.#audited(call, index)));
    for (const fault of faults) this.#sim.at(fault.at, () => this.#strike(fault));
    await this.#sim.sleep(calmAt + 1); // behind everything that heals at `calmAt`
    this.#calm();
    await this.#settled();
    await this.#backAgain();
    if (this.#plan.lostForGood > 0) await this.#checkLost();
    await this.#end();
    return this.played;
  }

  #makeRunner(name = "runner"): SimulatedRunner {
    const { runner } = this.#plan;
    const maxBuffered = Math.max(2 * MAX_PAYLOAD, 4 * runner.highWater);
    return this.#sim.runner({ ...runner, name, maxBuffered, maxPayload: MAX_PAYLOAD, drainTimeout: 5_000 });
  }

  #addWorker(plan: WorkerPlan): void {
    const index = this.#workers.length;
    const identity = `w${plan.duplicate ? index - 1 : index}`;
    this.#workers.push(this.#makeNode(`w${index}`, identity, "runner", plan));
  }

  #makeNode(name: string, identity: string, to: string, plan: WorkerPlan): SimulatedWorker | SimulatedRelay {
    const { capacity, blocking, maxJobs, maxAge, labels, fleet } = plan;
    const options = {
      labels,
      identity,
      reconnectMin: Math.min(100, this.#plan.reconnectMax),
      reconnectMax: this.#plan.reconnectMax,
      ...(maxJobs === undefined ? {} : { maxJobs }),
      ...(maxAge === undefined ? {} : { maxAge }),
    };
    const node =
      fleet === undefined
        ? this.#sim.worker(name, this.#handler(), { ...options, capacity, blocking, to })
        : this.#sim.relay(name, { ...options, ...this.#relayOptions(to, fleet) });
    this.#members.push({ node, to });
    for (const [index, member] of (fleet?.workers ?? []).entries())
      this.#makeNode(`${name}-${index}`, `${name}-${index}`, name, member);
    return node;
  }

  #relayOptions(to: string, { maxQueue, queueTimeout }: FleetPlan): Pick<SimulatedRelayOptions, "to" | "runner"> {
    const { heartbeat, cancelGrace, helloTimeout, stallTimeout, highWater } = this.#plan.runner;
    const rules = { heartbeat, cancelGrace, helloTimeout, stallTimeout, highWater };
    const maxBuffered = Math.max(2 * MAX_PAYLOAD, 4 * highWater);
    return {
      to: to === "runner" && this.#second !== undefined ? [to, SECOND] : to,
      runner: { ...rules, maxQueue, queueTimeout, maxBuffered, maxPayload: MAX_PAYLOAD },
    };
  }

  /** Answers with its job's data and the attempt's fencing token, so that no two attempts answer alike. */
  #handler(): Handler {
    return (job, context) => {
      const data = typeof job.data === "string" ? job.data : new TextDecoder().decode(job.data);
      const [takes = "0", manner = "ok"] = data.split(" ");
      const answer = `${data} = ${context.jobId} ${context.attempt}`;
      return manner === "sync" ? answer : this.#work(Number(takes), manner as Manner, context, answer);
    };
  }

  async #work(
    takes: number,
    manner: Manner,
    context: { readonly signal: AbortSignal },
    answer: string,
  ): Promise<string> {
    const sim = this.#sim;
    if (manner === "waits") return sim.forever(context.signal);
    if (manner === "polite") await sim.sleep(takes, context.signal);
    else await sim.sleep(manner === "deaf" ? takes * 10 : takes);
    if (manner === "big") return answer.padEnd(MAX_PAYLOAD + 1, ".");
    if (manner === "throw") throw new RangeError("as asked");
    if (manner === "retryable")
      throw Object.assign(new Error("not now"), { retryable: true, retryAfter: Math.round(takes) });
    return answer;
  }

  #data({ takes, manner, huge }: CallPlan, index: number): string {
    return `${takes.toFixed(2)} ${manner} ${index} ${"x".repeat(huge ? MAX_PAYLOAD : this.#plan.payload)}`;
  }

  /** What a caller must not see is kept until all have settled: a rejection that nobody waits for yet would end the process. */
  async #audited(call: CallPlan, index: number): Promise<void> {
    try {
      await this.#call(call, index);
    } catch (error) {
      this.#wrong ??= error instanceof Error ? error : new Error(String(error), { cause: error });
    }
  }

  async #call(call: CallPlan, index: number): Promise<void> {
    const data = this.#data(call, index);
    const controller = new AbortController();
    const reason = new Error("the caller changed its mind");
    const giveUp = (): void => controller.abort(reason);
    this.#giveUps.add(giveUp);
    const { abortAfter, deadline, queueTimeout, attempts, failFast, require } = call;
    if (abortAfter !== undefined) this.#sim.at(this.#sim.now() + abortAfter, giveUp);
    const options = { signal: controller.signal, deadline, queueTimeout, attempts, failFast, require };
    try {
      const value = await this.#submit(call, data, options, index);
      if (value === undefined) return;
      this.#check(data, value);
      this.played.succeeded++;
      this.#checkLetGo(controller.signal);
    } catch (error) {
      this.#checkLetGo(controller.signal);
      if (error instanceof TypeError || (error !== reason && !(error instanceof PowerhoseError))) throw error;
      if (!failFast && error instanceof NoWorkerError) throw new TypeError("NoWorkerError, unasked", { cause: error });
      // Who held a worker has given it back by now, and the queue moved on.
      const isLimited = error instanceof QueueFullError && call.by === "execute" && !this.#hasRelays;
      if (isLimited && !this.#isFull(data))
        throw new TypeError("within-bounds: refused, and the queue is not full", { cause: error });
      this.played.failed++;
    } finally {
      this.#giveUps.delete(giveUp);
    }
  }

  /** Whether a relay's own limits may be why a job is refused, or those of a second runner. */
  get #hasRelays(): boolean {
    return this.#sim.relays.length > 0 || this.#second !== undefined;
  }

  /** Whether the runner has no room for another job of that data now. */
  #isFull(data: string): boolean {
    const { maxQueue, maxQueueBytes } = this.#plan.runner;
    const { queued, backoff, queuedBytes } = this.#runner.calls;
    return queued + backoff >= maxQueue || queuedBytes + heldJobBytes(new Job(data)) > maxQueueBytes;
  }

  /** A call that has settled does not listen any more: its signal may live as long as the process. */
  #checkLetGo(signal: AbortSignal): void {
    const listeners = getEventListeners(signal, "abort").length;
    if (listeners > 0)
      throw new TypeError(`leaves-nothing-behind: ${listeners} listeners are left on the signal of a settled call`);
  }

  /** A worker can lie about its own jobs, and only a lying one may. */
  #check(data: string, value: Payload): void {
    const lied = this.#byzantine > 0 && (value === "forged" || value === "never asked");
    if (!lied && !String(value).startsWith(`${data} = `))
      throw new TypeError(`the caller of ${data} was given ${String(value)}`);
  }

  async #submit(
    call: CallPlan,
    data: string,
    options: Parameters<SimulatedRunner["execute"]>[1],
    index: number,
  ): Promise<Payload | undefined> {
    const runner = this.#runner;
    const { require } = call;
    switch (call.by) {
      case "execute":
        return (index % 3 === 0 ? (this.#second ?? runner) : runner).execute(data, options);
      case "held":
        return runner.workers.getContext((worker) => worker.execute(data, options), { timeout: 1_000, require });
      case "spoiled":
        return this.#spoil(data, require);
      case "map": {
        const inputs = [data, `${data} twice`];
        let next = 0;
        for await (const outcome of runner.map(inputs, { concurrency: 2, signal: options?.signal, require })) {
          if (outcome.input !== inputs[next++]) throw new TypeError(`a map hands over ${outcome.input} too early`);
          if (!outcome.ok && !(outcome.error instanceof PowerhoseError)) throw outcome.error;
          if (outcome.ok) this.#check(outcome.input, outcome.value);
          if (call.attempts === 1) break; // some leave early
        }
        return undefined;
      }
    }
  }

  /** Its outcome may come as the runner is busy with what it has recalled: the input that is pulled then gives up the latest calls. */
  async #spoil(data: string, require: readonly string[]): Promise<undefined> {
    const bytes = new TextEncoder().encode(data);
    const giveUps = this.#giveUps;
    function* inputs(): Generator<Uint8Array> {
      yield bytes;
      for (const giveUp of [...giveUps].slice(-8)) giveUp();
    }
    const outcomes = this.#runner.map(inputs(), { concurrency: 1, require });
    this.#sim.at(this.#sim.now() + 0.5, () => structuredClone(bytes.buffer, { transfer: [bytes.buffer] }));
    for await (const outcome of outcomes) {
      if (outcome.ok) this.#check(data, outcome.value);
      else if (!(outcome.error instanceof PowerhoseError)) throw outcome.error;
    }
    return undefined;
  }

  #strike(fault: FaultPlan): void {
    const sim = this.#sim;
    const member = this.#members[fault.worker % this.#members.length];
    if (member === undefined) return;
    const { node: worker, to } = member;
    this.played.faults.set(fault.kind, (this.played.faults.get(fault.kind) ?? 0) + 1);
    const { name } = worker;
    const later = (undo: () => void): void => sim.at(Math.min(sim.now() + fault.lasts, this.#plan.calmAt), undo);
    switch (fault.kind) {
      case "cut":
        return sim.network.cut(name);
      case "half-open-out":
        return later(sim.network.halfOpen(name, to));
      case "half-open-in":
        return later(sim.network.halfOpen(to, name));
      case "partition":
        return later(sim.network.partition(name, to));
      case "slow-worker":
      case "slow-runner":
        return later(sim.network.throttle(fault.kind === "slow-worker" ? name : to, 100 + fault.lasts * 10));
      case "stall-worker":
        return worker.stall(fault.lasts);
      case "stall-runner":
        return this.#runner.stall(fault.lasts);
      case "worker-clock":
        return worker.jumpClock(fault.lasts);
      case "runner-clock":
        return this.#runner.jumpClock(fault.lasts);
      case "delete":
        return void this.#runnerOf(to).workers.delete(workerOf(worker).identity);
      case "leave":
        return this.#leave(worker);
      case "restart-runner":
        this.#runner.crash();
        return later(() => this.#runnerAgain());
      case "byzantine":
        return playByzantine(sim, `evil${this.#byzantine++}`, fault.lasts);
      case "crash":
        worker.crash(fault.how);
        return later(() => this.#again(worker));
    }
  }

  #runnerOf(machine: string): SimulatedRunner {
    return this.#sim.relays.find(({ name }) => name === machine)?.runner ?? this.#runner;
  }

  #leave(worker: SimulatedWorker | SimulatedRelay): void {
    if (worker.machineState !== "up") return;
    void worker.drain({ timeout: 1_000 }).then(() => worker.machineState === "up" && worker.restart());
  }

  /** A supervisor starts again what has crashed, and what gave up because somebody else had its name. */
  #again(worker: SimulatedWorker | SimulatedRelay): void {
    if (worker.machineState === "down" || workerOf(worker).state === "stopped") worker.restart();
  }

  #runnerAgain(): void {
    if (this.#runner.machineState === "down") this.#runner = this.#makeRunner();
  }

  /** The faults are over: all is healed, but for those that stay out of reach. */
  #calm(): void {
    this.#sim.network.heal();
    this.#runnerAgain();
    for (const { node } of this.#members) this.#again(node);
    for (const { name } of this.#workers.slice(0, this.#plan.lostForGood)) this.#sim.network.partition(name, "runner");
  }

  /** Liveness: whatever happened, every call settles. */
  async #settled(): Promise<void> {
    const limit = this.#sim.now() + this.#recovery() + this.#plan.runner.acquireTimeout + this.#longestCall();
    const all = Promise.all(this.#calls).then(() => true);
    const settled = await Promise.race([all, this.#sim.sleep(limit - this.#sim.now()).then(() => false)]);
    if (this.#wrong !== undefined) throw this.#wrong;
    if (!settled)
      throw new Error(`recovers: a call has not settled ${limit - this.#plan.calmAt} ms after the faults were over`);
  }

  /** The longest that a worker stays away once nothing goes wrong any more: it dials into silence, pauses, says HELLO. */
  #recovery(): number {
    const { reconnectMax, workers, runner } = this.#plan;
    // Whoever is a new instance again and again may be taken for two that fight.
    const restarts = this.#plan.faults.filter(({ kind }) => kind === "crash" || kind === "leave").length;
    const renewed = workers.some((one) => one.duplicate || one.maxAge !== undefined || one.maxJobs !== undefined);
    const fight = renewed || this.#byzantine > 0 || restarts > 4 ? 2 * FLAPPING : 0;
    // Behind two relays a worker comes back when these are back.
    const hops = this.#hasRelays ? 3 : 1;
    return hops * (CONNECT_TIMEOUT + 4 * reconnectMax + 10 * runner.heartbeat) + 30_000 + fight;
  }

  /** The longest that one call takes once nothing goes wrong any more: attempts on workers that hang take their timeout each. */
  #longestCall(): number {
    const { calls, runner } = this.#plan;
    const { timeout, attempts, cancelGrace } = runner;
    const each = Math.max(timeout, 2_000) + cancelGrace + 2_000;
    return (calls.length + 10) * attempts * each;
  }

  /** Liveness: every worker that can be reached is back, with all its slots free. */
  async #backAgain(): Promise<void> {
    if (this.#plan.runner.maxWorkers < this.#workers.length) return; // somebody has to stay outside
    const missing = new Set(this.#workers.slice(this.#plan.lostForGood).map((one) => workerOf(one).identity));
    const limit = this.#sim.now() + this.#recovery() + 20 * this.#longestHandler();
    while (missing.size > 0 && this.#sim.now() < limit) {
      await this.#sim.sleep(this.#plan.runner.heartbeat);
      if (this.#byzantine > 0)
        for (const worker of this.#workers) if (worker.machineState === "up") this.#again(worker);
      for (const { state, identity, capacity } of this.#runner.stats().workers)
        if (state === "idle" && this.#capacities(identity).includes(capacity)) missing.delete(identity);
    }
    if (missing.size > 0)
      throw new Error(`recovers: ${[...missing].join(", ")} did not come back in ${limit - this.#plan.calmAt} ms`);
  }

  /** What the workers of that name can do. */
  #capacities(identity: string): readonly number[] {
    return this.#workers.flatMap((worker, index) =>
      workerOf(worker).identity === identity ? [slotsOf(this.#plan.workers[index])] : [],
    );
  }

  /** Whoever stays out of reach is found out, and gone. */
  async #checkLost(): Promise<void> {
    const { heartbeat, timeout, cancelGrace } = this.#plan.runner;
    // A runner that still stood still when the faults were over grants everybody a little more when it wakes.
    const stall = Math.max(0, ...this.#plan.faults.map(({ lasts }) => lasts));
    await this.#sim.sleep(5 * heartbeat + timeout + cancelGrace + stall);
    const names = this.#workers.map((worker) => workerOf(worker).identity);
    const lost = names.slice(0, this.#plan.lostForGood).filter((name, index) => names.indexOf(name, index + 1) < 0);
    const back = this.#runner.stats().workers.find(({ identity }) => lost.includes(identity));
    if (back !== undefined && this.#byzantine === 0)
      throw new Error(`${back.identity} is out of reach, and registered`);
  }

  #longestHandler(): number {
    return Math.max(...this.#plan.calls.map(({ takes }) => takes), 1);
  }

  async #end(): Promise<void> {
    if (this.#plan.ending === "stop") return;
    const calls = this.#plan.calls
      .slice(0, 5)
      .map(({ takes }) => this.#runner.execute(`${takes} polite late `, { timeout: 60_000 }));
    const outcomes = Promise.allSettled(calls);
    const begun = this.#sim.now();
    await this.#runner.drain({ timeout: LAST_DRAIN, queued: this.#plan.ending === "drain" ? "run" : "reject" });
    const took = this.#sim.now() - begun;
    await this.#sim.sleep(2 * this.#plan.latency[1] + 10); // until the workers have heard of it
    const givenUp = (await outcomes).filter(
      ({ status, ...rest }) => status === "rejected" && "reason" in rest && rest.reason instanceof RunnerStoppedError,
    );
    if (this.#plan.ending === "drain" && givenUp.length > 0 && took < LAST_DRAIN - 1e-6)
      throw new Error(`drain-keeps-promises: a drain gave up ${givenUp.length} jobs after ${took} ms of ${LAST_DRAIN}`);
  }
}

function slotsOf(worker: WorkerPlan | undefined): number {
  if (worker?.fleet === undefined) return worker?.capacity ?? 0;
  return worker.fleet.workers.reduce((sum, one) => sum + slotsOf(one), 0);
}

/** What dials the runner there. */
function workerOf(node: SimulatedWorker | SimulatedRelay): Worker {
  const worker = node instanceof SimulatedRelay ? node.workers[0] : node.worker;
  if (worker === undefined) throw new Error(`${node.name} dials nothing`);
  return worker;
}

/** Plays a plan to its end. Throws when a caller saw what it must not, or somebody did not recover. */
export function playPlan(sim: Simulation, plan: Plan): Promise<Played> {
  return new Play(sim, plan).run();
}
