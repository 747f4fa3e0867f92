/**
 * WorkerRegistration: admits workers and keeps their sessions. HELLO → WELCOME and into the pool, PING → PONG (of a worker to
 * the runner), REMOVE → REMOVED and out of it. Decides which worker may have an identity, and which session it replaces. What a
 * session does is in session.ts, which job it gets in scheduler.ts.
 */
import type { Clock, Random } from "../time/clock.ts";
import { backlogLimits } from "../health/backpressure.ts";
import { TimerQueue } from "../time/timer-queue.ts";
import { frameLimit } from "../protocol/codec.ts";
import { Dispatcher, QUEUE_DEFAULTS } from "../dispatch/dispatcher.ts";
import { EXECUTE_DEFAULTS, type ExecuteOptions } from "../job/execute-options.ts";
import type { Job } from "../job/job.ts";
import type { Payload } from "../peer.ts";
import { WorkerStartError } from "../errors.ts";
import { Emitter } from "../async/emitter.ts";
import type { GoneReason, RunnerEvent } from "../events.ts";
import { captureAsyncContext, systemClock, systemRandom } from "../time/system.ts";
import { INCOMING_DEFAULTS, IncomingBudget } from "../transport/incoming-budget.ts";
import type { Listener, ListenerContext } from "../transport/listener.ts";
import { type GoAwayReason, type HelloMessage, PROTOCOL_VERSION } from "../protocol/message.ts";
import {
  checkOptions,
  DEFAULT_PAYLOAD,
  defineOptions,
  type WithDefaults,
  finiteDuration,
  isBoolean,
  isClock,
  isRandom,
  integer,
  integerOrInfinity,
  listOf,
  oneOrMore,
  payloadLimit,
  type Validators,
  hasMethods,
  withDefaults,
} from "../options.ts";
import type { Prefetch } from "../session/prefetch.ts";
import { FlapDetector } from "./flap-detector.ts";
import type { Availability } from "../pool/least-loaded-index.ts";
import { SendBudget } from "../health/send-budget.ts";
import { Session } from "../session/session.ts";
import type { SessionRules } from "../session/session-context.ts";
import type { EndedConnection } from "../transport/reconnector.ts";
import type { Socket, SocketLimits } from "../transport/socket.ts";
import type { Scheduler } from "../pool/scheduler.ts";
import { SessionExecutor } from "./session-executor.ts";
import { Workers } from "../pool/workers.ts";

/** How workers are let in and kept. All durations in ms. */
export interface RegistrationLimits {
  /** Interval of the heartbeat, sent to the workers; suspect after two, gone after three; default 5,000. */
  readonly heartbeat?: number | undefined;
  /** How long a new connection may take to say HELLO; default 5,000. */
  readonly helloTimeout?: number | undefined;
  /**
   * How long a worker may take to confirm a CANCEL; default 1,000. Then its session ends when it answers no PING or has no other
   * slot; else the slot stays taken until the handler returns.
   */
  readonly cancelGrace?: number | undefined;
  /** Connections that have not said HELLO; more are refused; default 256. */
  readonly maxPending?: number | undefined;
  /** Registered workers; more are refused; default 10,000. */
  readonly maxWorkers?: number | undefined;
  /** Answers to closed attempts, and PINGs too many, before a session ends; default 100. */
  readonly maxStrikes?: number | undefined;
  /** The largest job or result, in bytes; default 1 MiB. */
  readonly maxPayload?: number | undefined;
  /**
   * The most bytes of the buffers of one job or result that a port hands over without copying them, as `transfer` of
   * `powerhose/tasks` asks for; default 1 GiB. Where they are copied they count as part of `maxPayload`.
   */
  readonly maxAttachments?: number | undefined;
  /** Unsent bytes above which a worker gets no new work, and bytes prefetched; default 1 MiB. */
  readonly highWater?: number | undefined;
  /** Unsent bytes above which a worker is given up; default 8 MiB, at least twice `maxPayload`. */
  readonly maxBuffered?: number | undefined;
  /**
   * Unsent bytes of all workers together; default 256 MiB. Above, a worker that holds more than a fair share gets no new work, and the
   * largest that reads nothing for `stallTimeout` is given up.
   */
  readonly maxBufferedTotal?: number | undefined;
  /** A worker that reads nothing of its backlog for so long is given up; default 10,000. */
  readonly stallTimeout?: number | undefined;
  /**
   * Bytes of frames that all connections together may be receiving; beyond them the younger ones are not read for a while.
   * One frame is always read. While some wait, a frame of which too little comes in `stallTimeout` ends its session as
   * `slow`. Default 256 MiB.
   */
  readonly maxIncomingBytes?: number | undefined;
  /** Whether stacks that workers send are shown in errors; default: those of this process only. */
  readonly remoteStacks?: boolean | undefined;
  /** Where time comes from; the host's by default. */
  readonly clock?: Clock | undefined;
  /** Where chance comes from; the host's by default. */
  readonly random?: Random | undefined;
}

