/**
 * Worker: opens a connection, serves jobs over it, leaves in good order and comes back. Owns the slots, the identity and
 * the life of the worker; one session's conversation is in post.ts.
 */
import { type Clock, type Entropy } from "./clock.ts";
import { frameLimit } from "./codec.ts";
import { Deferred } from "./deferred.ts";
import { AbortError, AuthError, type PowerhoseError, WorkerStoppedError } from "./errors.ts";
import { EventStream } from "./event-stream.ts";
import type { WorkerEvent, WorkerState } from "./events.ts";
import { hostClock, hostEntropy } from "./host.ts";
import type { Dialer } from "./listener.ts";
import { type HelloMessage, PROTOCOL_VERSION } from "./message.ts";
import { checkOptions, duration } from "./options.ts";
import { MOST_AHEAD, Post } from "./post.ts";
import type { PostEnd } from "./post-owner.ts";
import { Redial } from "./redial.ts";
import type { Socket } from "./socket.ts";
import type { Handler, Task } from "./task.ts";
import { Tenure } from "./tenure.ts";
import { Timer } from "./timer.ts";
import { type ResolvedWorkerOptions, resolveWorkerOptions, type WorkerOptions } from "./worker-options.ts";

/** Serves jobs with a handler until it is stopped, reconnecting for ever. */
export class Worker {
  // Is a PostOwner, which is nobody else's business: what makes it one is left out of the published types.
  /** @internal */
  readonly clock: Clock;
  /** The worker's stable name. */
  readonly identity: string;
  /** @internal */
  readonly handler: Handler;
  /** @internal */
  readonly remoteStacks: boolean;
  /** @internal */
  readonly maxFrameBytes: number;
  /** Fulfils once the worker has stopped, for whatever reason. */
  readonly closed: Promise<void>;
  readonly #options: ResolvedWorkerOptions;
  readonly #entropy: Entropy;
  readonly #events: EventStream<WorkerEvent>;
  readonly #drainTimer: Timer;
  readonly #tenure: Tenure;
  readonly #posts = new Set<Post>();
  readonly #redial: Redial | undefined;
  readonly #started = new Deferred<void>();
  readonly #stopped = new Deferred<void>();
  #shutdown = new AbortController();
  #state: WorkerState = "created";
  #instance: string;
  #registeredOnce = false;
  #listening = false;
  #failed = false;
  /** Why the session is being left, when the worker means to come back: by itself, or as a new instance. */
  #leaving: "for all slots" | "to retire" | undefined;
  #starved = false;
  /** A session was opened with fewer slots than there are. */
  #short = false;
  #running = 0;
  #served = 0;

