/**
 * JobRunner: puts together the pool (scheduler.ts), the registration of workers (registration.ts) and the dispatcher
 * (dispatcher.ts), and owns their life: start, drain, stop.
 */
import { type CallOptions, resolveCall } from "../dispatch/call-options.ts";
import { captureAsyncContext } from "../time/system.ts";
import { CallbackEntry, type TimerQueue } from "../time/timer-queue.ts";
import { frameLimit } from "../protocol/codec.ts";
import { Deferred, startHeld } from "../async/deferred.ts";
import type { CallInfo, CallTarget } from "../dispatch/call-context.ts";
import { type CallCounts, Dispatcher } from "../dispatch/dispatcher.ts";
import { EXECUTE_DEFAULTS, type ExecuteOptions } from "../job/execute-options.ts";
import { RunnerStoppedError } from "../errors.ts";
import { Emitter } from "../async/emitter.ts";
import type { RunnerEvent, RunnerState } from "../events.ts";
import { WorkerLease } from "./worker-lease.ts";
import type { IncomingBudget } from "../transport/incoming-budget.ts";
import type { Job } from "../job/job.ts";
import type { Dialer } from "../transport/listener.ts";
import {
  type JobSubmitter,
  type MapInput,
  type MapOptions,
  type MapOptionsOf,
  mapJobs,
  type Outcome,
} from "../dispatch/map.ts";
import type { GoAwayReason } from "../protocol/message.ts";
import { checkOptions, duration, listOf, oneOf, pickOptions, withDefaults } from "../options.ts";
import { listenerContext } from "./listener-context.ts";
import { socketPair } from "../transport/socket-pair.ts";
import type { RelayedCall, RelayedCallOwner, RelayedJob } from "../dispatch/relayed-call.ts";
import type { Payload } from "../peer.ts";
import { LOCAL } from "../transport/principal.ts";
import type { QueueDepth } from "../pool/wait-queue.ts";
import { Reconnector } from "../transport/reconnector.ts";
import { PrefetchRecaller } from "./prefetch-recaller.ts";
import { REGISTRATION_RULES, resolveLimits, type ResolvedLimits, WorkerRegistration } from "./registration.ts";
import { type DrainOptions, RUNNER_DEFAULTS, RUNNER_RULES, type RunnerOptions } from "./runner-options.ts";
import { type Session, workerStats } from "../session/session.ts";
import type { PayloadStream } from "../job/payload-stream.ts";
import type { Socket } from "../transport/socket.ts";
import type { RunnerStats, WaitingStats } from "../stats.ts";
import { taskStats } from "./task-stats.ts";
import { Scheduler } from "../pool/scheduler.ts";
import { Workers } from "../pool/workers.ts";

const RECONNECT = { reconnectMin: 100, reconnectMax: 30_000 };
/** Queues in `stats`: for each of them it looks at all workers. */
const MAX_WAITING_STATS = 100;
const SELF_PEER = { transport: "memory", address: "this process", principal: LOCAL };

/** @internal The workers of a runner, as a relay uses them. */
export interface Fleet {
  /** Slots of the workers that can be given work. */
  readonly capacity: number;
  /** Labels of the workers, each once. */
  readonly labels: Iterable<string>;
  /** How many relays are stacked in it at most; 0: none of its workers is one. */
  readonly relays: number;
  /** The first part of the runner's job ids. */
  readonly runnerId: string;
  /** Calls `fn` when slots have gone, before their jobs are told; the returned function ends that. It must not change the fleet. */
  onShrunk(fn: () => void): () => void;
  /** Takes in a job of another runner. See {@link Dispatcher.relay}. */
  relay(job: RelayedJob, owner: RelayedCallOwner): RelayedCall;
}