/** Options of {@link WorkerRegistration}. */
export interface RegistrationOptions extends RegistrationLimits {
  /** The pool workers are added to. */
  readonly workers: Workers<Session>;
  /** Where they come from. */
  readonly listen: Listener | readonly Listener[];
}

const LIMITS = defineOptions<
  RegistrationLimits,
  Exclude<keyof RegistrationLimits, "remoteStacks" | "clock" | "random">
>({
  heartbeat: [finiteDuration, 5_000],
  helloTimeout: [finiteDuration, 5_000],
  cancelGrace: [finiteDuration, 1_000],
  maxPending: [integer(1), 256],
  maxWorkers: [integer(1), 10_000],
  maxStrikes: [integerOrInfinity(0), 100],
  maxPayload: [payloadLimit, DEFAULT_PAYLOAD],
  maxAttachments: [integerOrInfinity(0), 1_073_741_824],
  highWater: [integer(1), 1_048_576],
  maxBuffered: [integer(1), 8_388_608],
  maxBufferedTotal: [integerOrInfinity(1), 268_435_456],
  stallTimeout: [finiteDuration, INCOMING_DEFAULTS.stallTimeout],
  maxIncomingBytes: [integer(1), INCOMING_DEFAULTS.maxIncomingBytes],
  remoteStacks: [isBoolean],
  clock: [isClock],
  random: [isRandom],
});

/** The limits that hold when nothing else is asked for. */
export const REGISTRATION_DEFAULTS: WithDefaults<Omit<RegistrationLimits, "remoteStacks" | "clock" | "random">> =
  LIMITS.defaults;

/** @internal */
export const REGISTRATION_RULES: Validators<RegistrationLimits> = LIMITS.rules;

/** A worker that is started again and again, or two of one name: more is a fight. */
const REPLACEMENTS_A_MINUTE = 5;
/** One worker whose connection is cut repeatedly. */
const RECONNECTIONS_A_MINUTE = 60;

/** @internal */
export const LISTENERS: ReturnType<typeof oneOrMore> = oneOrMore(hasMethods("a Listener", "start", "stop"));

/** Numbers for the workers that listeners start: each name is counted through, so that no two listeners give the same. */
function numbering(): (name: string, count: number) => number {
  const next = new Map<string, number>();
  return (name, count) => {
    const first = next.get(name) ?? 1;
    next.set(name, first + count);
    return first;
  };
}

/** @internal The limits with everything filled in. */
export type ResolvedLimits = WithDefaults<Omit<RegistrationLimits, "remoteStacks">> &
  Pick<RegistrationLimits, "remoteStacks">;

/** @internal */
export function resolveLimits(given: RegistrationLimits): ResolvedLimits {
  const limits = withDefaults({ ...REGISTRATION_DEFAULTS, clock: systemClock, random: systemRandom }, given);
  return { ...limits, ...backlogLimits(limits) };
}

/** @internal What a JobRunner shares with its registration. */
export interface RegistrationContext {
  readonly scheduler: Scheduler<Session>;
  readonly events: Emitter<RunnerEvent>;
  readonly dispatcher: Dispatcher;
  /** How jobs are prefetched. */
  readonly prefetch: Prefetch;
  /** Slots may have gone: called before the attempts there are told, so that no job is sent for a slot that is no more. */
  onShrunk(): void;
  /** What listeners may see and ask of the runner. */
  readonly context: Pick<ListenerContext, "runner" | "controls">;
}

