/**
 * Plays a plan against a real runner and real workers on virtual time, step by step in the order the scheduler draws, and
 * collects what breaks a promise. What the steps may be is in edge-plan.ts, what handlers do in edge-handler.ts.
 */
import type { Scheduler } from "fast-check";
import { RunnerStoppedError } from "../../src/core/errors.ts";
import type { ExecuteOptions } from "../../src/core/job/execute-options.ts";
import type { WorkerLease } from "../../src/core/runner/worker-lease.ts";
import type { Payload } from "../../src/core/peer.ts";
import { JobRunner } from "../../src/core/runner/runner.ts";
import { Worker } from "../../src/core/worker/worker.ts";
import { SeededRandom } from "../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../src/testing/time/virtual-clock.ts";
import { CountedSignal } from "./counted-signal.ts";
import { canSucceed, EdgeHandlers, OwnError, resultOf } from "./edge-handler.ts";
import { SettlementLog } from "./settlement-log.ts";
import { EdgeInput } from "./edge-input.ts";
import { type Deed, type EdgePlan, type EdgeStep, type Manner, type MapPlan, SIGNALS } from "./edge-plan.ts";
import { turn } from "./hand-clock.ts";
import type { Tally } from "./statement.ts";

/** The longest that a call may take with the limits that plans give it, and its worker to come back. */
const CALM = 120_000;

/** One world. What goes wrong is collected, not thrown: the world goes on. */
export class EdgeWorld {
  readonly #plan: EdgePlan;
  readonly #scheduler: Scheduler;
  readonly #tally: Tally;
  readonly #clock: VirtualClock;
  readonly #runner: JobRunner;
  readonly #handlers: EdgeHandlers;
  readonly #workers: Worker[];
  readonly #signals: readonly CountedSignal[] = Array.from({ length: SIGNALS }, () => new CountedSignal());
  readonly #settlements: SettlementLog;
  readonly #inputs: EdgeInput[] = [];
  #jobs = 0;
  /** How often the runner was told to drain or stop. */
  #ends = 0;
  /** Whether workers are held in this world: then one may be idle and not free. */
  readonly #holders: boolean;

