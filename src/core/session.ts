/**
 * One registered worker as the runner sees it: a state machine over one link, and the attempts it has in flight. Decides
 * when the worker is suspect, slow or gone. Who it is allowed to be is decided in registration.ts; which job it gets, and
 * what a lost attempt means for the job, in call.ts.
 */
import { Attempt, type AttemptOwner } from "./attempt.ts";
import { Alarm } from "./clock.ts";
import type { ExecuteOptions } from "./execute-options.ts";
import { Backlog } from "./backlog.ts";
import type { ProtocolError } from "./errors.ts";
import type { GoneReason } from "./events.ts";
import type { Job } from "./job.ts";
import { Link } from "./link.ts";
import type { CancelReason, GoAwayReason, HelloMessage, Message, Payload, WireErrorCode } from "./message.ts";
import { NumberTable } from "./number-table.ts";
import { PingBudget } from "./ping-budget.ts";
import { Pulse, type Verdict } from "./pulse.ts";
import type { SessionKeeper } from "./session-keeper.ts";
import type { CloseReason, Peer, Socket } from "./socket.ts";
import type { PooledWorker } from "./workers.ts";

/** Where a session stands. `idle` and `busy` follow from what is in flight. */
export type SessionState = "connecting" | "idle" | "busy" | "suspect" | "draining" | "gone";

const BACKLOG_POLL = 5; // ms

type Phase = "connecting" | "registered" | "suspect" | "draining" | "gone";

/** One worker's session. */
export class Session implements PooledWorker {
  // Is a LinkOwner too, which is nobody else's business: what makes it one is left out of the published types.
  /** Names the session, in logs. */
  readonly id: string;
  readonly #keeper: SessionKeeper<Session>;
  readonly #link: Link;
  readonly #alarm: Alarm;
  readonly #backlogAlarm: Alarm;
  readonly #pulse: Pulse;
  readonly #pings: PingBudget;
  readonly #backlog: Backlog;
  readonly #attempts = new NumberTable<Attempt<Session>>();
  #phase: Phase = "connecting";
  #hello: HelloMessage | undefined;
  #nextAttemptId = 1;
  #strikes = 0;
  /** PINGs sent that were not answered. */
  #asked = 0;
  #served = 0;
  #since: number;

  /** @internal */
  constructor(id: string, socket: Socket, keeper: SessionKeeper<Session>) {
    const { clock, rules } = keeper;
    this.id = id;
    this.#keeper = keeper;
    this.#since = clock.now();
    this.#pulse = new Pulse(rules.heartbeat, this.#since);
    this.#pings = new PingBudget(rules.heartbeat, this.#since);
    this.#backlog = new Backlog(rules);
    this.#link = new Link(socket, clock, this, rules.maxFrameBytes);
    this.#alarm = new Alarm((lateBy) => this.#look(lateBy));
    this.#backlogAlarm = new Alarm(() => this.#watchBacklog());
    keeper.timers.set(this.#alarm, rules.helloTimeout);
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
    return this.#attempts.size === 0 ? "idle" : "busy";
  }

  /** Jobs in flight, cancelled ones without a confirmation included. */
  get inFlight(): number {
    return this.#attempts.size;
  }

  /** Jobs it has answered in this session. */
  get served(): number {
    return this.#served;
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
    const { clock, rules, timers } = this.#keeper;
    this.#since = clock.now();
    this.#link.send({
      type: "WELCOME",
      version: hello.version,
      sessionId: this.id,
      runnerId,
      heartbeat: rules.heartbeat,
      maxPayload,
    });
    timers.set(this.#alarm, this.#pulse.untilNext(this.#since));
  }