/** @internal Sessions, strikes and refusals so far. */
export interface RegistrationCounts {
  registered: number;
  refused: number;
  strikes: number;
}

/** Lets workers in. A {@link JobRunner} has one; alone it feeds a {@link Workers} of your own. */
export class WorkerRegistration {
  // Is a SessionContext: the members that make it one are left out of the published types.
  /** @internal */
  readonly clock: Clock;
  /** @internal */
  readonly timers: TimerQueue;
  /** @internal */
  readonly rules: SessionRules;
  /** @internal */
  readonly budget: SendBudget;
  /** @internal */
  readonly counts: RegistrationCounts = { registered: 0, refused: 0, strikes: 0 };
  /** @internal The budget for frames that arrive. */
  readonly incoming: IncomingBudget;
  /** @internal What every socket of this registration is held to. */
  readonly socketLimits: SocketLimits;
  readonly #limits: ResolvedLimits;
  readonly #listeners: readonly Listener[];
  readonly #listening = new Set<Listener>();
  readonly #scheduler: Scheduler<Session>;
  readonly #events: Emitter<RunnerEvent>;
  readonly #dispatcher: Dispatcher;
  /** Made by the first `Session.execute`. */
  readonly #executors = new WeakMap<Session, SessionExecutor>();
  readonly #pending = new Set<Session>();
  readonly #registered = new Map<string, Session>();
  readonly #afterwards = new WeakMap<Session, (end: EndedConnection) => void>();
  readonly #replacements: FlapDetector;
  /** By the same instance, which may have seen the end of its connection before the runner did. */
  readonly #reconnections: FlapDetector;
  readonly #context: Partial<ListenerContext>;
  readonly #onShrunk: () => void;
  /** Why workers could not be started; cleared once one has registered. */
  #trouble: WorkerStartError | undefined;
  /** How many relays are stacked among the workers at most. */
  relays = 0;
  /** Whether a worker of this process has come. */
  #isLocal = false;
  #nextSession = 1;
  #open = false;