  /**
   * @param options - See {@link WorkerOptions}.
   * @throws TypeError or RangeError when an option is wrong.
   */
  constructor(options: WorkerOptions) {
    this.#options = resolveWorkerOptions(options);
    this.clock = options.clock ?? hostClock;
    this.#entropy = options.entropy ?? hostEntropy;
    this.#drainTimer = new Timer(this.clock, true, () => void this.stop());
    this.#events = new EventStream(this.clock);
    this.identity = options.identity ?? `worker-${this.#entropy.id().slice(0, 12)}`;
    this.handler = options.handler;
    this.remoteStacks = this.#options.remoteStacks;
    this.maxFrameBytes = frameLimit(this.#options.maxPayload);
    this.#instance = this.#entropy.id();
    this.#tenure = new Tenure(this.#options, this.clock, this.#entropy, () => this.#retire());
    this.closed = this.#stopped.promise;
    this.#redial = options.dial === undefined ? undefined : this.#makeRedial(options.dial);
  }

  /** Where the worker is in its life. */
  get state(): WorkerState {
    return this.#state;
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
   * Rejects with AuthError or ProtocolError when the runner turns it away for good, WorkerStoppedError when stopped first.
   */
  start(): Promise<void> {
    if (this.#state !== "created") return this.#started.promise;
    this.#become("connecting");
    this.#newLife();
    if (this.#redial === undefined) this.#listen();
    else this.#redial.dial();
    return this.#started.promise;
  }

  /** Takes no new jobs, finishes what runs, tells the runner, then stops. Aborts what is left after `timeout` ms. */
  drain(options: { readonly timeout?: number } = {}): Promise<void> {
    try {
      checkOptions("drain", options, { timeout: duration });
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#state === "draining" || this.#state === "stopped") return this.closed;
    this.#become("draining");
    this.#redial?.stop();
    this.#drainTimer.set(options.timeout ?? this.#options.drainTimeout);
    for (const post of this.#posts) post.leave();
    this.#announceShutdown("draining");
    this.#stopWhenDone();
    return this.closed;
  }

  /** Leaves at once: the runner is told, handlers' signals abort, their jobs count as lost. May be called twice. */
  stop(): Promise<void> {
    if (this.#state === "stopped") return this.closed;
    this.#become("stopped");
    this.#redial?.stop();
    for (const post of this.#posts) post.quit("stopped");
    this.#announceShutdown("stopped");
    this.#tenure.stop();
    this.#drainTimer.drop();
    // Whoever stops a worker knows that its start is over; a start that failed for another reason is heard of.
    if (!this.#failed) this.#started.promise.catch(() => undefined);
    this.#started.reject(new WorkerStoppedError(`worker ${this.identity} was stopped before it could register`));
    void this.#stopListening();
    return this.closed;
  }

  /** @internal Dials now, if it waits to dial again. */
  hurry(): void {
    if (this.#state === "disconnected") this.#connect();
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

  /** @internal */
  get hasRoom(): boolean {
    return this.#running < this.#options.capacity;
  }

  /** @internal */
  welcomed(): void {
    this.#registeredOnce = true;
    if (this.#state === "connecting" || this.#state === "disconnected") this.#become("registered");
    this.#started.resolve();
    this.#reclaimSlots();
  }

  /** @internal */
  taskStarted(): void {
    this.#running++;
    this.#tenure.count();
  }

  /** @internal */
  taskServed(task: Task, ok: boolean): void {
    this.#served++;
    const { attempt, ran } = task;
    if (this.observed) this.#events.emit({ type: "job-served", jobId: task.jobId, attempt, ok, ms: ran });
    this.taskDropped();
  }

  /** @internal */
  taskDropped(): void {
    this.#running--;
    if (this.#state === "stopped") return;
    if (this.#state === "draining") this.#stopWhenDone();
    else if (this.#starved) this.#connect();
    else if (this.#short) this.#reclaimSlots();
  }

  /** @internal */
  slotFreed(by: Post): void {
    by.startNext();
    // Of a session that is over, too: whoever else serves has waited for that slot.
    if (this.#posts.size > 1 || !this.#posts.has(by)) for (const post of this.#posts) post.startNext();
  }

  /** @internal */
  sentAway(): void {
    if (this.#state === "registered" && this.#redial !== undefined) this.#become("connecting");
  }

  /** @internal */
  ended(post: Post, end: PostEnd): void {
    this.#posts.delete(post);
    if (this.#state === "stopped") return;
    if (this.#state === "draining") return this.#stopWhenDone();
    if (this.#posts.size > 0) return;
    this.#short = false;
    const left = this.#leaving;
    this.#leaving = undefined;
    if (left === "to retire" && this.#options.afterRetirement === "stop") return void this.stop();
    if (this.#redial !== undefined) this.#comeBack(end, left !== undefined);
  }

  /** What follows the end of the only session: give up, come back at once, or come back after a pause. */
  #comeBack(end: PostEnd, atOnce: boolean): void {
    if (end.error !== undefined && !this.#registeredOnce) return this.#giveUp(end.error);
    if (atOnce) return this.#connect();
    const retryIn = (this.#redial?.pause() ?? 0) + end.retryAfter;
    this.#become("disconnected");
    const { reason, message, error } = end;
    this.#events.emit({ type: "disconnected", reason, message, retryIn, error });
    this.#redial?.dialIn(retryIn);
  }

  #giveUp(error: PowerhoseError): void {
    this.#events.emit({ type: "disconnected", reason: "refused", message: error.message, error });
    this.#startFailed(error);
  }

  #startFailed(error: unknown): void {
    this.#failed = true;
    this.#started.reject(error);
    void this.stop();
  }

  #makeRedial(dialer: Dialer): Redial {
    const { reconnectMin, reconnectMax } = this.#options;
    return new Redial({
      dialer,
      clock: this.clock,
      entropy: this.#entropy,
      reconnectMin,
      reconnectMax,
      limits: { maxFrameBytes: this.maxFrameBytes },
      isAwaited: () => !this.#registeredOnce,
      mayDial: () => this.#mayDial(),
      connected: (socket) => this.#take(socket),
      failed: (error, retryIn) => this.#dialFailed(error, retryIn),
    });
  }

  #dialFailed(error: unknown, retryIn: number): boolean {
    if (error instanceof AuthError && !this.#registeredOnce) {
      this.#giveUp(error);
      return false;
    }
    if (this.#state !== "disconnected") this.#become("disconnected");
    const message = error instanceof Error ? error.message : String(error);
    const reason = error instanceof AuthError ? "refused" : "unreachable";
    this.#events.emit({ type: "disconnected", reason, message, error, retryIn });
    return true;
  }

  #listen(): void {
    const { listen } = this.#options;
    this.#listening = true;
    const context = { maxFrameBytes: this.maxFrameBytes, report: (error: Error): void => this.#report(error) };
    listen
      ?.start((socket) => this.#take(socket), context)
      .then(
        () => {
          if (this.#state === "connecting") this.#become("registered");
          this.#started.resolve();
        },
        (error: unknown) => {
          this.#listening = false;
          this.#startFailed(error);
        },
      );
  }

  /** The worker has stopped even when its listener could not. */
  async #stopListening(): Promise<void> {
    try {
      if (this.#listening) await this.#options.listen?.stop();
    } catch (error) {
      this.#events.emit({ type: "disconnected", reason: "listener", message: "the listener could not stop", error });
    }
    this.#stopped.resolve();
  }

  #report(error: Error): void {
    this.#events.emit({ type: "disconnected", reason: "listener", message: error.message, error });
  }

  /** A handler that outlives its session keeps its slot: the next session is told of those that are left. */
  #freeSlots(): number {
    let attended = 0;
    for (const post of this.#posts) attended += post.running;
    return this.#options.capacity - (this.#running - attended);
  }

  #connect(): void {
    if (this.#state !== "connecting") this.#become("connecting");
    this.#redial?.dial();
  }

  /** Without a free slot there is nothing to offer: the first handler to return brings the worker back. */
  #mayDial(): boolean {
    this.#starved = this.#freeSlots() < 1;
    return !this.#starved;
  }

  #take(socket: Socket): void {
    const capacity = this.#freeSlots();
    if (capacity < 1 || this.#state === "draining" || this.#state === "stopped") return socket.close();
    const { blocking, labels, listen } = this.#options;
    // Where several runners may come, one that had jobs waiting here would take every slot from the others.
    const ahead = listen === undefined ? MOST_AHEAD : 0;
    const self = { identity: this.identity, instance: this.#instance, served: this.#served, capacity, ahead };
    const hello: HelloMessage = { type: "HELLO", version: PROTOCOL_VERSION, ...self, blocking, labels };
    if (capacity < this.#options.capacity) this.#short = true;
    const post = new Post(socket, hello, this);
    this.#posts.add(post);
    post.open();
  }

  /** Once the handlers of a lost session are done, registers again to offer all slots. */
  #reclaimSlots(): void {
    for (const post of this.#posts) {
      if (post.capacity < this.#options.capacity && post.serving && this.#freeSlots() === this.#options.capacity) {
        this.#leaving = "for all slots";
        post.leave();
      }
    }
  }

  /** Begins a new instance's life: counts and age start anew. */
  #newLife(): void {
    this.#instance = this.#entropy.id();
    this.#tenure.begin();
  }

  #retire(): void {
    if (this.#state === "draining" || this.#state === "stopped" || this.#leaving === "to retire") return;
    const { afterRetirement } = this.#options;
    if (this.#posts.size > 0) this.#leaving = "to retire";
    for (const post of this.#posts) post.leave();
    this.#announceShutdown("draining");
    this.#shutdown = new AbortController();
    this.#newLife();
    if (this.#posts.size === 0 && afterRetirement === "stop") void this.drain();
  }

  /** Handlers listen to this signal, and their listeners are user code: they run once the state is consistent. */
  #announceShutdown(reason: "draining" | "stopped"): void {
    const shutdown = this.#shutdown;
    this.clock.endOfTurn(() => shutdown.abort(new AbortError(`worker ${this.identity} is leaving`, reason)));
  }

  #stopWhenDone(): void {
    if (this.#posts.size === 0 && this.#running === 0) void this.stop();
  }

  #become(state: WorkerState): void {
    this.#state = state;
    this.#events.emit({ type: "worker-state", state });
  }
}
