/**
 * Worker: opens a connection, serves jobs over it, leaves in good order and comes back. Owns the slots, the identity and
 * the life of the worker. What it is doing, and what follows from what, is in worker-state.ts; one session's conversation is
 * in runner-connection.ts.
 */
import { type Clock, type Random } from "../time/clock.ts";
import { frameLimit } from "../protocol/codec.ts";
import { Deferred } from "../async/deferred.ts";
import { AbortError, AuthError, ProtocolError, WorkerStartError, WorkerStoppedError } from "../errors.ts";
import { describeError } from "../describe-error.ts";
import { Emitter } from "../async/emitter.ts";
import type { DisconnectReason, WorkerEvent, WorkerState } from "../events.ts";
import { systemClock, systemRandom, warnOnConsole } from "../time/system.ts";
import type { Dialer, Listener } from "../transport/listener.ts";
import { type HelloMessage, PROTOCOL_VERSION } from "../protocol/message.ts";
import { checkOptions, duration } from "../options.ts";
import { RunnerConnection } from "./runner-connection.ts";
import type { ConnectionEnd } from "./runner-connection-owner.ts";
import { Reconnector } from "../transport/reconnector.ts";
import type { Socket } from "../transport/socket.ts";
import type { Handler, Execution } from "./execution.ts";
import { isRelay, type JobRelay } from "./job-relay.ts";
import { WorkerLifetime } from "./worker-lifetime.ts";
import { MAX_RELAYS, MAX_TOLD_LABELS, stackLabel, taskLabel, TOO_MANY_RELAYS } from "../identifiers.ts";
import { HandlerLifecycle, tasksOf } from "./handler-lifecycle.ts";
import { Timer } from "../time/timer.ts";
import { featuresOn, MAX_PREFETCH } from "../protocol/constants.ts";
import { type ResolvedWorkerOptions, resolveWorkerOptions, type WorkerOptions } from "./worker-options.ts";
import { WorkerWarnings } from "./warnings.ts";
import { nextStep, type WorkerAction, type WorkerInput, type WorkerPhase } from "./worker-state.ts";

/** Serves jobs with a handler until it is stopped, reconnecting for ever. */
export class Worker {
  // Is a RunnerConnectionOwner; what makes it one is left out of the published types.
  /** @internal */
  readonly clock: Clock;
  /** The worker's stable name. */
  readonly identity: string;
  /** @internal */
  readonly handler: Handler | JobRelay;
  /** @internal */
  readonly ownLabels: readonly string[];
  /** @internal */
  readonly remoteStacks: boolean | undefined;
  /** @internal */
  readonly maxFrameBytes: number;
  /** @internal */
  readonly highWater: number;
  /** @internal */
  readonly maxBuffered: number;
  /** @internal */
  readonly inputWindow: number;
  /** Fulfils once the worker has stopped, for whatever reason. */
  readonly closed: Promise<void>;
  readonly #options: ResolvedWorkerOptions;
  readonly #random: Random;
  readonly #events: Emitter<WorkerEvent>;
  readonly #drainTimer: Timer;
  readonly #lifetime: WorkerLifetime;
  /** What runs before the first job and after the last, of a handler of tasks. */
  readonly #taskHooks: HandlerLifecycle | undefined;
  readonly #warnings: WorkerWarnings;
  readonly #connections = new Set<RunnerConnection>();
  readonly #reconnector: Reconnector | undefined;
  readonly #started = new Deferred<void>();
  readonly #stopped = new Deferred<void>();
  /** Aborted when the instance that runs now begins to leave. */
  #shutdown = new AbortController();
  #phase: WorkerPhase = { state: "created" };
  #instance: string;
  /** Ends the news of the fleet behind a relay. */
  #unfollow: (() => void) | undefined;
  /** The listener that has to be stopped. */
  #listener: Listener | undefined;
  /** Handlers that run, those of lost sessions included. */
  #running = 0;
  /** Handlers of lost sessions: each keeps its slot, and works for no runner. */
  #orphans = 0;
  #served = 0;
  /** Jobs that have had a slot so far. */
  #begun = 0;

