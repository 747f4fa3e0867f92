/**
 * One registered worker as the runner sees it: a state machine over one link, and the attempts it has in flight. Decides
 * when the worker is suspect, slow or gone. Who it is allowed to be is decided in registration.ts; which job it gets, and
 * what a lost attempt means for the job, in call.ts.
 */
import { Assignments } from "./attempt-table.ts";
import type { Attempt, AttemptOwner } from "./attempt.ts";
import { RUNNER_CODEC } from "../protocol/codec.ts";
import type { ExecuteOptions } from "../job/execute-options.ts";
import { Congestion } from "../health/backpressure.ts";
import { AlarmTimer } from "../time/timer-queue.ts";
import type { Demand } from "../pool/worker-selector.ts";
import type { ProtocolError } from "../errors.ts";
import type { GoneReason } from "../events.ts";
import type { Job } from "../job/job.ts";
import { Link } from "../protocol/message-socket.ts";
import { Liveness } from "../health/heartbeat-monitor.ts";
import type {
  CancelReason,
  GoAwayReason,
  HelloMessage,
  RunnerMessage,
  WireErrorCode,
  WorkerMessage,
} from "../protocol/message.ts";
import type { Payload, Peer } from "../peer.ts";
import { PingBudget } from "../time/token-bucket.ts";
import type { SessionKeeper } from "./session-context.ts";
import type { CloseReason, Socket } from "../transport/socket.ts";
import type { SessionState, WorkerStats } from "../stats.ts";
import type { PooledWorker } from "../pool/workers.ts";

type Phase = "connecting" | "registered" | "suspect" | "draining" | "gone";

/** One worker's session. */
export class Session implements PooledWorker {
  // Is a LinkOwner too, which is nobody else's business: what makes it one is left out of the published types.
  /** Names the session, in logs. */
  readonly id: string;
  readonly #keeper: SessionKeeper<Session>;
  readonly #link: Link<RunnerMessage, WorkerMessage>;
  readonly #liveness: Liveness;
  readonly #pings: PingBudget;
  readonly #congestion: Congestion;
  readonly #assignments: Assignments<Session>;
  #phase: Phase = "connecting";
  #hello: HelloMessage | undefined;
  #heardAt: number;
  #strikes = 0;
  #since: number;

