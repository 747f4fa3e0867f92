/**
 * A worker's end of one session: HELLO, the heartbeat, jobs in and answers out, and leaving in good order. Whether and when
 * to connect again is decided in worker.ts; how a handler is run, in execution.ts.
 */
import type { Clock } from "../time/clock.ts";
import { payloadBytes, WORKER_CODEC } from "../protocol/codec.ts";
import { type AbortReason, AuthError, type PowerhoseError, ProtocolError } from "../errors.ts";
import type { DisconnectReason } from "../events.ts";
import { Link, type LinkOwner } from "../protocol/message-socket.ts";
import { Congestion, type CongestionOwner } from "../health/backpressure.ts";
import type {
  CancelCode,
  HelloMessage,
  JobMessage,
  RejectReason,
  RunnerMessage,
  WelcomeMessage,
  WireErrorMessage,
  WorkerMessage,
} from "../protocol/message.ts";
import { NumberTable } from "../collections/int-map.ts";
import type { Payload } from "../peer.ts";
import { Pulse } from "../health/failure-detector.ts";
import type { CloseReason, Socket } from "../transport/socket.ts";
import { Starter, type StarterOwner } from "./run-queue.ts";
import { type Handler, Task, type TaskOwner, type TaskResult, tooLarge, unreadable } from "./execution.ts";
import { Timer } from "../time/timer.ts";
import { MAX_AHEAD } from "../protocol/constants.ts";

/** How long a runner may take to answer HELLO, in ms. */
const HELLO_PATIENCE = 10_000;

const NOT_BEGUN: TaskResult = { ok: true, value: "" };

/** One session, from the worker's side. */
export class Post implements LinkOwner<RunnerMessage>, TaskOwner, StarterOwner, CongestionOwner {
  /** The signal of the instance it was opened for: a later one leaves for reasons of its own. */
  readonly shuttingDown: AbortSignal;
  readonly #owner: PostOwner<Post>;
  readonly #link: Link<WorkerMessage, RunnerMessage>;
  readonly #hello: HelloMessage;
  /** Whether the runner sends ahead by what jobs take: not to somebody with many slots, nor unasked. */
  readonly #timed: boolean;
  readonly #tasks = new NumberTable<Task>();
  /** Not a reason for the process to stay. */
  readonly #beat: Timer;
  #welcome: WelcomeMessage | undefined;
  #pulse: Pulse;
  #sentAt = 0;
  #heardAt = 0;
  #nonce = 0;
  #leaving = false;
  /** It leaves because this worker asked to, not its runner. */
  #asked = false;
  #retryAfter = 0;
  #ended = false;
  readonly #starter: Starter;
  readonly #congestion: Congestion;
  /** What this frame asked for that runs user code: done once the frame is read. */
  #starts: Task[] = [];
  #aborts: { readonly task: Task; readonly reason: AbortReason }[] = [];

  constructor(socket: Socket, hello: HelloMessage, owner: PostOwner<Post>) {
    this.#owner = owner;
    this.shuttingDown = owner.shuttingDown;
    this.#hello = hello;
    this.#timed = hello.capacity <= MAX_AHEAD && (hello.ahead ?? 0) > 0;
    this.#starter = new Starter(owner.clock, this);
    this.#link = new Link(socket, owner.clock, this, owner.maxFrameBytes, WORKER_CODEC);
    const { clock, highWater, maxBuffered } = owner;
    // Heartbeats judge a runner that stands still. It may have all the time they give it to read what waits.
    const rules = { highWater, maxBuffered, stallTimeout: Number.POSITIVE_INFINITY };
    const reviewTimer = (review: (lateBy: number) => void): Timer => new Timer(clock, false, review);
    this.#congestion = new Congestion({ clock, rules, reviewTimer }, this);
    this.#beat = new Timer(owner.clock, false, (lateBy) => this.#onBeat(lateBy));
    this.#pulse = new Pulse(HELLO_PATIENCE, owner.clock.now());
  }

  get identity(): string {
    return this.#owner.identity;
  }

  get runnerId(): string {
    return this.#welcome?.runnerId ?? "";
  }

  /** Slots it has told the runner of. */
  get capacity(): number {
    return this.#hello.capacity;
  }

  /** Handlers that run for it, and jobs about to begin. */
  get running(): number {
    return this.#tasks.size - this.#starter.waiting;
  }