/** Gives jobs to free workers and settles each one exactly once. */
export class JobRunner implements Dialer {
  /** Workers that dial a runner live in its process. */
  readonly sameProcess = true;
  /** The workers; lease one with `acquire` or `getContext`. */
  readonly workers: Workers<Session, WorkerLease>;
  /** @internal For the simulation: called for each job that is taken in, before it is queued. Without options: it is another runner's. */
  protected taken?(call: CallInfo, options: CallOptions | undefined): void;
  readonly #limits: ResolvedLimits;
  readonly #drainTimeout: number;
  readonly #hasHeaders: boolean;
  readonly #events: Emitter<RunnerEvent>;
  readonly #dispatcher: Dispatcher;
  readonly #registration: WorkerRegistration;
  readonly #dialers: readonly Dialer[];
  readonly #timers: TimerQueue;
  readonly #recaller: PrefetchRecaller;
  readonly #scheduler: Scheduler<Session>;
  readonly #target: CallTarget;
  /** Relays that stand for this fleet. */
  readonly #shrinkListeners = new Set<() => void>();
  readonly #drainAlarm: CallbackEntry = new CallbackEntry((lateBy) => {
    const took = Math.round(this.#limits.clock.now() - this.#drainSince - lateBy);
    this.#abort(`the drain took over ${took} ms`);
  });
  #drainSince = 0;
  #reconnectors: readonly Reconnector[] = [];
  #state: RunnerState = "created";
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  /**
   * @param options - See {@link RunnerOptions}.
   * @throws TypeError or RangeError when an option is wrong.
   */
  constructor(options: RunnerOptions = {}) {
    checkOptions("JobRunner", options, RUNNER_RULES);
    const { listen, dial, drainTimeout, prefetch, ...rest } = withDefaults(RUNNER_DEFAULTS, options);
    const limits = resolveLimits(rest);
    const { clock } = limits;
    this.#limits = limits;
    this.#drainTimeout = drainTimeout;
    this.#hasHeaders = rest.headers !== undefined;
    this.#dialers = listOf(dial);
    this.#events = new Emitter(clock);
    this.#dispatcher = new Dispatcher({
      ...rest,
      ...limits,
      runnerId: limits.random.id(),
      events: this.#events,
      defaults: resolveCall(options, EXECUTE_DEFAULTS),
      trouble: () => this.#registration.trouble,
      closed: () => (this.#state === "started" ? undefined : this.#notStarted()),
      onSubmit: (call, resolved) => this.taken?.(call, resolved),
    });
    this.#timers = this.#dispatcher.timers;
    this.#recaller = new PrefetchRecaller(clock, () => this.#scheduler);
    this.#scheduler = this.#makeScheduler(rest.maxQueue);
    this.workers = this.#makePool(this.#scheduler);
    this.#target = { scheduler: this.#scheduler, pinned: false };
    this.#registration = new WorkerRegistration(
      { ...pickOptions(limits, REGISTRATION_RULES), listen: listOf(listen) },
      {
        scheduler: this.#scheduler,
        events: this.#events,
        dispatcher: this.#dispatcher,
        prefetch,
        onShrunk: () => {
          for (const fn of this.#shrinkListeners) fn();
        },
        context: listenerContext(this, () => this.#registration.sessions()),
      },
    );
  }

  /** Where the runner is in its life. */
  get state(): RunnerState {
    return this.#state;
  }

  /** Lets workers in. Resolves once every listener listens; a second call returns the same promise. Rejects with a listener's error. */
  start(): Promise<void> {
    if (this.#stopping !== undefined) return this.#stopping.then(() => this.start());
    if (this.#starting !== undefined) return this.#starting;
    return startHeld(
      () => this.#start(),
      (starting) => void (this.#starting = starting),
    );
  }

  /**
   * Runs a job on a free worker and resolves to the handler's result, a string or bytes. Rejects with one of the
   * {@link PowerhoseError} classes, the signal's reason, or a TypeError for wrong input.
   */
  execute(job: Job | Payload, options?: ExecuteOptions): Promise<Payload> {
    return this.#dispatcher.execute(job, options, this.#target);
  }

  /**
   * Runs a job whose handler may return a stream: resolves to its result, or, with the first item, to the stream. Rejects as
   * `execute` does. With `verify` no stream is taken. The job may be retried until an item was read. `timeout` limits the time in which the worker, while it may
   * send, sends nothing.
   */
  open(job: Job | Payload, options?: ExecuteOptions): Promise<Payload | PayloadStream> {
    return this.#dispatcher.open(job, options, this.#target);
  }

  /**
   * Runs many jobs, pulling the input only as fast as workers free up and results are read. Leaving the loop aborts what
   * still runs. A job's failure is an outcome. An input that fails throws, and so does one that no job can be made of (TypeError).
   * With `toJob` inputs may be anything.
   */
  map<T extends MapInput>(
    inputs: Iterable<T> | AsyncIterable<T>,
    options?: MapOptions,
  ): AsyncGenerator<Outcome<T>, void, undefined>;
  map<T>(inputs: Iterable<T> | AsyncIterable<T>, options: MapOptionsOf<T>): AsyncGenerator<Outcome<T>, void, undefined>;
  map<T>(
    inputs: Iterable<T> | AsyncIterable<T>,
    options?: MapOptions & Partial<MapOptionsOf<T>>,
  ): AsyncGenerator<Outcome<T>, void, undefined> {
    return mapJobs(inputs, options, this.submitter);
  }

  /** @internal Submits jobs with a callback instead of a promise: for `map` and the command. Their async context is the caller's. */
  get submitter(): JobSubmitter {
    const context = captureAsyncContext?.();
    const inContext = <R>(fn: () => R): R => (context === undefined ? fn() : context.runInAsyncScope(fn));
    // Only handlers of this process and the runner's headers see the context of a job.
    const isSeen = this.#hasHeaders || this.#dispatcher.captureAsyncContext !== undefined;
    const inJobContext = isSeen ? inContext : <R>(fn: () => R): R => fn();
    return {
      inContext,
      capacity: () => this.#scheduler.submitLimit,
      hasRoom: (bytes, given) => this.#dispatcher.hasRoomFor(bytes, given, this.#target),
      whenRoom: (fn) => this.#dispatcher.whenRoom(fn),
      submit: (job, given, onSettled, onStream) =>
        inJobContext(() => this.#dispatcher.submit(job, given, this.#target, onSettled, onStream)),
    };
  }

  /** @internal The fleet, as a relay hands jobs to it. */
  get fleet(): Fleet {
    const scheduler = this.#scheduler;
    const { relays } = this.#registration;
    return {
      relays,
      runnerId: this.#dispatcher.runnerId,
      get capacity(): number {
        return scheduler.slots;
      },
      get labels(): Iterable<string> {
        return scheduler.labels;
      },
      onShrunk: (fn) => {
        this.#shrinkListeners.add(fn);
        return () => void this.#shrinkListeners.delete(fn);
      },
      relay: (job, owner) => this.#dispatcher.relay(job, this.#target, owner),
    };
  }

  /** @internal The budget for frames that arrive. */
  get incoming(): IncomingBudget {
    return this.#registration.incoming;
  }

  /** @internal Calls by state: the part of `stats` that costs nothing. */
  get calls(): CallCounts {
    return this.#dispatcher.counts;
  }

  /** Calls `listener` for every event; the returned function ends that. */
  on(listener: (event: RunnerEvent) => void): () => void {
    return this.#events.on(listener);
  }

  /** @internal As `on`, without the events of single jobs: they are not made for this listener. */
  onWorkerEvent(listener: (event: RunnerEvent) => void): () => void {
    return this.#events.on(listener, false);
  }

  /** The numbers of this moment. */
  stats(): RunnerStats {
    const { counts, retries, returned, streamBytes } = this.#dispatcher;
    const workers = [...this.#registration.sessions()].map(workerStats);
    return {
      state: this.#state,
      workers,
      capacity: this.#scheduler.slots,
      pending: this.#registration.pending,
      ...counts,
      waiting: this.#scheduler.queueDepths.slice(0, MAX_WAITING_STATS).map((depth) => this.#waitingStats(depth)),
      tasks: taskStats(this.#scheduler, this.#registration.sessions()),
      retries,
      returned,
      streamBytes,
      ...this.#registration.counts,
    };
  }

  /**
   * Takes no new jobs, finishes (or rejects) what is queued, finishes what runs, then stops. A second call returns the same
   * promise; a shorter `timeout` and `queued: "reject"` hold for the drain under way.
   */
  drain(options: DrainOptions = {}): Promise<void> {
    try {
      checkOptions("drain", options, { timeout: duration, queued: oneOf("run", "reject") });
    } catch (error) {
      return Promise.reject(error);
    }
    const { timeout, queued } = options;
    if (this.#stopping !== undefined) {
      if (this.#state === "draining") this.#limitDrain(timeout ?? Number.POSITIVE_INFINITY, queued);
      return this.#stopping;
    }
    if (this.#state !== "started") return this.stop();
    this.#setState("draining");
    return startHeld(
      () => this.#drain(timeout ?? this.#drainTimeout, queued),
      (stopping) => void (this.#stopping = stopping),
    );
  }

  /** Rejects every unsettled job with RunnerStoppedError, sends the workers away and stops listening. May be called twice. */
  stop(): Promise<void> {
    if (this.#state === "stopped" && this.#stopping === undefined) return Promise.resolve();
    if (this.#state === "draining") this.#abort("the runner was stopped");
    if (this.#stopping !== undefined) return this.#stopping;
    return startHeld(
      () => this.#stop(),
      (stopping) => void (this.#stopping = stopping),
    );
  }

  /** {@link JobRunner.stop}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Connects a worker of this process. Rejects while the runner is not started. */
  async dial(signal: AbortSignal): Promise<Socket> {
    if (this.#starting !== undefined) await this.#starting;
    if (signal.aborted) throw signal.reason;
    if (!this.#registration.started) throw this.#notStarted();
    const { clock, maxPayload } = this.#limits;
    const [ours, theirs] = socketPair({ clock, peers: [SELF_PEER, SELF_PEER], maxFrameBytes: frameLimit(maxPayload) });
    this.#registration.accept(ours);
    return theirs;
  }

  async #start(): Promise<void> {
    this.#setState("starting");
    this.#scheduler.open();
    try {
      await this.#registration.start();
    } catch (error) {
      this.#starting = undefined;
      if (this.#state === "starting") this.#setState("created");
      throw error;
    }
    if (this.#state !== "starting") throw this.#notStarted();
    this.#setState("started");
    this.#reconnectors = this.#dialers.map((dialer) => this.#reconnectorFor(dialer));
    // Dialers are user code, which may stop the runner: it must find all of them.
    for (const reconnector of this.#reconnectors) reconnector.dial();
  }

  async #drain(timeout: number, queued: DrainOptions["queued"]): Promise<void> {
    const idle = new Deferred<void>();
    this.#drainSince = this.#limits.clock.now();
    this.#limitDrain(timeout, queued);
    this.#dispatcher.whenIdle(() => idle.resolve());
    await idle.promise;
    this.#timers.drop(this.#drainAlarm);
    await this.#stop("draining");
  }

  /** Makes a drain end no later than in `timeout` ms. */
  #limitDrain(timeout: number, queued: DrainOptions["queued"]): void {
    if (this.#limits.clock.now() + timeout < this.#drainAlarm.due) this.#timers.set(this.#drainAlarm, timeout);
    if (queued === "reject") this.#abort("the runner drains", "not started");
  }

  async #stop(reason: GoAwayReason = "stopping"): Promise<void> {
    const starting = this.#starting;
    // First, as user code runs from here on: a job that is accepted now would never settle.
    this.#state = "stopped";
    for (const reconnector of this.#reconnectors) reconnector.stop();
    this.#reconnectors = [];
    this.#abort("the runner was stopped");
    this.#scheduler.close(new RunnerStoppedError("the runner was stopped"));
    try {
      await this.#registration.close(reason);
      // A start in progress must see the stop before another start may begin.
      await starting?.catch(() => undefined);
    } finally {
      this.#recaller.stop();
      this.#starting = undefined;
      // Last, after the events of its workers, and before the promise settles.
      this.#setState("stopped");
      this.#events.flush();
      this.#stopping = undefined;
    }
  }

  #abort(why: string, which: "all" | "not started" = "all"): void {
    this.#dispatcher.stop((jobId) => new RunnerStoppedError(why, { jobId }), "stopped", which);
  }

  /** Keeps the connection to a worker that listens, from the first `dial` on. */
  #reconnectorFor(dialer: Dialer): Reconnector {
    const { clock, random } = this.#limits;
    const reconnector: Reconnector = new Reconnector({
      ...RECONNECT,
      dialer,
      clock,
      random,
      limits: this.#registration.socketLimits,
      onConnected: (socket) =>
        this.#registration.accept(socket, (end) => reconnector.dialAfter(reconnector.dialLater(end))),
      onFailed: (error, retryIn) => {
        this.#events.emit({ type: "dial-failed", error, retryIn });
        return true;
      },
    });
    return reconnector;
  }

  #makeScheduler(maxQueue: number): Scheduler<Session> {
    return new Scheduler({
      clock: this.#limits.clock,
      prefetchLimitOf: (session) => session.attempts.prefetchLimit,
      onIdleSlot: () => this.#recaller.onIdleSlot(),
      onOvercommitted: (session) => this.#recaller.onOvercommitted(session),
      onServed: maxQueue === 0 ? () => this.#dispatcher.onServed() : undefined,
    });
  }

  #makePool(scheduler: Scheduler<Session>): Workers<Session, WorkerLease> {
    const release = (lease: WorkerLease): void => this.workers.release(lease);
    return new Workers<Session, WorkerLease>(
      { clock: this.#limits.clock },
      {
        scheduler,
        leasing: {
          wrap: (session) => new WorkerLease(session, this.#dispatcher, release),
          unwrap: (lease, free) => lease.endAfterJobs(free),
        },
        trouble: () => this.#registration.trouble,
      },
    );
  }

  #waitingStats({ selector, length }: QueueDepth): WaitingStats {
    const { labels: require, excludedPrincipals: except } = selector ?? { labels: [], excludedPrincipals: [] };
    return { require, except: [...except], jobs: length, workers: this.#scheduler.countMatching(selector) };
  }

  #setState(state: RunnerState): void {
    this.#state = state;
    this.#events.emit({ type: "runner-state", state });
  }

  #notStarted(): RunnerStoppedError {
    const hint = this.#state === "created" || this.#state === "starting" ? ": await runner.start() first" : "";
    return new RunnerStoppedError(`the runner is ${this.#state === "created" ? "not started" : this.#state}${hint}`);
  }
}