  /** @internal */
  constructor(id: string, socket: Socket, keeper: SessionKeeper<Session>) {
    const { clock, rules } = keeper;
    this.id = id;
    this.#keeper = keeper;
    this.#since = clock.now();
    this.#heardAt = this.#since;
    this.#pings = new PingBudget(rules.heartbeat, this.#since);
    const { timers, budget } = keeper;
    this.#congestion = new Congestion(
      { clock, rules, budget, reviewTimer: (review) => new AlarmTimer(timers, review) },
      this,
    );
    this.#link = new Link(socket, clock, this, rules.maxFrameBytes, RUNNER_CODEC);
    this.#assignments = new Assignments(this.#link, keeper, this);
    this.#liveness = new Liveness(keeper, this, this.#since);
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
    return this.#link.peer;
  }

  /** Where it stands. */
  get state(): SessionState {
    if (this.#phase !== "registered") return this.#phase;
    return this.#assignments.size === 0 ? "idle" : "busy";
  }

  /** Jobs in its slots, cancelled ones without a confirmation included. */
  get inFlight(): number {
    return this.#assignments.running;
  }

  /** Jobs that were sent to it ahead of a free slot, and wait for their turn. */
  get waiting(): number {
    return this.#assignments.waiting;
  }

  /** @internal How many may now be sent ahead of a free slot. */
  get ahead(): number {
    return this.#assignments.ahead;
  }

  /** Jobs it has answered in this session. */
  get served(): number {
    return this.#assignments.served;
  }

  /** Milliseconds since it registered. */
  get age(): number {
    return this.#keeper.clock.now() - this.#since;
  }

  /**
   * Runs one job on this worker: one attempt, no other worker. Whoever calls it has acquired the worker.
   * Rejects as `JobRunner.execute` does. Waits while all its slots are in use.
   */
  execute(job: Job | Payload, options?: ExecuteOptions): Promise<Payload> {
    return this.#keeper.dispatch(this, job, options);
  }

  /** Ends the session; what is in flight is lost. May be called twice. */
  close(): void {
    this.end("deleted", "closed by the runner");
  }

  /** @internal Starts delivery. */
  open(): void {
    this.#link.open();
  }

  /** @internal Registers the worker. */
  welcome(hello: HelloMessage, runnerId: string, maxPayload: number): void {
    this.#hello = hello;
    this.#phase = "registered";
    const { clock, rules } = this.#keeper;
    this.#assignments.introduced(hello);
    this.#since = clock.now();
    this.#link.send({
      type: "WELCOME",
      version: hello.version,
      sessionId: this.id,
      runnerId,
      heartbeat: rules.heartbeat,
      maxPayload,
    });
    this.#liveness.introduced(this.#since);
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
    return this.#assignments.assign(owner, job, jobId, number, ttl, now);
  }

  /** @internal Nobody waits for an attempt any more. Its slot stays taken until the worker confirms, or the grace ends. */
  cancel(attempt: Attempt<Session>, reason: CancelReason): void {
    this.#assignments.cancel(attempt, reason);
  }

  /** @internal Asks for up to `count` of the jobs that were sent ahead and are of use elsewhere. Returns how many of use stay. */
  recall(count: number, useful: (demand: Demand | undefined) => boolean): number {
    return this.#assignments.recall(count, useful);
  }

  /** @internal */
  get self(): this {
    return this;
  }

  /** @internal */
  unconfirmed(): void {
    this.refuse("unresponsive", "UNRESPONSIVE", `no answer to CANCEL in ${this.#keeper.rules.cancelGrace} ms`);
  }

  /** @internal Sends the worker away: no new work, gone once nothing is in flight. */
  dismiss(reason: GoAwayReason, retryAfter: number): void {
    if (this.#phase === "gone" || this.#phase === "connecting") return this.end("stopped", "the runner stops");
    this.#link.send({ type: "GOAWAY", reason, retryAfter });
    this.#drain();
  }

  /** @internal Grants one more interval before silence counts. */
  forgive(now: number): void {
    this.#liveness.forgive(now);
  }

  /** @internal Refuses the worker, or ends its session for cause: it is told why. */
  refuse(reason: GoneReason, code: WireErrorCode, message: string, retryAfter = 0): void {
    if (this.#phase === "gone") return;
    this.#link.send({ type: "ERROR", code, text: message, retryAfter });
    this.end(reason, message);
  }

  /** @internal Ends the session, exactly once: first nothing can find it any more, then its attempts are told. */
  end(reason: GoneReason, message: string): void {
    if (this.#phase === "gone") return;
    this.#phase = "gone";
    this.#liveness.stop();
    this.#congestion.stop();
    const unsent = this.#link.isClosed ? this.#link.framesSent : -1;
    this.#link.close();
    this.#keeper.gone(this, reason, message);
    this.#assignments.abandon(unsent, reason, message, this.#keeper.clock.now());
  }

  /** @internal Any byte is a sign of life. */
  heard(): void {
    this.#heardAt = this.#keeper.clock.now();
    this.#liveness.heard(this.#heardAt);
    this.#congestion.heard();
    if (this.#phase === "suspect") this.#suspect(false);
  }

  /** @internal */
  message(message: WorkerMessage): void {
    if (this.#phase === "gone") return;
    if (this.#phase === "connecting") return this.#first(message);
    switch (message.type) {
      case "JOBRES":
      case "JOBERR":
      case "REJECT":
      case "CANCELLED":
        return this.#assignments.answer(message, this.#heardAt);
      case "PING":
        return this.#ping(message.nonce);
      case "PONG":
        return this.#pong();
      case "REMOVE":
        return this.#drain();
      case "ERROR":
        return this.end("closed", `the worker reported ${message.code}: ${message.text}`);
      default:
        return this.violation(`${message.type} is not a worker's to send now`);
    }
  }

  /** @internal */
  malformed(error: ProtocolError): void {
    this.violation(error.message);
  }

  /** @internal */
  flushed(taken: boolean): void {
    if (taken) this.#congestion.sent();
  }

  /** @internal */
  get bufferedBytes(): number {
    return this.#link.bufferedBytes;
  }

  /** @internal A worker that may be computing on the event loop that would read is judged by its attempts' timers instead. */
  get mustRead(): boolean {
    return this.#link.faults !== "port" && !this.exempt;
  }

  /** @internal */
  congested(congested: boolean): void {
    if (this.#phase === "registered") this.#keeper.standing(this, congested ? "congested" : "ready");
  }

  /** @internal */
  tooSlow(message: string): void {
    this.refuse("slow", "TOO_SLOW", message);
  }

  /** @internal */
  closed(reason: CloseReason): void {
    this.end(reason.code === "too-slow" ? "slow" : "closed", reason.message);
  }

  #first(message: WorkerMessage): void {
    if (message.type === "HELLO") this.#keeper.hello(this, message);
    else this.violation(`expected HELLO, got ${message.type}`);
  }

  #ping(nonce: number): void {
    if (this.#pings.spend(this.#keeper.clock.now())) this.#link.send({ type: "PONG", nonce });
    else this.strike("too many PINGs");
  }

  #pong(): void {
    if (!this.#liveness.answered()) this.strike("PONGs nobody asked for");
  }

  /** @internal */
  strike(what: string): void {
    this.#keeper.strike(this);
    if (++this.#strikes > this.#keeper.rules.maxStrikes)
      this.violation(`${what}: over ${this.#keeper.rules.maxStrikes}`);
  }

  /** @internal */
  violation(message: string): void {
    this.refuse("violation", "PROTOCOL", message);
  }

  #drain(): void {
    if (this.#phase !== "draining") {
      this.#phase = "draining";
      this.#keeper.draining(this);
    }
    this.answered();
  }

  /** @internal */
  answered(): void {
    if (this.#phase !== "draining" || this.#assignments.size > 0) return;
    this.#link.send({ type: "REMOVED" });
    this.end("removed", "left");
  }

  #suspect(suspect: boolean): void {
    this.#phase = suspect ? "suspect" : "registered";
    this.#keeper.suspected(this, suspect);
    const well = this.#congestion.isCongested ? "congested" : "ready";
    this.#keeper.standing(this, suspect ? "suspect" : well);
  }

  /** @internal A worker that runs its handlers on the event loop that would answer is judged by its attempts' timers instead. */
  get exempt(): boolean {
    // A worker whose frames wait to be read cannot be heard.
    return this.#link.isPaused || (this.#hello?.blocking === true && this.#assignments.size > 0);
  }

  /** @internal */
  ask(nonce: number): void {
    this.#link.send({ type: "PING", nonce });
  }

  /** @internal */
  suspicious(): void {
    if (this.#phase === "registered") this.#suspect(true);
  }

  /** @internal */
  silent(message: string): void {
    this.refuse("silent", "UNRESPONSIVE", message);
  }

  /** @internal */
  mute(message: string): void {
    this.refuse("refused", "UNRESPONSIVE", message);
  }
}

/** @internal The numbers of one worker. */
export function workerStats(session: Session): WorkerStats {
  const { identity, peer, state, labels, capacity, inFlight, waiting, served, age } = session;
  return { identity, peer, state, labels, capacity, inFlight, waiting, served, age };
}