  /**
   * @param options - See {@link WorkerOptions}.
   * @throws TypeError or RangeError when an option is wrong.
   */
  constructor(options: WorkerOptions) {
    this.#options = resolveWorkerOptions(options);
    this.clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.#drainTimer = new Timer(this.clock, true, () => void this.stop());
    this.#events = new Emitter(this.clock);
    this.identity = options.identity ?? `worker-${this.#random.id().slice(0, 12)}`;
    this.handler = options.handler;
    const tasks = tasksOf(options.handler);
    this.#taskHooks = tasks === undefined ? undefined : new HandlerLifecycle(tasks);
    this.ownLabels = [...this.#options.labels, ...(tasks?.names ?? []).map(taskLabel)];
    this.remoteStacks = this.#options.remoteStacks;
    this.maxFrameBytes = frameLimit(this.#options.maxPayload);
    this.highWater = this.#options.highWater;
    this.maxBuffered = this.#options.maxBuffered;
    this.inputWindow = this.#options.inputWindow;
    this.#instance = this.#random.id();
    const onWarning = options.onWarning ?? (options.clock === undefined ? warnOnConsole : false);
    // A runner of this process may start in the same moment: that it has not yet is no news.
    const patience = options.dial?.sameProcess === true ? 1 : 0;
    this.#warnings = new WorkerWarnings(this.identity, onWarning, this.clock, patience);
    this.#lifetime = new WorkerLifetime(this.#options, this.clock, this.#random, () => this.#retire());
    this.closed = this.#stopped.promise;
    this.#reconnector = options.dial === undefined ? undefined : this.#makeReconnector(options.dial);
  }

  /** Where the worker is in its life. */
  get state(): WorkerState {
    return this.#phase.state;
  }

  /** Handlers running now, those of lost sessions included. */
  get running(): number {
    return this.#running;
  }

  /** Jobs whose handler has returned or thrown. */
  get served(): number {
    return this.#served;
  }

  /** @internal */
  get shuttingDown(): AbortSignal {
    return this.#shutdown.signal;
  }

  /**
   * Connects. Resolves once the worker is registered (with `listen`: once it listens), however long that takes.
   * Rejects with a WorkerStartError when the `init` of its tasks fails; with AuthError or ProtocolError when the runner turns it away for good, WorkerStoppedError when stopped first; with
   * `failFast` at the first failure: with the dialer's error, or a WorkerStartError when the runner does not let it in.
   */
  start(): Promise<void> {
    if (this.#apply({ type: "start" }) === "open") {
      if (this.#taskHooks === undefined) this.#open();
      else void this.#openAfterInit(this.#taskHooks);
    }
    return this.#started.promise;
  }

  /**
   * Takes no new jobs, finishes what runs, tells the runner, then stops. Aborts what is left after `timeout` ms, which a second
   * call may shorten.
   */
  drain(options: { readonly timeout?: number } = {}): Promise<void> {
    try {
      checkOptions("drain", options, { timeout: duration });
    } catch (error) {
      return Promise.reject(error);
    }
    const { timeout } = options;
    const action = this.#apply({ type: "drain" });
    if (action !== "nothing") this.#drainTimer.set(timeout ?? this.#options.drainTimeout);
    else if (timeout !== undefined && this.#phase.state === "draining")
      this.#drainTimer.setAt(Math.min(this.#drainTimer.due, this.clock.now() + timeout));
    if (action === "leave") this.#leaveAll();
    return this.closed;
  }

  /** Leaves at once: the runner is told, handlers' signals abort, their jobs count as lost. May be called twice. */
  stop(): Promise<void> {
    // The caller of `stop` knows that the start is over. A start that failed for another reason is reported.
    this.#started.promise.catch(() => undefined);
    this.#end(new WorkerStoppedError(`worker ${this.identity} was stopped before it could register`));
    return this.closed;
  }

  /** @internal Dials now, if it waits to dial again. */
  reconnectNow(): void {
    if (this.#apply({ type: "hurry" }) === "dial") this.#reconnector?.dial();
  }

  /** {@link Worker.drain}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }

  /** Calls `listener` for every event; the returned function ends that. */
  on(listener: (event: WorkerEvent) => void): () => void {
    return this.#events.on(listener);
  }

  /** @internal */
  get observed(): boolean {
    return this.#events.active;
  }

  /**
   * @internal Max-min fairness: of the runners whose jobs wait, the one with the fewest handlers here comes first, and among
   * equals the one whose turn is longest ago.
   */
  hasRoomFor(connection: RunnerConnection): boolean {
    if (this.#running >= this.#capacity) return false;
    if (this.#connections.size === 1) return true;
    for (const other of this.#connections)
      if (other !== connection && other.isReady && comesBefore(other, connection)) return false;
    return true;
  }

  /** @internal */
  onWelcome(): void {
    this.#warnings.forget();
    this.#apply({ type: "welcomed" });
    this.#lifetime.onRegistered();
    this.#started.resolve();
    this.#reclaimSlots();
  }

  /** @internal */
  onExecutionStarted(): number {
    this.#running++;
    this.#lifetime.count();
    return ++this.#begun;
  }

  /** @internal */
  onExecutionServed(execution: Execution, ok: boolean, isOrphan: boolean): void {
    this.#served++;
    const { attempt, durationMs: ran } = execution;
    if (this.observed) this.#events.emit({ type: "job-served", jobId: execution.jobId, attempt, ok, ms: ran });
    this.#running--;
    if (isOrphan) this.#orphanReturned();
    if (this.#phase.state === "draining") this.#stopWhenDone();
    else if (this.#phase.state === "stopped" && this.#running === 0) this.#taskHooks?.onIdle();
  }

  /** @internal */
  onExecutionDropped(): void {
    this.#running--;
  }

  /** @internal */
  startWaiting(by: RunnerConnection): void {
    // Of a session that is over, too: the other connections have waited for that slot.
    if (this.#connections.size === 1 && this.#connections.has(by)) return by.startNext();
    // Each starts those that come before the others' jobs; what it starts may be the others' turn again.
    for (let begun = -1; begun !== this.#begun && this.#running < this.#capacity;) {
      begun = this.#begun;
      for (const connection of this.#connections) connection.startNext();
    }
  }

  /** @internal */
  onGoAway(): void {
    if (this.#reconnector !== undefined) this.#apply({ type: "sent-away" });
  }

  /** @internal */
  onEnded(connection: RunnerConnection, end: ConnectionEnd): void {
    const { asked, retryAfter } = end;
    const isLoss = this.#phase.state === "registered" && end.reason !== "refused";
    const error = end.error ?? (this.#failsFast ? new WorkerStartError(end.message) : undefined);
    this.#connections.delete(connection);
    this.#orphans += end.orphans;
    if (this.#phase.state === "draining") return this.#stopWhenDone();
    if (this.#reconnector === undefined) return;
    const action = this.#apply({ type: "ended", fatal: error !== undefined, atOnce: asked && retryAfter === 0 });
    if (action === "dial") this.#reconnector.dial();
    else if (action === "pause") this.#pause(end, this.#reconnector);
    else if (action === "give-up" && error !== undefined) this.#giveUp(error);
    if (action === "pause" && !isLoss && end.reason !== "closed") this.#warn(end.message, error);
  }

  #open(): void {
    this.#newInstance();
    if (isRelay(this.handler)) this.#unfollow = this.handler.onChange(() => this.#reclaimSlots());
    if (this.#reconnector === undefined) void this.#listen();
    else this.#reconnector.dial();
  }

  async #openAfterInit(lifecycle: HandlerLifecycle): Promise<void> {
    try {
      await lifecycle.start();
    } catch (cause) {
      const message = `worker ${this.identity}: the init of its tasks failed: ${describeError(cause)}`;
      return this.#end(new WorkerStartError(message, { cause }));
    }
    if (this.#phase.state === "connecting") this.#open();
    else this.#stopWhenDone();
  }

  /** Whether the first failure is the last one. */
  get #failsFast(): boolean {
    return this.#options.failFast && this.#isNew;
  }

  /** A runner of this process that is gone is no news: it was stopped here. */
  #warn(message: string, cause: unknown): void {
    if (this.#isNew || this.#options.dial?.sameProcess !== true) this.#warnings.tell(message, cause);
  }

  #pause({ reason, message, error, retryAfter, isWelcomed }: ConnectionEnd, reconnector: Reconnector): void {
    const retryIn = reconnector.dialLater({ isWelcomed, isRefused: reason === "refused" }, retryAfter);
    this.#events.emit({ type: "disconnected", reason, message, retryIn, error });
    reconnector.dialAfter(retryIn);
  }

  #giveUp(error: unknown, reason: DisconnectReason = "refused"): void {
    this.#events.emit({ type: "disconnected", reason, message: describeError(error), error });
    this.#end(error);
  }

  /** Ends everything, once. `reason`: what a start that has not succeeded rejects with. */
  #end(reason: unknown): void {
    if (this.#apply({ type: "stop" }) !== "stop") return;
    this.#reconnector?.stop();
    for (const connection of this.#connections) connection.close("stopped");
    this.#announceShutdown("stopped");
    this.#lifetime.stop();
    this.#unfollow?.();
    this.#drainTimer.drop();
    this.#started.reject(reason);
    void this.#stopListening();
  }

  #makeReconnector(dialer: Dialer): Reconnector {
    const { reconnectMin, reconnectMax } = this.#options;
    return new Reconnector({
      dialer,
      clock: this.clock,
      random: this.#random,
      reconnectMin,
      reconnectMax,
      limits: { maxFrameBytes: this.maxFrameBytes },
      isAwaited: () => this.#isNew,
      mayDial: () => this.#mayDial(),
      onConnected: (socket) => this.#accept(socket),
      onFailed: (error, retryIn) => this.#dialFailed(error, retryIn),
    });
  }

  #dialFailed(error: unknown, retryIn: number): boolean {
    const reason = error instanceof AuthError ? "refused" : "unreachable";
    const action = this.#apply({ type: "dial-failed", fatal: reason === "refused" || this.#failsFast });
    if (action === "give-up") this.#giveUp(error, reason);
    if (action !== "pause") return false;
    const message = describeError(error);
    this.#events.emit({ type: "disconnected", reason, message, error, retryIn });
    this.#warn(message, error);
    return true;
  }

  async #listen(): Promise<void> {
    const { listen } = this.#options;
    this.#listener = listen;
    const context = { maxFrameBytes: this.maxFrameBytes, report: (error: Error): void => this.#report(error) };
    try {
      await listen?.start((socket) => this.#accept(socket), context);
    } catch (error) {
      this.#listener = undefined;
      return this.#end(error);
    }
    // A stop that came meanwhile may have come too early for it.
    if (this.#phase.state === "stopped") return this.#stopListener();
    this.#apply({ type: "welcomed" });
    this.#lifetime.onRegistered();
    this.#started.resolve();
  }

  /** The worker has stopped even when its listener could not. */
  async #stopListening(): Promise<void> {
    await this.#stopListener();
    if (this.#taskHooks !== undefined) await this.#closeHandler(this.#taskHooks);
    this.#events.flush();
    this.#stopped.resolve();
  }

  async #closeHandler(lifecycle: HandlerLifecycle): Promise<void> {
    if (this.#running === 0) lifecycle.onIdle();
    try {
      await lifecycle.stop(this.clock, this.#options.drainTimeout);
    } catch (error) {
      this.#warnings.tell(`the close of its tasks failed: ${describeError(error)}`, error, "");
    }
  }

  async #stopListener(): Promise<void> {
    try {
      await this.#listener?.stop();
    } catch (error) {
      this.#events.emit({ type: "disconnected", reason: "listener", message: "the listener could not stop", error });
    }
  }

  #report(error: Error): void {
    this.#events.emit({ type: "disconnected", reason: "listener", message: error.message, error });
    this.#warnings.tell(error.message, error);
  }

  /** No runner has let it in yet. */
  get #isNew(): boolean {
    return "isNew" in this.#phase && this.#phase.isNew;
  }

  /** A handler that outlives its session keeps its slot: the next session is told of those that are left. */
  get #freeSlots(): number {
    return Math.max(0, this.#capacity - this.#orphans);
  }

  /** With a relay: what its fleet has at this moment. */
  get #capacity(): number {
    const { capacity } = this.#options;
    return isRelay(this.handler) ? Math.min(capacity, this.handler.capacity) : capacity;
  }

  get #labels(): readonly string[] {
    if (!isRelay(this.handler)) return this.ownLabels;
    const ofFleet = [...this.handler.labels].sort();
    const stack = this.handler.stacked > 1 ? [stackLabel(this.handler.stacked)] : [];
    return [...new Set([...stack, ...this.ownLabels, ...ofFleet])].slice(0, MAX_TOLD_LABELS);
  }

  /** A relay without a worker registers all the same: its runner hears of the first one. */
  get #mayRegister(): boolean {
    return this.#freeSlots > 0 || (isRelay(this.handler) && this.#orphans === 0);
  }

  /** Without a free slot there is nothing to offer: the first handler to return brings the worker back. */
  #mayDial(): boolean {
    if (this.#mayRegister) return true;
    this.#apply({ type: "no-slot" });
    return false;
  }

  #orphanReturned(): void {
    this.#orphans--;
    this.#reclaimSlots();
  }

  #accept(socket: Socket): void {
    const capacity = this.#freeSlots;
    const isLeaving = this.#phase.state === "draining" || this.#phase.state === "stopped";
    // The slots of a fleet may have gone since it was dialled.
    if (isLeaving || !this.#mayDial()) return socket.close();
    if (this.#lifetime.isOver) this.#newInstance();
    const { blocking, listen, maxPayload } = this.#options;
    const labels = this.#labels;
    // Where several runners may come, one that had jobs waiting here would take every slot from the others.
    const prefetchLimit = listen === undefined ? MAX_PREFETCH : 0;
    const self = {
      identity: this.identity,
      instance: this.#instance,
      served: this.#served,
      capacity,
      prefetchLimit,
    };
    const offer = { blocking, labels, maxPayload, features: featuresOn(socket), isRelay: isRelay(this.handler) };
    const hello: HelloMessage = { type: "HELLO", version: PROTOCOL_VERSION, ...self, ...offer };
    const connection = new RunnerConnection(socket, hello, this);
    this.#connections.add(connection);
    connection.open();
  }

  /** Tells the runners of the slots there are now. One that cannot be told: registers again, once all slots can be offered. */
  #reclaimSlots(): void {
    if (isRelay(this.handler) && this.handler.stacked > MAX_RELAYS) return this.#leaveRing();
    if (this.#mayRegister && this.#apply({ type: "slot-free" }) === "dial") return this.#reconnector?.dial();
    const [free, capacity, labels] = [this.#freeSlots, this.#capacity, this.#labels];
    for (const connection of this.#connections) {
      if (connection.canResize) connection.resize(free, labels);
      else if (this.#orphans === 0 && connection.capacity < capacity && connection.serving) connection.drain();
    }
  }

  /** With each message that goes round a ring of relays, all of them would tell more slots. */
  #leaveRing(): void {
    this.#warnings.tell(TOO_MANY_RELAYS, undefined, "; it stops");
    this.#giveUp(new ProtocolError(TOO_MANY_RELAYS));
  }

  /** Begins a new instance's life: counts and age start anew. */
  #newInstance(): void {
    this.#instance = this.#random.id();
    this.#lifetime.begin();
  }

  /** This instance is over. The next one begins with the first connection it has, if there is to be one. */
  #retire(): void {
    const stop = this.#options.afterRetirement === "stop";
    if (this.#apply({ type: "retire", stop }) === "leave") this.#leaveAll();
  }

  /** Leaves every runner after what runs. */
  #leaveAll(): void {
    if (this.#phase.state === "draining") this.#reconnector?.stop();
    this.#announceShutdown("draining");
    for (const connection of this.#connections) connection.drain();
    if (this.#phase.state === "draining") this.#stopWhenDone();
  }

  /** Handlers listen to this signal, and their listeners are user code: they run once the state is consistent. */
  #announceShutdown(reason: "draining" | "stopped"): void {
    const shutdown = this.#shutdown;
    this.#shutdown = new AbortController();
    this.clock.endOfTurn(() => shutdown.abort(new AbortError(`worker ${this.identity} is leaving`, reason)));
  }

  #stopWhenDone(): void {
    if (this.#connections.size > 0) return;
    if (this.#running === 0) return void this.stop();
    // What is left works for no runner: a retirement, too, waits for it only as long as a drain does.
    const unlimited = this.#phase.state === "draining" && this.#phase.retired;
    if (unlimited && this.#drainTimer.due === Number.POSITIVE_INFINITY)
      this.#drainTimer.set(this.#options.drainTimeout);
  }

  /** Something happened: the phase that follows, and what to do. */
  #apply(input: WorkerInput): WorkerAction {
    const { phase, action } = nextStep(this.#phase, input);
    const { state } = phase;
    const isNews = state !== this.#phase.state;
    this.#phase = phase;
    if (isNews) this.#events.emit({ type: "worker-state", state });
    return action;
  }
}

function comesBefore(one: RunnerConnection, other: RunnerConnection): boolean {
  return one.running === other.running ? one.turn < other.turn : one.running < other.running;
}