  /** Whether the runner has let it in, and it has not begun to leave. */
  get serving(): boolean {
    return this.#welcome !== undefined && !this.#leaving && !this.#ended;
  }

  /** Says HELLO. */
  open(): void {
    // Before it is opened: it may be closed by then, which ends this post in the same call.
    this.#beat.set(HELLO_PATIENCE);
    this.#link.open();
    this.#send(this.#hello);
  }

  /** Asks to leave after what runs; `ended` follows. */
  leave(): void {
    if (this.#leaving || this.#ended) return;
    this.#leaving = true;
    this.#asked = true;
    if (this.#welcome === undefined) return this.#letGo("left");
    this.#send({ type: "REMOVE" });
    // The latest first: those that go back to the head of the runner's queue then stand there in the order they came.
    for (const task of this.#starter.latestFirst()) this.#handBack(task, "draining");
  }

  /** Leaves at once: handlers are told, the runner sees REMOVE and then the close. */
  quit(reason: AbortReason): void {
    if (this.#ended) return;
    if (this.#welcome !== undefined && !this.#leaving) this.#send({ type: "REMOVE" });
    this.#letGo("left at once", reason);
  }

  finished(task: Task, result: TaskResult): void {
    if (this.#watched) this.#starter.ended(task, this.#owner.clock.now());
    const attended = this.#tasks.delete(task.attemptId);
    this.#owner.taskServed(task, result.ok && task.wanted, !attended);
    if (attended && !this.#ended) this.#settle(task, result);
    this.#owner.slotFreed(this);
  }

  /** While there is a backlog no job begins, so that what is sent besides it is bounded by the slots, and always may be. */
  #settle(task: Task, result: TaskResult): void {
    const before = this.#congestion.isCongested ? this.#link.bytesSent : undefined;
    if (task.wanted) this.#answer(task, this.#fitting(result));
    else this.#send({ type: "CANCELLED", attemptId: task.attemptId });
    if (before !== undefined) this.#congestion.allow(this.#link.bytesSent - before);
  }

  /** Whether anybody wants to know what jobs take. */
  get #watched(): boolean {
    return this.#timed || this.#owner.observed;
  }

  /** Starts those that wait, as long as there are free slots. */
  startNext(): void {
    this.#starter.next();
  }

  hasSlot(): boolean {
    return !this.#congestion.isCongested && this.running < this.capacity && this.#owner.hasRoom;
  }

  took(): void {
    this.#owner.taskStarted();
  }

  heard(): void {
    this.#heardAt = this.#owner.clock.now();
    this.#pulse.heard(this.#heardAt);
    this.#congestion.heard();
  }

  get bufferedBytes(): number {
    return this.#link.bufferedBytes;
  }

  get mustRead(): boolean {
    return this.#link.faults !== "port";
  }

  /** What was held back begins at the end of the turn: a frame may be half read. */
  congested(congested: boolean): void {
    // What made it so was admitted before it was.
    if (congested) this.#congestion.allow(Math.max(0, this.bufferedBytes - this.#owner.highWater));
    else this.#owner.clock.endOfTurn(() => this.startNext());
  }

  tooSlow(message: string): void {
    this.#lost(`the runner is too slow: ${message}`);
  }

  message(message: RunnerMessage): void {
    switch (message.type) {
      case "WELCOME":
        return this.#welcomed(message);
      case "JOB":
        return this.#job(message);
      case "CANCEL":
        return this.#cancel(message.attemptId, message.reason);
      case "PING":
        return this.#send({ type: "PONG", nonce: message.nonce });
      case "PONG":
        return;
      case "GOAWAY":
        return this.#sentAway(message.retryAfter);
      case "REMOVED":
        return this.#letGo("the runner let it go");
      case "ERROR":
        return this.#refused(message);
    }
  }

  /** Runs what the frame asked for. User code only runs here, when the state is consistent. */
  frameDone(): void {
    const aborts = this.#aborts;
    const starts = this.#starts;
    if (aborts.length > 0) {
      this.#aborts = [];
      for (const { task, reason } of aborts) task.abort(reason);
    }
    if (starts.length === 0) return;
    this.#starts = [];
    this.#starter.run(starts, this.#watched ? this.#owner.clock.now() : this.#heardAt);
  }

  /** A job that was cancelled before it began never begins: a handler need not look for an abort that came before it. */
  start(task: Task): void {
    if (task.wanted) task.run(this.#owner.handler);
    else this.finished(task, NOT_BEGUN);
  }

  malformed(error: ProtocolError): void {
    this.#send({ type: "ERROR", code: "PROTOCOL", text: error.message, retryAfter: 0 });
    this.#lost(error.message, error);
  }

  flushed(taken: boolean): void {
    this.#sentAt = this.#owner.clock.now();
    if (taken) this.#congestion.sent();
  }

  closed(reason: CloseReason): void {
    // A runner that stops does not wait for what runs: it says GOAWAY and closes.
    if (this.#leaving) this.#letGo(reason.message);
    else this.#lost(reason.message);
  }

  #send(message: WorkerMessage): void {
    this.#link.send(message);
  }

  #welcomed(welcome: WelcomeMessage): void {
    if (this.#welcome !== undefined) return this.malformed(new ProtocolError("a second WELCOME"));
    this.#welcome = welcome;
    const now = this.#owner.clock.now();
    this.#pulse = new Pulse(welcome.heartbeat, now);
    this.#beat.set(welcome.heartbeat);
    this.#owner.welcomed(this);
  }

  #job(message: JobMessage): void {
    const { attemptId } = message;
    if (this.#welcome === undefined || this.#tasks.has(attemptId))
      return this.malformed(new ProtocolError("an unexpected JOB"));
    const waits = this.#starter.waiting > 0 || this.#congestion.isCongested || this.running >= this.capacity;
    const reason = this.#refusal(waits);
    if (reason !== undefined) return this.#send({ type: "REJECT", attemptId, reason });
    const task = new Task(message, this);
    this.#tasks.set(attemptId, task);
    if (waits) return this.#starter.add(task);
    this.#owner.taskStarted();
    this.#starts.push(task);
  }

  /**
   * A job that its runner means for a free slot does not wait for one that another runner's job has. It does wait for a runner
   * that does not read: handed back, it would only make the backlog longer.
   */
  #refusal(waits: boolean): RejectReason | undefined {
    if (this.#leaving) return "draining";
    const full = waits ? this.#isFull() : !this.#owner.hasRoom;
    return full ? "overloaded" : undefined;
  }

  #isFull(): boolean {
    const most = this.capacity + (this.#hello.ahead ?? 0);
    return this.#tasks.size >= most || this.#starter.bytes > this.#owner.maxBuffered;
  }

  /** An attempt that is unknown was answered a moment ago: the answer and the CANCEL crossed. */
  #cancel(attemptId: number, reason: CancelCode): void {
    const task = this.#tasks.get(attemptId);
    if (task === undefined) return;
    if (reason === "recalled") {
      if (task.line !== undefined) this.#handBack(task, reason);
    } else if (task.line === undefined) {
      task.wanted = false;
      this.#aborts.push({ task, reason });
    } else {
      this.#drop(task);
      this.#send({ type: "CANCELLED", attemptId });
    }
  }

  #handBack(task: Task, reason: RejectReason): void {
    this.#drop(task);
    this.#send({ type: "REJECT", attemptId: task.attemptId, reason });
  }

  #drop(task: Task): void {
    this.#starter.delete(task);
    this.#tasks.delete(task.attemptId);
  }

  #sentAway(retryAfter: number): void {
    this.#leaving = true;
    this.#retryAfter = retryAfter;
    this.#owner.sentAway(this);
  }

  #refused(message: WireErrorMessage): void {
    const text = `the runner says ${message.code}: ${message.text}`;
    const unauthorized = message.code === "UNAUTHORIZED" || message.code === "ID_TAKEN";
    const error = unauthorized ? new AuthError(text) : new ProtocolError(text);
    const fatal = unauthorized || message.code === "VERSION" || message.code === "PROTOCOL";
    this.#end("refused", text, fatal ? error : undefined, message.retryAfter);
  }

  /** What cannot be sent as it is fails the job instead of the connection. */
  #fitting(result: TaskResult): TaskResult {
    const limit = this.#welcome?.maxPayload ?? 0;
    if (!result.ok || (typeof result.value === "string" && result.value.length * 3 <= limit)) return result;
    const bytes = payloadBytes(result.value);
    return bytes <= limit ? result : tooLarge(bytes, limit);
  }

