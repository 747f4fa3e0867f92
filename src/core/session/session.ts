/**
 * One registered worker as the runner sees it: a state machine over one link, and the attempts it has in flight. Decides
 * when the worker is suspect, slow or gone. Who it is allowed to be is decided in registration.ts; which job it gets, and
 * what a lost attempt means for the job, in call.ts.
 */
import { AttemptTable } from "./attempt-table.ts";
import type { Attempt, AttemptOwner } from "./attempt.ts";
import { RUNNER_CODEC } from "../protocol/codec.ts";
import type { ExecuteOptions } from "../job/execute-options.ts";
import { BackpressureMonitor } from "../health/backpressure.ts";
import { AlarmTimer } from "../time/timer-queue.ts";
import type { WorkerSelector } from "../pool/worker-selector.ts";
import type { ProtocolError } from "../errors.ts";
import type { GoneReason } from "../events.ts";
import type { Job } from "../job/job.ts";
import { MessageSocket } from "../protocol/message-socket.ts";
import { HeartbeatMonitor } from "../health/heartbeat-monitor.ts";
import type {
  CancelReason,
  GoAwayReason,
  HelloMessage,
  RunnerMessage,
  WireErrorCode,
  WorkerMessage,
} from "../protocol/message.ts";
import type { Payload, Peer } from "../peer.ts";
import { TokenBucket } from "../time/token-bucket.ts";
import type { SessionContext } from "./session-context.ts";
import type { CloseReason, Socket } from "../transport/socket.ts";
import type { SessionState, WorkerStats } from "../stats.ts";
import type { PooledWorker } from "../pool/scheduler.ts";

type Phase = "connecting" | "registered" | "suspect" | "draining" | "gone";

/** PINGs a worker may send in a heartbeat interval: an answer is work that the worker gets for free. It needs one. */
const PING_BUDGET = { burst: 10, refill: 4 };

/** One worker's session. */
export class Session implements PooledWorker {
  // Is a MessageSocketOwner too, which is nobody else's business: what makes it one is left out of the published types.
  /** Names the session, in logs. */
  readonly id: string;
  readonly #context: SessionContext<Session>;
  readonly #socket: MessageSocket<RunnerMessage, WorkerMessage>;
  readonly #heartbeat: HeartbeatMonitor;
  readonly #pingBudget: TokenBucket;
  readonly #backpressure: BackpressureMonitor;
  readonly #attempts: AttemptTable<Session>;
  #phase: Phase = "connecting";
  #hello: HelloMessage | undefined;
  #heardAt: number;
  #strikes = 0;
  #since: number;