  /**
   * @param options - See {@link RegistrationOptions}.
   * @throws TypeError or RangeError when an option is wrong.
   */
  constructor(options: RegistrationOptions);
  /** @internal */
  constructor(options: Omit<RegistrationOptions, "workers">, shared: RegistrationContext);
  constructor(options: Partial<RegistrationOptions>, shared?: RegistrationContext) {
    const { workers, listen, ...limits } = options;
    const scheduler = shared?.scheduler ?? workers?.scheduler;
    checkOptions("WorkerRegistration", options, {
      ...REGISTRATION_RULES,
      workers: (value) => (value === undefined || value instanceof Workers ? undefined : "a Workers"),
      listen: LISTENERS,
    });
    if (scheduler === undefined) throw new TypeError("WorkerRegistration: `workers`, the pool to fill, is needed");
    this.#limits = resolveLimits(limits);
    this.clock = this.#limits.clock;
    this.timers = new TimerQueue(this.clock, false);
    const { maxPayload, maxBufferedTotal, maxIncomingBytes, stallTimeout } = this.#limits;
    this.budget = new SendBudget(this.clock, this.timers, maxBufferedTotal);
    this.incoming = new IncomingBudget(maxIncomingBytes, stallTimeout, this.clock);
    this.socketLimits = { maxFrameBytes: frameLimit(maxPayload), incoming: this.incoming };
    this.rules = { ...this.#limits, maxFrameBytes: this.socketLimits.maxFrameBytes, prefetch: shared?.prefetch ?? 0 };
    this.#listeners = [...listOf(listen)];
    this.#scheduler = scheduler;
    this.#events = shared?.events ?? new Emitter(this.clock);
    this.#dispatcher =
      shared?.dispatcher ??
      new Dispatcher({
        ...this.#limits,
        ...QUEUE_DEFAULTS,
        runnerId: this.#limits.random.id(),
        events: this.#events,
        defaults: EXECUTE_DEFAULTS,
      });
    // The first worker may be one of this process: what is queued for it has its caller's context.
    this.#dispatcher.captureAsyncContext = captureAsyncContext;
    this.#replacements = new FlapDetector(this.clock, REPLACEMENTS_A_MINUTE);
    this.#reconnections = new FlapDetector(this.clock, RECONNECTIONS_A_MINUTE);
    this.#context = shared?.context ?? {};
    this.#onShrunk = (): void => shared?.onShrunk();
  }

  /** Whether workers can register. */
  get started(): boolean {
    return this.#open;
  }

  /** @internal Every session that is registered, or leaves after what runs. */
  sessions(): Iterable<Session> {
    return this.#registered.values();
  }

  /** @internal Why workers are missing, as far as a listener has reported. */
  get trouble(): WorkerStartError | undefined {
    return this.#trouble;
  }

  /** @internal Connections that have not said HELLO. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Calls `listener` for every event; the returned function ends that. */
  on(listener: (event: RunnerEvent) => void): () => void {
    return this.#events.on(listener);
  }

  /** Starts the listeners. When one fails, those that had started are stopped and its error is thrown. */
  async start(): Promise<void> {
    if (this.#open) return;
    this.#open = true;
    this.#trouble = undefined;
    const context: ListenerContext = {
      ...this.#context,
      ...this.socketLimits,
      reserveNumbers: numbering(),
      report: (error: Error) => this.#report(error),
    };
    const results = await Promise.allSettled(this.#listeners.map((listener) => this.#startOne(listener, context)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed === undefined && this.#open) return;
    await this.close("stopping");
    if (failed !== undefined) throw failed.reason;
  }

  /** Ends every session, after telling the workers to come back later, and stops the listeners. May be called twice. */
  stop(): Promise<void> {
    return this.close("stopping");
  }

  /** @internal Stops; GOAWAY has the reason. */
  async close(reason: GoAwayReason): Promise<void> {
    this.#open = false;
    this.dismiss(reason);
    for (const sessions of [this.#pending, this.sessions()]) {
      for (const session of sessions) session.end("stopped", "the runner stopped");
    }
    const ours = [...this.#listening];
    this.#listening.clear();
    const stops = await Promise.allSettled(ours.map(async (listener) => listener.stop()));
    this.#events.flush();
    const failed = stops.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** @internal Sends GOAWAY to every worker: each leaves once it has no job in flight. */
  dismiss(reason: GoAwayReason): void {
    for (const session of this.sessions()) session.dismiss(reason, 0);
  }

  /** @internal Accepts a connection of a listener or a dialer; `afterwards` is called once its session is gone. */
  accept(socket: Socket, afterwards?: (end: EndedConnection) => void): void {
    const session = new Session(`s${this.#nextSession++}`, socket, this);
    this.#pending.add(session);
    this.#isLocal ||= socket.jobContexts !== undefined;
    // Where a handler may run in this process each call captures its context, which costs about 35 ns.
    this.#dispatcher.captureAsyncContext = this.#isLocal ? captureAsyncContext : undefined;
    if (afterwards !== undefined) this.#afterwards.set(session, afterwards);
    // Refused before it is opened: HELLO may be there already, and would be read in that call.
    if (!this.#open) session.end("stopped", "the runner is stopped");
    else if (socket.faults === "lossy")
      session.refuse("refused", "PROTOCOL", "transports that lose frames are not supported");
    else if (this.#pending.size > this.#limits.maxPending)
      session.refuse("refused", "BUSY", "too many new connections", 1_000);
    session.open();
  }

  /** @internal */
  execute(session: Session, job: Job | Payload, options?: ExecuteOptions): Promise<Payload> {
    let executor = this.#executors.get(session);
    if (executor === undefined) {
      executor = new SessionExecutor(this.#dispatcher, session, session.capacity);
      this.#executors.set(session, executor);
    }
    return executor.execute(job, options);
  }

  /** @internal */
  onHello(session: Session, hello: HelloMessage): void {
    if (hello.version !== PROTOCOL_VERSION) {
      return session.refuse(
        "refused",
        "VERSION",
        `this runner speaks version ${PROTOCOL_VERSION}, not ${hello.version}`,
      );
    }
    if ((session.peer.identity ?? hello.identity) !== hello.identity) {
      return session.refuse("refused", "UNAUTHORIZED", `not allowed to be ${hello.identity}`);
    }
    const holder = this.#registered.get(hello.identity);
    if (holder === undefined) {
      if (this.#registered.size >= this.#limits.maxWorkers)
        return session.refuse("refused", "BUSY", "too many workers", 5_000);
    } else if (holder.peer.principal !== session.peer.principal) {
      return session.refuse("refused", "ID_TAKEN", `the identity ${hello.identity} belongs to somebody else`);
    } else {
      const seen = holder.instance === hello.instance ? this.#reconnections : this.#replacements;
      const wait = seen.record(hello.identity);
      if (wait > 0)
        return session.refuse("refused", "FLAPPING", `${hello.identity} is used by several workers`, Math.ceil(wait));
      // The old session is gone and its jobs have failed before the new worker is welcomed: no job can go to the old session.
      holder.refuse("replaced", "REPLACED", "a newer worker of this identity registered");
      // That ran user code, which may have stopped this runner, or registered another worker of that identity.
      if (session.state === "gone") return;
      if (this.#registered.has(hello.identity)) return this.onHello(session, hello);
    }
    this.#register(session, hello);
  }

  /** @internal */
  onAvailability(session: Session, availability: Availability): void {
    this.#scheduler.setAvailability(session, availability);
  }

  /** @internal */
  onTurns(session: Session, areParked: boolean): void {
    this.#scheduler.setParked(session, areParked);
  }

  /** @internal */
  onPrefetchLimit(session: Session): void {
    this.#scheduler.updatePrefetch(session);
  }

  /** @internal */
  onResized(session: Session): void {
    const { identity, capacity, labels } = session;
    this.#countRelays(session);
    this.#scheduler.resize(session);
    this.#onShrunk();
    this.#events.emit({ type: "worker-resized", identity, capacity, labels });
  }

  /** @internal */
  onSuspected(session: Session, suspect: boolean): void {
    this.#events.emit({ type: suspect ? "worker-suspect" : "worker-recovered", identity: session.identity });
  }

  /** @internal */
  onDraining(session: Session): void {
    this.#scheduler.withdraw(session);
    this.#onShrunk();
    this.#events.emit({ type: "worker-draining", identity: session.identity });
  }

  /** @internal */
  onGone(session: Session, reason: GoneReason, message: string): void {
    const { identity, peer } = session;
    const inFlight = session.inFlight + session.waiting;
    this.#afterwards.get(session)?.({ isWelcomed: !this.#pending.has(session), isRefused: reason === "refused" });
    if (this.#pending.delete(session)) {
      if (reason === "stopped") return;
      this.counts.refused++;
      this.#events.emit({ type: "worker-refused", peer, message });
      return;
    }
    this.#registered.delete(identity);
    this.#countRelays(session);
    this.#scheduler.delete(session);
    this.#onShrunk();
    this.#events.emit({ type: "worker-gone", identity, peer, reason, message, inFlight });
  }

  /** @internal */
  onStrike(): void {
    this.counts.strikes++;
  }

  /** @internal */
  stalled(): void {
    const now = this.clock.now();
    for (const session of this.sessions()) session.extend(now);
  }

  #countRelays({ isRelay }: Session): void {
    if (!isRelay) return;
    this.relays = 0;
    for (const { stacked } of this.sessions()) this.relays = Math.max(this.relays, stacked);
  }

  #report(error: Error): void {
    if (error instanceof WorkerStartError) this.#trouble = error;
    this.#events.emit({ type: "listener-error", error });
  }

  /** Only a listener that was started here is stopped here: one that refuses may be another runner's. */
  async #startOne(listener: Listener, context: ListenerContext): Promise<void> {
    this.#listening.add(listener);
    try {
      await listener.start((socket) => this.accept(socket), context);
      this.#listening.add(listener); // a stop that came meanwhile may have come too early for it
    } catch (error) {
      this.#listening.delete(listener);
      throw error;
    }
  }

  #register(session: Session, hello: HelloMessage): void {
    this.#pending.delete(session);
    this.#registered.set(hello.identity, session);
    this.#trouble = undefined;
    this.counts.registered++;
    session.welcome(hello, this.#dispatcher.runnerId, this.#limits.maxPayload);
    this.#countRelays(session);
    this.#events.emit({
      type: "worker-joined",
      identity: hello.identity,
      peer: session.peer,
      capacity: hello.capacity,
    });
    this.#scheduler.add(session);
  }
}