  #answer(task: Task, result: TaskResult): void {
    if (result.ok) return this.#sendValue(task, result.value);
    const { retryable, retryAfter } = result;
    const error = this.#owner.remoteStacks ? result.error : { ...result.error, stack: "" };
    this.#send({ type: "JOBERR", attemptId: task.attemptId, error, retryable, retryAfter, ran: this.#ranOf(task) });
  }

  /** Bytes are the handler's, who may have transferred them away: that fails the job and nothing else. */
  #sendValue(task: Task, value: Payload): void {
    try {
      this.#send({ type: "JOBRES", attemptId: task.attemptId, value, ran: this.#ranOf(task) });
    } catch {
      this.#answer(task, unreadable());
    }
  }

  #ranOf(task: Task): number | undefined {
    return this.#timed ? task.ran : undefined;
  }

  /** The heartbeat: asks when nothing was said or heard for an interval, gives up after three. */
  #onBeat(lateBy: number): void {
    const now = this.#owner.clock.now();
    if (this.#welcome === undefined) return this.#lost("the runner does not answer HELLO");
    const { heartbeat } = this.#welcome;
    // What is not read cannot be heard.
    if (this.#pulse.stalled(lateBy) || this.#link.isPaused) this.#pulse.forgive(now);
    if (this.#pulse.verdict(now) === "dead") return this.#lost(`nothing heard from the runner for ${3 * heartbeat} ms`);
    const asks = this.#pulse.quiet(now) || now - this.#sentAt >= heartbeat;
    if (asks) this.#send({ type: "PING", nonce: this.#nonce++ % 0x1_0000_0000 });
    // Only what is left of the interval: a PING leaves a moment after its beat, and would make the next beat skip one.
    const left = heartbeat - (now - Math.min(this.#sentAt, this.#heardAt));
    this.#beat.set(asks ? heartbeat : Math.max(1, left));
  }

  #lost(message: string, error?: ProtocolError): void {
    this.#end("lost", message, error, 0);
  }

  #letGo(message: string, reason?: AbortReason): void {
    this.#end("let-go", message, undefined, this.#retryAfter, reason);
  }

  #end(
    reason: PostEnd["reason"],
    message: string,
    error: PostEnd["error"],
    retryAfter: number,
    abortReason: AbortReason = "disconnected",
  ): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#beat.drop();
    this.#congestion.stop();
    this.#link.close();
    // Jobs read from the same frame but not begun never will be.
    for (const task of this.#starts.splice(0)) {
      this.#tasks.delete(task.attemptId);
      this.#owner.taskDropped();
    }
    for (const task of this.#starter.latestFirst()) this.#drop(task);
    for (const task of this.#tasks.values()) {
      task.wanted = false;
      this.#aborts.push({ task, reason: abortReason });
    }
    const orphans = this.#tasks.size;
    this.#tasks.clear();
    this.#owner.ended(this, { reason, message, error, retryAfter, asked: this.#asked, orphans });
    this.#owner.clock.endOfTurn(() => this.frameDone());
  }
}