  /** @internal */
  constructor(id: string, socket: Socket, context: SessionContext<Session>) {
    const { clock, rules } = context;
    this.id = id;
    this.#context = context;
    this.#since = clock.now();
    this.#heardAt = this.#since;
    this.#pingBudget = new TokenBucket({ ...PING_BUDGET, interval: rules.heartbeat }, this.#since);
    const { timers, budget } = context;
    this.#backpressure = new BackpressureMonitor(
      { clock, rules, budget, reviewTimer: (review) => new AlarmTimer(timers, review) },
      this,
    );
    this.#socket = new MessageSocket(socket, clock, this, rules.maxFrameBytes, RUNNER_CODEC);
    this.#attempts = new AttemptTable(this.#socket, context, this);
    this.#heartbeat = new HeartbeatMonitor(context, this, this.#since);
  }

  /** The worker's stable name; empty until it has said HELLO. */
  get identity(): string {
    return this.#hello?.identity ?? "";
  }

  /** The worker's start; another one means it was restarted. */
  get instance(): string {
    return this.#hello?.instance ?? "";
  }

  /** How many jobs it takes at a time. */
  get capacity(): number {
    return this.#hello?.capacity ?? 1;
  }

  /** The labels it came with. */
  get labels(): readonly string[] {
    return this.#hello?.labels ?? [];
  }

  /** Who the transport says it is. */
  get peer(): Peer {
    return this.#socket.peer;
  }

  /** Where it stands. */
  get state(): SessionState {
    if (this.#phase !== "registered") return this.#phase;
    return this.#attempts.size === 0 ? "idle" : "busy";
  }

  /** Jobs in its slots, cancelled ones without a confirmation included. */
  get inFlight(): number {
    return this.#attempts.running;
  }

  /** Jobs that were sent to it ahead of a free slot, and wait for their turn. */
  get waiting(): number {
    return this.#attempts.waiting;
  }

  /** @internal How many may now be prefetched. */
  get prefetchLimit(): number {
    return this.#attempts.prefetchLimit;
  }

  /** Jobs it has answered in this session. */
  get served(): number {
    return this.#attempts.served;
  }

  /** Milliseconds since it registered. */
  get age(): number {
    return this.#context.clock.now() - this.#since;
  }

  /**
   * Runs one job on this worker: one attempt, no other worker. Whoever calls it has acquired the worker.
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
    this.#hello = hello;
    this.#phase = "registered";
    const { clock, rules } = this.#context;
    this.#attempts.onHello(hello);
    this.#since = clock.now();
    this.#socket.send({
      type: "WELCOME",
      version: hello.version,
      sessionId: this.id,
      runnerId,
      heartbeat: rules.heartbeat,
      maxPayload,
    });
    this.#heartbeat.onHello(this.#since);
  }

  /** @internal Hands a job over. `undefined` when the link is closed: nothing was sent and the session ends. */
  assign(
    owner: AttemptOwner<Session>,
    job: Job,
    jobId: number,
    number: number,
    ttl: number,
    now: number,
  ): Attempt<Session> | undefined {
    return this.#attempts.assign(owner, job, jobId, number, ttl, now);
  }

  /** @internal Nobody waits for an attempt any more. Its slot stays taken until the worker confirms, or the grace ends. */
  cancel(attempt: Attempt<Session>, reason: CancelReason): void {
    this.#attempts.cancel(attempt, reason);
  }

  /** @internal Asks for up to `count` of the jobs that were prefetched and are of use elsewhere. Returns how many of use stay. */
  recall(count: number, useful: (selector: WorkerSelector | undefined) => boolean): number {
    return this.#attempts.recall(count, useful);
  }

  /** @internal */
  get self(): this {
    return this;
  }

  /** @internal */
  onCancelTimeout(): void {
    this.refuse("unresponsive", "UNRESPONSIVE", `no answer to CANCEL in ${this.#context.rules.cancelGrace} ms`);
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

  /** @internal Refuses the worker, or ends its session for cause: it is told why. */
  refuse(reason: GoneReason, code: WireErrorCode, onMessage: string, retryAfter = 0): void {
    if (this.#phase === "gone") return;
    this.#socket.send({ type: "ERROR", code, text: onMessage, retryAfter });
    this.end(reason, onMessage);
  }

  /** @internal Ends the session, exactly once: first nothing can find it any more, then its attempts are told. */
  end(reason: GoneReason, onMessage: string): void {
    if (this.#phase === "gone") return;
    this.#phase = "gone";
    this.#heartbeat.stop();
    this.#backpressure.stop();
    const unsent = this.#socket.isClosed ? this.#socket.framesSent : -1;
    this.#socket.close();
    this.#context.onGone(this, reason, onMessage);
    this.#attempts.failAll(unsent, reason, onMessage, this.#context.clock.now());
  }

  /** @internal Any byte is a sign of life. */
  onData(): void {
    this.#heardAt = this.#context.clock.now();
    this.#heartbeat.onHeard(this.#heardAt);
    this.#backpressure.heard();
    if (this.#phase === "suspect") this.#suspect(false);
  }

  /** @internal */
  onMessage(onMessage: WorkerMessage): void {
    if (this.#phase === "gone") return;
    if (this.#phase === "connecting") return this.#first(onMessage);
    switch (onMessage.type) {
      case "JOBRES":
      case "JOBERR":
      case "REJECT":
      case "CANCELLED":
        return this.#attempts.onAnswer(onMessage, this.#heardAt);
      case "PING":
        return this.#ping(onMessage.nonce);
      case "PONG":
        return this.#pong();
      case "REMOVE":
        return this.#drain();
      case "ERROR":
        return this.end("closed", `the worker reported ${onMessage.code}: ${onMessage.text}`);
      default:
        return this.onViolation(`${onMessage.type} is not a worker's to send now`);
    }
  }

  /** @internal */
  onProtocolError(error: ProtocolError): void {
    this.onViolation(error.message);
  }

  /** @internal */
  onFlush(taken: boolean): void {
    if (taken) this.#backpressure.sent();
  }

  /** @internal */
  get bufferedBytes(): number {
    return this.#socket.bufferedBytes;
  }

  /** @internal A worker that may be computing on the event loop that would read is judged by its attempts' timers instead. */
  get mustRead(): boolean {
    return this.#socket.faults !== "port" && !this.isExempt;
  }

  /** @internal */
  onCongested(onCongested: boolean): void {
    if (this.#phase === "registered") this.#context.onAvailability(this, onCongested ? "congested" : "ready");
  }

  /** @internal */
  onSlowConsumer(onMessage: string): void {
    this.refuse("slow", "TOO_SLOW", onMessage);
  }

  /** @internal */
  onClose(reason: CloseReason): void {
    this.end(reason.code === "too-slow" ? "slow" : "closed", reason.message);
  }

  #first(onMessage: WorkerMessage): void {
    if (onMessage.type === "HELLO") this.#context.onHello(this, onMessage);
    else this.onViolation(`expected HELLO, got ${onMessage.type}`);
  }

  #ping(nonce: number): void {
    if (this.#pingBudget.spend(this.#context.clock.now())) this.#socket.send({ type: "PONG", nonce });
    else this.onStrike("too many PINGs");
  }

  #pong(): void {
    if (!this.#heartbeat.onPong()) this.onStrike("PONGs nobody asked for");
  }

  /** @internal */
  onStrike(what: string): void {
    this.#context.onStrike(this);
    if (++this.#strikes > this.#context.rules.maxStrikes)
      this.onViolation(`${what}: over ${this.#context.rules.maxStrikes}`);
  }

  /** @internal */
  onViolation(onMessage: string): void {
    this.refuse("violation", "PROTOCOL", onMessage);
  }

  #drain(): void {
    if (this.#phase !== "draining") {
      this.#phase = "draining";
      this.#context.onDraining(this);
    }
    this.onAttemptClosed();
  }

  /** @internal */
  onAttemptClosed(): void {
    if (this.#phase !== "draining" || this.#attempts.size > 0) return;
    this.#socket.send({ type: "REMOVED" });
    this.end("removed", "left");
  }

  #suspect(suspect: boolean): void {
    this.#phase = suspect ? "suspect" : "registered";
    this.#context.onSuspected(this, suspect);
    const well = this.#backpressure.isCongested ? "congested" : "ready";
    this.#context.onAvailability(this, suspect ? "suspect" : well);
  }

  /** @internal A worker that runs its handlers on the event loop that would answer is judged by its attempts' timers instead. */
  get isExempt(): boolean {
    // A worker whose frames wait to be read cannot be heard.
    return this.#socket.isPaused || (this.#hello?.blocking === true && this.#attempts.size > 0);
  }

  /** @internal */
  sendPing(nonce: number): void {
    this.#socket.send({ type: "PING", nonce });
  }

  /** @internal */
  onSuspect(): void {
    if (this.#phase === "registered") this.#suspect(true);
  }

  /** @internal */
  onTimeout(onMessage: string): void {
    this.refuse("silent", "UNRESPONSIVE", onMessage);
  }

  /** @internal */
  onHelloTimeout(onMessage: string): void {
    this.refuse("refused", "UNRESPONSIVE", onMessage);
  }
}

/** @internal The numbers of one worker. */
export function workerStats(session: Session): WorkerStats {
  const { identity, peer, state, labels, capacity, inFlight, waiting, served, age } = session;
  return { identity, peer, state, labels, capacity, inFlight, waiting, served, age };
}
