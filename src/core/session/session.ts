/**
 * One registered worker as the runner sees it: a state machine over one socket, and its attempts in flight. Decides when the
 * worker is suspect, slow or gone. Which identity it may have is decided in registration.ts, which job it gets in
 * scheduler.ts, what a lost attempt means for the job in call.ts.
 */
import { AttemptTable, type AttemptTableOwner } from "./attempt-table.ts";
import { FEATURE, featuresOn } from "../protocol/constants.ts";
import { RUNNER_CODEC } from "../protocol/codec.ts";
import type { ExecuteOptions } from "../job/execute-options.ts";
import { BackpressureMonitor, type BackpressureOwner } from "../health/backpressure.ts";
import { AlarmTimer } from "../time/timer-queue.ts";
import type { GoneReason } from "../events.ts";
import { MAX_RELAYS, stackOf, stackTold, taskOf, TOO_MANY_RELAYS } from "../identifiers.ts";
import type { Job } from "../job/job.ts";
import { MessageSocket, type MessageSocketOwner } from "../protocol/message-socket.ts";
import { frameGrace } from "../health/failure-detector.ts";
import { HeartbeatMonitor, type HeartbeatOwner } from "../health/heartbeat-monitor.ts";
import type {
  CapacityMessage,
  GoAwayReason,
  HelloMessage,
  RunnerMessage,
  WireErrorCode,
  WorkerMessage,
} from "../protocol/message.ts";
import type { AttachmentKind, Payload, Peer } from "../peer.ts";
import { TokenBucket } from "../time/token-bucket.ts";
import type { SessionContext } from "./session-context.ts";
import { LOCAL } from "../transport/principal.ts";
import type { Socket } from "../transport/socket.ts";
import type { SessionState, WorkerStats } from "../stats.ts";
import type { Availability } from "../pool/least-loaded-index.ts";
import type { PooledWorker } from "../pool/scheduler.ts";

type Phase = "connecting" | "registered" | "suspect" | "draining" | "gone";

/** PINGs a worker may send in a heartbeat interval. It needs one; each costs the runner an answer. */
const PING_BUDGET = { burst: 10, refill: 4 };

/** One worker's session. */
export class Session implements PooledWorker {
  /** Names the session, in logs. */
  readonly id: string;
  /** @internal The jobs it was handed. */
  readonly attempts: AttemptTable<Session>;
  readonly #context: SessionContext<Session>;
  readonly #socket: MessageSocket<RunnerMessage, WorkerMessage>;
  readonly #heartbeat: HeartbeatMonitor;
  readonly #pingBudget: TokenBucket;
  readonly #backpressure: BackpressureMonitor;
  #phase: Phase = "connecting";
  #hello: HelloMessage | undefined;
  /** What it said last of its slots and labels. */
  #slots: Pick<HelloMessage, "capacity" | "labels"> | undefined;
  #stacked = 1;
  /** How often that has changed. */
  #offers = 0;
  #heardAt: number;
  #strikes = 0;
  #since: number;
  /** The features of this end on such a socket. */
  readonly #supported: number;

  /** @internal */
  constructor(id: string, socket: Socket, context: SessionContext<Session>) {
    const { clock, rules, timers, budget } = context;
    this.id = id;
    this.#supported = featuresOn(socket);
    this.#context = context;
    this.#since = clock.now();
    this.#heardAt = this.#since;
    this.#pingBudget = new TokenBucket({ ...PING_BUDGET, interval: rules.heartbeat }, this.#since);
    this.#backpressure = new BackpressureMonitor(
      { clock, rules, budget, reviewTimer: (review) => new AlarmTimer(timers, review) },
      this.#backpressureOwner(),
    );
    this.#socket = new MessageSocket(socket, clock, this.#socketOwner(), rules.maxFrameBytes, RUNNER_CODEC);
    this.attempts = new AttemptTable(this.#socket, context, this.#attemptsOwner());
    const grace = frameGrace(socket.hidesParts === true, rules.maxFrameBytes);
    this.#heartbeat = new HeartbeatMonitor(context, this.#heartbeatOwner(), this.#since, grace);
  }

  /** The worker's stable name; empty until it has said HELLO. */
  get identity(): string {
    return this.#hello?.identity ?? "";
  }

  /** Names one start of the worker; another one means it was restarted. */
  get instance(): string {
    return this.#hello?.instance ?? "";
  }

  /** How many jobs it takes at a time. */
  get capacity(): number {
    return this.#slots?.capacity ?? 1;
  }

  /** @internal Names the slots and labels that it has told last. */
  get offerId(): string {
    return `${this.id}.${this.#offers}`;
  }