/** How a post ended. */
export interface PostEnd {
  readonly reason: DisconnectReason;
  readonly message: string;
  /** What the runner or the protocol said, when there is an error. */
  readonly error: PowerhoseError | undefined;
  /** The runner's wish, in ms; 0: none. */
  readonly retryAfter: number;
  /** Whether this worker had asked to leave. */
  readonly asked: boolean;
  /** Handlers that still run for it. */
  readonly orphans: number;
}

/** The worker behind a post. */
export interface PostOwner<P> {
  readonly clock: Clock;
  /** Unsent bytes above which no job begins, and above which the session is left. */
  readonly highWater: number;
  readonly maxBuffered: number;
  readonly identity: string;
  readonly handler: Handler;
  readonly shuttingDown: AbortSignal;
  readonly remoteStacks: boolean;
  readonly maxFrameBytes: number;
  /** Whether a handler can be started. */
  readonly hasRoom: boolean;
  /** Whether somebody wants to know what jobs take. */
  readonly observed: boolean;
  /** WELCOME arrived. */
  welcomed(post: P): void;
  /** A job has a slot, and its handler has returned. */
  taskStarted(): void;
  taskServed(task: Task, ok: boolean, isOrphan: boolean): void;
  /** A job had a slot and never began. */
  taskDropped(): void;
  /** A slot is free again. */
  slotFreed(by: P): void;
  /** The runner wants no more of it after what runs. */
  sentAway(post: P): void;
  /** The session is over. Called once. */
  ended(post: P, end: PostEnd): void;
}