  /** @internal Hands a job over. `undefined` when the link is closed: nothing was sent and the session ends. */
  assign(
    owner: AttemptOwner<Session>,
    job: Job,
    jobId: number,
    number: number,
    ttl: number,
  ): Attempt<Session> | undefined {
    const attempt = new Attempt(this.#nextAttemptId, this, owner, this.#link.framesSent);
    if (!this.#link.send({ type: "JOB", attemptId: attempt.id, attempt: number, jobId, ttl, job })) return undefined;
    this.#nextAttemptId++;
    this.#attempts.set(attempt.id, attempt);
    return attempt;
  }

  /** @internal Nobody waits for an attempt any more. Its slot stays taken until the worker confirms, or the grace ends. */
  cancel(attempt: Attempt<Session>, reason: CancelReason): void {
    if (attempt.cancelled !== undefined || this.#attempts.get(attempt.id) !== attempt) return;
    attempt.cancelled = reason;
    this.#link.send({ type: "CANCEL", attemptId: attempt.id, reason });
    attempt.grace = new Alarm(() => this.#unconfirmed());
    this.#keeper.timers.set(attempt.grace, this.#keeper.rules.cancelGrace);
  }

  #unconfirmed(): void {
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
    this.#pulse.forgive(now);
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
    this.#keeper.timers.drop(this.#alarm);
    this.#keeper.timers.drop(this.#backlogAlarm);
    const unsent = this.#link.isClosed ? this.#link.framesSent : -1;
    this.#link.close();
    this.#keeper.gone(this, reason, message);
    // The latest first: those that go back to the head of the queue then stand there in the order they came.
    const attempts = this.#attempts.values().toReversed();
    this.#attempts.clear();
    for (const attempt of attempts) this.#abandon(attempt, unsent, reason, message);
  }

  /** @internal Any byte is a sign of life. */
  heard(): void {
    this.#pulse.heard(this.#keeper.clock.now());
    if (this.#phase === "suspect") this.#suspect(false);
  }

  /** @internal */
  message(message: Message): void {
    if (this.#phase === "gone") return;
    if (this.#phase === "connecting") return this.#first(message);
    switch (message.type) {
      case "JOBRES":
        return this.#answered(message.attemptId, (attempt) => attempt.owner.succeeded(attempt, message.value));
      case "JOBERR":
        return this.#answered(message.attemptId, (attempt) => attempt.owner.failed(attempt, message));
      case "REJECT":
        return this.#answered(message.attemptId, (attempt) => attempt.owner.rejected(attempt, message.reason), false);
      case "CANCELLED":
        return this.#cancelled(message.attemptId);
      case "PING":
        return this.#ping(message.nonce);
      case "PONG":
        return this.#pong();
      case "REMOVE":
        return this.#drain();
      case "ERROR":
        return this.end("closed", `the worker reported ${message.code}: ${message.text}`);
      default:
        return this.#violation(`${message.type} is not a worker's to send now`);
    }
  }

  /** @internal */
  malformed(error: ProtocolError): void {
    this.#violation(error.message);
  }

  /** @internal */
  flushed(taken: boolean): void {
    const { rules, timers } = this.#keeper;
    if (!taken || this.#backlog.congested || this.#link.bufferedBytes <= rules.highWater) return;
    // The verdict waits a step: this runs inside the hand-over of a job, which must not find its session gone.
    this.#backlog.look(this.#link.bufferedBytes, this.#keeper.clock.now());
    if (this.#phase === "registered") this.#keeper.standing(this, "congested");
    timers.set(this.#backlogAlarm, 0);
  }

  /** @internal */
  closed(reason: CloseReason): void {
    this.end("closed", reason.message);
  }

  #first(message: Message): void {
    if (message.type === "HELLO") this.#keeper.hello(this, message);
    else this.#violation(`expected HELLO, got ${message.type}`);
  }

  #ping(nonce: number): void {
    if (this.#pings.spend(this.#keeper.clock.now())) this.#link.send({ type: "PONG", nonce });
    else this.#strike("too many PINGs");
  }

  #pong(): void {
    if (this.#asked === 0) this.#strike("PONGs nobody asked for");
    else this.#asked--;
  }

  #cancelled(attemptId: number): void {
    const attempt = this.#attempts.get(attemptId);
    if (attempt !== undefined && attempt.cancelled === undefined)
      this.#violation("CANCELLED for a job nobody cancelled");
    else this.#answered(attemptId, () => undefined, false);
  }

  /** An answer that frees a slot. Its value counts only while the attempt is current. */
  #answered(attemptId: number, accept: (attempt: Attempt<Session>) => void, served = true): void {
    const attempt = this.#attempts.get(attemptId);
    if (attempt === undefined || this.#isUnsent(attempt)) return this.#unexpected(attemptId, attempt);
    this.#attempts.delete(attemptId);
    if (served) this.#served++;
    if (attempt.grace !== undefined) this.#keeper.timers.drop(attempt.grace);
    if (attempt.cancelled === undefined) accept(attempt);
    attempt.owner.freed(attempt);
    this.#leaveWhenDone();
  }

  /** Whether its JOB still waits for the end of this turn: nobody can know of it. */
  #isUnsent(attempt: Attempt<Session>): boolean {
    return attempt.batch === this.#link.framesSent;
  }

  #unexpected(attemptId: number, unsent: Attempt<Session> | undefined): void {
    if (unsent !== undefined || attemptId >= this.#nextAttemptId)
      this.#violation(`an answer to attempt ${attemptId}, which was never made`);
    else this.#strike("answers nobody waits for");
  }

  #strike(what: string): void {
    this.#keeper.strike(this);
    if (++this.#strikes > this.#keeper.rules.maxStrikes)
      this.#violation(`${what}: over ${this.#keeper.rules.maxStrikes}`);
  }

  #violation(message: string): void {
    this.refuse("violation", "PROTOCOL", message);
  }

  #abandon(attempt: Attempt<Session>, unsent: number, reason: GoneReason, message: string): void {
    if (attempt.grace !== undefined) this.#keeper.timers.drop(attempt.grace);
    if (attempt.cancelled === undefined) {
      if (attempt.batch === unsent) attempt.owner.notSent(attempt);
      else attempt.owner.lost(attempt, reason, message);
    }
    attempt.owner.freed(attempt);
  }

  #drain(): void {
    if (this.#phase !== "draining") {
      this.#phase = "draining";
      this.#keeper.draining(this);
    }
    this.#leaveWhenDone();
  }

  #leaveWhenDone(): void {
    if (this.#phase !== "draining" || this.#attempts.size > 0) return;
    this.#link.send({ type: "REMOVED" });
    this.end("removed", "left");
  }

  #suspect(suspect: boolean): void {
    this.#phase = suspect ? "suspect" : "registered";
    this.#keeper.suspected(this, suspect);
    const well = this.#backlog.congested ? "congested" : "ready";
    this.#keeper.standing(this, suspect ? "suspect" : well);
  }

  /** The liveness timer: judges the silence, unless this process has no right to. */
  #look(lateBy: number): void {
    const { clock, rules, timers } = this.#keeper;
    const now = clock.now();
    if (this.#pulse.stalled(lateBy)) this.#keeper.stalled();
    if (this.#phase === "connecting") return this.#lookAtNewcomer(lateBy);
    // A worker that runs its handlers on the event loop that would answer is judged by its attempts' timers instead.
    const exempt = this.#hello?.blocking === true && this.#attempts.size > 0;
    if (!exempt && !this.#judge(this.#pulse.verdict(now))) return;
    timers.set(this.#alarm, exempt ? rules.heartbeat : this.#pulse.untilNext(now));
  }

  #lookAtNewcomer(lateBy: number): void {
    const { rules, timers } = this.#keeper;
    if (this.#pulse.stalled(lateBy)) timers.set(this.#alarm, rules.heartbeat);
    else this.refuse("refused", "UNRESPONSIVE", `no HELLO in ${rules.helloTimeout} ms`);
  }

  /** `false` when the session has ended. */
  #judge(verdict: Verdict): boolean {
    if (verdict === "dead") {
      this.refuse("silent", "UNRESPONSIVE", `nothing heard for ${3 * this.#keeper.rules.heartbeat} ms`);
      return false;
    }
    if (verdict === "suspect") {
      if (this.#phase === "registered") this.#suspect(true);
      this.#link.send({ type: "PING", nonce: this.#asked++ });
    }
    return true;
  }

  /** Polls while there is a backlog: a socket tells how much waits, not when it has left. */
  #watchBacklog(): void {
    if (this.#phase === "gone") return;
    const { clock, timers } = this.#keeper;
    const bytes = this.#link.bufferedBytes;
    const verdict = this.#backlog.look(bytes, clock.now());
    if (verdict === "overflow" || verdict === "stuck")
      return this.refuse("slow", "TOO_SLOW", `it does not read: ${bytes} bytes wait`);
    if (verdict === "congested") timers.set(this.#backlogAlarm, BACKLOG_POLL);
    if (this.#phase === "registered") this.#keeper.standing(this, verdict === "clear" ? "ready" : "congested");
  }
}