  /** Whether it stands for a fleet of its own. */
  get isRelay(): boolean {
    return this.#hello?.isRelay === true;
  }

  /** @internal How many relays are stacked there, it included; 0 for a worker that is none. */
  get stacked(): number {
    return this.isRelay ? this.#stacked : 0;
  }

  /** The largest job data it takes, in bytes, as its HELLO says. */
  get maxPayload(): number {
    return this.#hello?.maxPayload ?? 0;
  }

  /** @internal Whether both ends speak a feature. */
  speaks(feature: number): boolean {
    return (this.#features & feature) !== 0;
  }

  get #features(): number {
    return ((this.#hello?.features ?? 0) & this.#supported) >>> 0;
  }

  /** @internal What stands apart from payloads that are sent there; `undefined`: nothing. */
  get attachments(): AttachmentKind | undefined {
    return this.#socket.attachments;
  }

  /** The labels it has now: those of its HELLO, or of its last CAPACITY. */
  get labels(): readonly string[] {
    return this.#slots?.labels ?? [];
  }

  /** The peer according to the transport. */
  get peer(): Peer {
    return this.#socket.peer;
  }

  /** @internal Whether nothing it sends crosses a boundary of trust: it is a thread or the like, or in this very thread. */
  get isLocal(): boolean {
    return this.peer.principal === LOCAL;
  }

  /** Where it is in its life. */
  get state(): SessionState {
    if (this.#phase !== "registered") return this.#phase;
    return this.attempts.counts.size === 0 ? "idle" : "busy";
  }

  /** Jobs in its slots, cancelled ones without a confirmation included. */
  get inFlight(): number {
    return this.attempts.counts.running;
  }

  /** Jobs that were prefetched to it, and wait for their turn. */
  get waiting(): number {
    return this.attempts.counts.waiting;
  }

  /** Jobs it has answered in this session. */
  get served(): number {
    return this.attempts.served;
  }

  /** Milliseconds since it registered. */
  get age(): number {
    return this.#context.clock.now() - this.#since;
  }

  /**
   * Runs one job on this worker: one attempt, no other worker. Acquire the worker first.
   * Rejects as `JobRunner.execute` does. Waits while all its slots are in use.
   */
  execute(job: Job | Payload, options?: ExecuteOptions): Promise<Payload> {
    return this.#context.execute(this, job, options);
  }

  /** Ends the session; what is in flight is lost. May be called twice. */
  close(): void {
    this.end("deleted", "closed by the runner");
  }

  /** @internal Starts delivery. */
  open(): void {
    this.#socket.open();
  }

  /** @internal Registers the worker. */
  welcome(hello: HelloMessage, runnerId: string, maxPayload: number): void {
    const { clock, rules } = this.#context;
    const { heartbeat } = rules;
    this.#hello = hello;
    this.#slots = this.#usable(hello);
    this.#phase = "registered";
    if (this.speaks(FEATURE.attachments)) this.#socket.allowAttachments();
    this.attempts.onHello(hello, this.#features);
    this.#since = clock.now();
    const { version } = hello;
    const terms = { heartbeat, maxPayload, features: this.#features };
    this.#socket.send({ type: "WELCOME", version, sessionId: this.id, runnerId, ...terms });
    this.#heartbeat.onHello(this.#since);
  }

  /** @internal Sends the worker away: no new work, gone once nothing is in flight. */
  dismiss(reason: GoAwayReason, retryAfter: number): void {
    if (this.#phase === "gone" || this.#phase === "connecting") return this.end("stopped", "the runner stops");
    this.#socket.send({ type: "GOAWAY", reason, retryAfter });
    this.#drain();
  }

  /** @internal Grants one more interval before silence counts. */
  extend(now: number): void {
    this.#heartbeat.extend(now);
  }

  /** @internal Refuses the worker, or ends its session for cause, with an ERROR that says why. */
  refuse(reason: GoneReason, code: WireErrorCode, text: string, retryAfter = 0): void {
    if (this.#phase === "gone") return;
    this.#socket.send({ type: "ERROR", code, text, retryAfter });
    this.end(reason, text);
  }

  /** @internal Ends the session, exactly once: first it leaves the pool, then its attempts fail. */
  end(reason: GoneReason, message: string, cause?: unknown): void {
    if (this.#phase === "gone") return;
    this.#phase = "gone";
    this.#heartbeat.stop();
    this.#backpressure.stop();
    const unsent = this.#socket.isClosed ? this.#socket.framesSent : -1;
    this.#socket.close();
    this.#context.onGone(this, reason, message);
    this.attempts.failAll(unsent, reason, message, this.#context.clock.now(), cause);
  }

  #socketOwner(): MessageSocketOwner<WorkerMessage> {
    return {
      onData: () => this.#onData(true),
      onPart: () => this.#onData(false),
      onMessage: (message) => this.#onMessage(message),
      onProtocolError: (error) => this.#violation(error.message),
      onFlush: (taken) => {
        if (taken) this.#backpressure.sent();
      },
      onClose: ({ code, message, cause }) => this.end(code === "too-slow" ? "slow" : "closed", message, cause),
    };
  }

  #heartbeatOwner(): HeartbeatOwner {
    const isExempt = (): boolean => this.#isExempt;
    const isPaused = (): boolean => this.#socket.isPaused;
    return {
      get isExempt(): boolean {
        return isExempt();
      },
      get isPaused(): boolean {
        return isPaused();
      },
      sendPing: (nonce) => void this.#socket.send({ type: "PING", nonce }),
      onSuspect: () => {
        if (this.#phase === "registered") this.#setSuspect(true);
      },
      onTimeout: (message) => this.refuse("silent", "UNRESPONSIVE", message),
      onHelloTimeout: (message) => this.refuse("refused", "UNRESPONSIVE", message),
    };
  }

  #backpressureOwner(): BackpressureOwner {
    const bufferedBytes = (): number => this.#socket.bufferedBytes;
    const mustRead = (): boolean => this.#socket.faults !== "port" && !this.#isExempt;
    return {
      get bufferedBytes(): number {
        return bufferedBytes();
      },
      get mustRead(): boolean {
        return mustRead();
      },
      onCongested: () => {
        if (this.#phase === "registered") this.#context.onAvailability(this, this.#availability);
        if (!this.#backpressure.isCongested) this.attempts.onRelieved();
      },
      onSlowConsumer: (message) => this.refuse("slow", "TOO_SLOW", message),
    };
  }

  #attemptsOwner(): AttemptTableOwner<Session> {
    return {
      self: this,
      sendPing: () => this.#heartbeat.ping(),
      nextPing: () => this.#heartbeat.nextPing,
      hasPong: (ping) => this.#heartbeat.hasPong(ping),
      onCancelTimeout: () => this.#endUnresponsive(),
      onSlotHeld: () => this.#leaveWhenDone(),
      onTurns: () => {
        this.#context.onTurns(this, this.attempts.counts.parked > 0);
        if (this.#phase === "registered") this.#context.onAvailability(this, this.#availability);
      },
      hasBacklog: () => this.#backpressure.isCongested,
      onAdmitted: (bytes) => this.#backpressure.allow(bytes),
      onPrefetchLimit: () => this.#context.onPrefetchLimit(this),
      onViolation: (message) => this.#violation(message),
      onStrike: (text) => this.#strike(text),
      onAttemptClosed: () => this.#leaveWhenDone(),
    };
  }

  /** Any byte is a sign of life. */
  #onData(isWhole: boolean): void {
    this.#heardAt = this.#context.clock.now();
    if (isWhole) this.#heartbeat.onHeard(this.#heardAt);
    else this.#heartbeat.onPartHeard(this.#heardAt);
    this.#backpressure.heard();
    if (this.#phase === "suspect") this.#setSuspect(false);
  }

  #onMessage(message: WorkerMessage): void {
    if (this.#phase === "gone") return;
    if (this.#phase === "connecting") return this.#onFirst(message);
    switch (message.type) {
      case "JOBERR":
        if ((message.error.details ?? message.error.values) !== undefined && (this.#features & FEATURE.details) === 0)
          return this.#violation("details of an error that were not agreed on");
        return this.attempts.onAnswer(message, this.#heardAt);
      case "JOBRES":
      case "FAILED":
      case "REJECT":
      case "CANCELLED":
        return this.attempts.onAnswer(message, this.#heardAt);
      case "PING":
        return this.#onPing(message.nonce);
      case "PONG":
        if (!this.#heartbeat.onPong()) return this.#strike("PONGs nobody asked for");
        return this.attempts.onPong();
      case "CAPACITY":
        return this.#onCapacity(message);
      case "ITEM":
        return this.attempts.onItem(message, this.#heardAt);
      case "CREDIT":
        return this.attempts.onCredit(message, this.#heardAt);
      case "PROGRESS":
        return this.attempts.onProgress(message);
      case "WAITING":
      case "STARTED":
        return this.attempts.onTurn(message, this.#heardAt);
      case "REMOVE":
        return this.#drain();
      case "ERROR":
        return this.end("closed", `the worker reported ${message.code}: ${message.text}`);
      default:
        return this.#violation(`${message.type} is not a worker's to send now`);
    }
  }

  #onFirst(message: WorkerMessage): void {
    if (message.type !== "HELLO") return this.#violation(`expected HELLO, got ${message.type}`);
    if (isStackedTooDeep(message)) return this.refuse("refused", "PROTOCOL", TOO_MANY_RELAYS);
    this.#context.onHello(this, message);
  }

  #onPing(nonce: number): void {
    if (this.#pingBudget.spend(this.#context.clock.now())) this.#socket.send({ type: "PONG", nonce });
    else this.#strike("too many PINGs");
  }

  /** Without the feature a worker cannot be told which of its tasks a job is for: then it has none. */
  #usable({ capacity, labels }: Pick<HelloMessage, "capacity" | "labels">): Pick<HelloMessage, "capacity" | "labels"> {
    const isTold = (label: string): boolean =>
      (this.speaks(FEATURE.tasks) || taskOf(label) === undefined) && !(this.isRelay && stackOf(label) !== undefined);
    if (this.isRelay) this.#stacked = stackTold(labels);
    return { capacity, labels: labels.every(isTold) ? labels : labels.filter(isTold) };
  }

  /** The pool learns of more slots before jobs that have begun there end. */
  #onCapacity(message: CapacityMessage): void {
    if (!this.speaks(FEATURE.capacity)) return this.#violation("CAPACITY is a feature that was not agreed on");
    if (isStackedTooDeep({ isRelay: this.isRelay, labels: message.labels })) return this.#violation(TOO_MANY_RELAYS);
    this.#slots = this.#usable(message);
    this.#offers++;
    this.attempts.resize(message.capacity, this.#heardAt);
    this.#context.onResized(this);
  }

  /** The worker sent a message of no consequence. */
  #strike(text: string): void {
    this.#context.onStrike(this);
    if (++this.#strikes > this.#context.rules.maxStrikes)
      this.#violation(`${text}: over ${this.#context.rules.maxStrikes}`);
  }

  /** The worker broke the protocol. */
  #violation(message: string): void {
    this.refuse("violation", "PROTOCOL", message);
  }

  #drain(): void {
    if (this.#phase !== "draining") {
      this.#phase = "draining";
      this.#context.onDraining(this);
    }
    this.#leaveWhenDone();
  }

  #endUnresponsive(): void {
    this.refuse("unresponsive", "UNRESPONSIVE", `no answer to CANCEL in ${this.#context.rules.cancelGrace} ms`);
  }

  /** A worker that leaves is not waited for once all its handlers have ignored their aborts. */
  #leaveWhenDone(): void {
    const { counts, held } = this.attempts;
    if (this.#phase !== "draining" || counts.size > held) return;
    // The rest of the frame may give these slots back.
    if (held > 0) return this.#context.clock.endOfTurn(() => this.#endIfHeld());
    this.#socket.send({ type: "REMOVED" });
    this.end("removed", "left");
  }

  #endIfHeld(): void {
    const { counts, held } = this.attempts;
    if (this.#phase === "draining" && held > 0 && counts.size === held) this.#endUnresponsive();
  }

  #setSuspect(suspect: boolean): void {
    this.#phase = suspect ? "suspect" : "registered";
    this.#context.onSuspected(this, suspect);
    this.#context.onAvailability(this, this.#availability);
  }

  /** While a job is parked there, another would wait, too. */
  get #availability(): Availability {
    if (this.#phase === "suspect") return "suspect";
    return this.#backpressure.isCongested || this.attempts.counts.parked > 0 ? "congested" : "ready";
  }

  /**
   * Whether silence means nothing now: the frames of a paused socket are not read, and a blocking worker may compute on the
   * event loop that would answer. The timeouts of its attempts watch such a worker; nothing else watches it once all that is
   * left are slots that are held.
   */
  get #isExempt(): boolean {
    return this.#socket.isPaused || (this.#hello?.blocking === true && this.attempts.isWatched);
  }
}

function isStackedTooDeep({ isRelay, labels }: Pick<HelloMessage, "isRelay" | "labels">): boolean {
  return isRelay && stackTold(labels) > MAX_RELAYS;
}

/** @internal The numbers of one worker. */
export function workerStats(session: Session): WorkerStats {
  const { identity, peer, state, labels, capacity, inFlight, waiting, served, age } = session;
  let unread = 0;
  session.attempts.counts.forEachRunning(({ credit = 1, cancelled }) => {
    if (credit <= 0 && cancelled === undefined) unread++;
  });
  return { identity, peer, state, labels, capacity, inFlight, unread, waiting, served, age };
}