  constructor(plan: EdgePlan, scheduler: Scheduler, tally: Tally) {
    this.#plan = plan;
    this.#scheduler = scheduler;
    this.#tally = tally;
    this.#settlements = new SettlementLog(tally);
    this.#holders = plan.steps.some(({ step }) => step === "hold" || step === "acquire");
    const random = new SeededRandom(plan.seed);
    this.#clock = new VirtualClock(plan.shuffle ? { shuffle: random.stream("ties") } : {});
    const { maxQueue } = plan;
    this.#runner = new JobRunner({
      clock: this.#clock,
      random,
      acquireTimeout: 250,
      cancelGrace: 40,
      maxQueue,
    });
    this.#handlers = new EdgeHandlers(scheduler, this.#runner, (what, promise) => {
      this.#ends++;
      this.#settlements.track(what, promise);
    });
    this.#workers = plan.workers.map((options, i) => {
      const identity = `w${i}`;
      const handler = this.#handlers.of(identity, options.capacity);
      return new Worker({ dial: this.#runner, clock: this.#clock, random, identity, handler, ...options });
    });
    if (plan.listens) this.#runner.on((event) => this.#settlements.note(event));
  }

  async run(): Promise<readonly string[]> {
    this.#settlements.track("start", this.#runner.start());
    for (const worker of this.#workers) worker.start().catch(() => undefined);
    if (this.#plan.readyFirst) await this.#clock.settle();
    for (const step of this.#plan.steps) {
      void this.#scheduler.schedule(Promise.resolve(), step.step).then(() => this.#do(step));
    }
    for (let i = 0; this.#scheduler.count() > 0; i++) {
      await this.#scheduler.waitNext(1);
      await this.#pace(this.#plan.paces[i % this.#plan.paces.length] ?? 0);
      this.#checkBooks();
    }
    await this.#calm();
    await this.#end();
    return [...this.#settlements.faults, ...this.#handlers.faults];
  }

  #pace(pace: number): Promise<void> | undefined {
    if (pace === 0) return undefined;
    if (pace === 1) return Promise.resolve();
    if (pace === 2) return turn();
    return pace === 3 ? this.#clock.settle() : this.#clock.advance(pace);
  }

  #do(step: EdgeStep): void {
    switch (step.step) {
      case "execute":
        return this.#execute(step.manner.deed, step.manner, (data, how) => this.#runner.execute(data, how));
      case "map":
        return this.#settlements.track("map", this.#map(step));
      case "hold":
        return this.#settlements.track("hold", this.#hold(step));
      case "acquire":
        return this.#settlements.track("acquire", this.#acquire(step.manner, step.releases));
      case "abort":
        return this.#abort(step.signal, step.withReason);
      case "delete":
        return void this.#runner.workers.delete(`w${step.worker}`);
      case "drain":
        this.#ends++;
        return this.#settlements.track("drain", this.#runner.drain({ timeout: step.timeout, queued: step.queued }));
      case "start":
        return this.#settlements.track("start", this.#runner.start());
      case "stop":
        return this.#stop();
      case "dispose":
        this.#ends++;
        return this.#settlements.track("dispose", this.#runner[Symbol.asyncDispose]());
      default:
        return this.#workerStep(step.step, this.#workers[step.worker]);
    }
  }

  #workerStep(step: string, worker: Worker | undefined): void {
    if (worker === undefined) return;
    if (step === "start worker") worker.start().catch(() => undefined);
    else if (step === "drain worker") this.#settlements.track(step, worker.drain({ timeout: 100 }));
    else if (step === "dispose worker") this.#settlements.track(step, worker[Symbol.asyncDispose]());
    else this.#settlements.track(step, worker.stop());
  }

  #options({ signal, attempts, timeout, deadline, queueTimeout, failFast }: Manner): ExecuteOptions {
    return { attempts, timeout, deadline, queueTimeout, failFast, signal: this.#signals[signal]?.signal };
  }

  /** Rejects with RunnerStoppedError only before the start, or when a stop has ended a wait. */
  #heard<T>(what: string, promise: Promise<T>): Promise<T> {
    const ends = this.#ends;
    const { state } = this.#runner;
    return promise.catch((error: unknown) => {
      if (error instanceof RunnerStoppedError && state === "started" && ends === this.#ends)
        this.#settlements.faults.push(`${what}: ${error.message}, but nobody stopped it`);
      throw error;
    });
  }

  #execute(deed: Deed, manner: Manner, run: (data: string, how: ExecuteOptions) => Promise<Payload>): void {
    const data = this.#data(deed, manner);
    const due = this.#clock.now() + manner.deadline;
    const checkTime = (): void => {
      if (this.#clock.now() > due) this.#settlements.faults.push(`${data} settled ${this.#clock.now() - due} ms late`);
    };
    const settled = this.#heard(data, run(data, this.#options(manner))).finally(checkTime);
    this.#settlements.track(
      data,
      settled.then((value) => this.#checkValue(deed, data, value)),
      "job",
    );
  }

  /** What a job is about, told from all others. */
  #data(deed: Deed, { attempts }: Manner): string {
    return `${deed} ${this.#jobs++}, ${attempts} times at most`;
  }

  #checkValue(deed: Deed, data: string, value: Payload): void {
    if (value !== resultOf(data)) this.#settlements.faults.push(`${data} came to ${String(value)}`);
    if (!canSucceed(deed)) this.#settlements.faults.push(`${data} ended well`);
  }

  async #map(plan: MapPlan): Promise<void> {
    const { ordered, concurrency, window } = plan;
    const jobs = plan.deeds.map((deed) => this.#data(deed, plan.manner));
    const input = new EdgeInput(jobs, plan, this.#scheduler);
    this.#inputs.push(input);
    const seen: number[] = [];
    // Only an abort ends the wait for an input that has fallen silent.
    const signal = Math.max(plan.input === "silent" ? 0 : -1, plan.manner.signal);
    const options = { ...this.#options({ ...plan.manner, signal }), ordered, concurrency, window };
    for await (const outcome of this.#runner.map(input.open(), options)) {
      if (ordered && outcome.index !== seen.length)
        this.#settlements.faults.push(`map: ${outcome.index} came after ${seen.join()}`);
      if (seen.includes(outcome.index)) this.#settlements.faults.push(`map: ${outcome.index} came twice`);
      seen.push(outcome.index);
      const deed = plan.deeds[outcome.index] ?? "value";
      if (outcome.input !== jobs[outcome.index]) this.#settlements.faults.push(`map: another input`);
      if (outcome.ok) this.#checkValue(deed, outcome.input, outcome.value);
      this.#tally.add(outcome.ok ? "map: outcome ok" : "map: outcome not ok");
      if (seen.length === plan.leavesAfter) return;
      if (plan.slowReader) await this.#scheduler.schedule(Promise.resolve(), "read on");
    }
    if (seen.length !== jobs.length) this.#settlements.faults.push(`map: ${seen.length} outcomes of ${jobs.length}`);
  }

  #hold({ manner, deeds, end }: Extract<EdgeStep, { step: "hold" }>): Promise<void> {
    const use = async (held: WorkerLease): Promise<void> => {
      const jobs = deeds.map((deed) => this.#executeHeld(held, deed, manner));
      if (end !== "leave jobs behind") await Promise.all(jobs);
      if (end === "throw") throw new OwnError("out of the context");
    };
    const signal = this.#signals[manner.signal]?.signal;
    return this.#heard("hold", this.#runner.workers.getContext(use, { timeout: manner.timeout, signal }));
  }

  #executeHeld(held: WorkerLease, deed: Deed, manner: Manner): Promise<void> {
    return new Promise((ended) => {
      this.#execute(deed, manner, (data, how) => {
        const result = held.execute(data, how);
        void result.then(
          () => ended(),
          () => ended(),
        );
        return result;
      });
    });
  }

  async #acquire(manner: Manner, releases: number): Promise<void> {
    const signal = this.#signals[manner.signal]?.signal;
    const held = await this.#heard("acquire", this.#runner.workers.acquire({ timeout: manner.timeout, signal }));
    void this.#executeHeld(held, manner.deed, manner);
    await this.#scheduler.schedule(Promise.resolve(), "release");
    for (let i = 0; i < releases; i++) this.#runner.workers.release(held);
    await held[Symbol.asyncDispose]();
  }

  #abort(n: number, withReason: boolean): void {
    const signal = this.#signals[n];
    if (withReason) signal?.abort(new OwnError("changed my mind"));
    else signal?.abort();
    this.#settlements.allow(signal?.signal.reason);
  }

  #checkBooks(): void {
    const { submitted, succeeded, failed, queued, running, backoff, workers } = this.#runner.stats();
    if (submitted !== succeeded + failed + queued + running + backoff)
      this.#settlements.faults.push("the books do not balance");
    const { waiting } = this.#runner.workers;
    if (!this.#holders && waiting !== queued) this.#settlements.faults.push(`${waiting} in line for ${queued} jobs`);
    for (const { identity, inFlight, capacity, state } of workers) {
      if (inFlight > capacity) this.#settlements.faults.push(`${identity} has ${inFlight} jobs for ${capacity} slots`);
      if (!this.#holders && state === "idle" && waiting > 0)
        this.#settlements.faults.push(`somebody waits beside ${identity}, which is idle`);
    }
  }

  #stop(): void {
    this.#ends++;
    const stopping = this.#runner.stop();
    const { queued, running, backoff } = this.#runner.stats();
    if (queued + running + backoff > 0) this.#settlements.faults.push("stop did not settle every call in its own step");
    this.#settlements.track(
      "stop",
      stopping.then(() => this.#checkStopped()),
    );
  }

  #checkStopped(): void {
    if (this.#runner.state !== "stopped") return; // started again meanwhile
    const { workers, pending, queued, running, backoff } = this.#runner.stats();
    const left = [workers.length, pending, queued, running, backoff, this.#runner.workers.waiting];
    if (left.some((count) => count > 0)) this.#settlements.faults.push(`stop left ${left.join()}`);
  }

  /** No more steps follow: every promise settles by itself, or at the abort. */
  async #calm(): Promise<void> {
    const isSilent = this.#plan.steps.some((step) => step.step === "map" && step.input === "silent");
    if (isSilent) for (let n = 0; n < SIGNALS; n++) this.#abort(n, true);
    const end = this.#clock.now() + CALM;
    while (this.#clock.now() < end && this.#settlements.open > 0) {
      await this.#drainScheduler();
      await this.#clock.advance(1_000);
      this.#checkBooks();
    }
    this.#settlements.checkClosed("never settled");
  }

  async #drainScheduler(): Promise<void> {
    while (this.#scheduler.count() > 0) {
      await this.#scheduler.waitNext(1);
      await turn();
    }
  }

  async #end(): Promise<void> {
    for (const end of [...this.#workers.map((worker) => worker.stop()), this.#runner.stop()])
      this.#settlements.track("end", end);
    await this.#clock.settle();
    await this.#drainScheduler();
    await this.#clock.settle(); // and no later: whatever has stopped waits for nothing
    this.#checkBooks();
    this.#checkStopped();
    this.#settlements.checkClosed("never ended");
    for (const input of this.#inputs) this.#settlements.faults.push(...input.faults);
    if (this.#clock.pending > 0) this.#settlements.faults.push(`${this.#clock.pending} timers are left`);
    for (const { listeners } of this.#signals)
      if (listeners > 0) this.#settlements.faults.push(`${listeners} listeners are left`);
    const { submitted } = this.#runner.stats();
    if (this.#plan.listens) this.#settlements.checkReports(submitted);
    this.#tally.add("jobs", submitted);
  }
}
