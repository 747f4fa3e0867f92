/**
 * A worker's end of one session: sends HELLO and the heartbeat, answers PING, takes JOB, CANCEL and GOAWAY, sends answers and
 * leaves. Whether to connect again is decided in worker.ts; how a handler is run, in execution.ts.
 */
import { WORKER_CODEC } from "../protocol/codec.ts";
import { type AbortReason, ProtocolError } from "../errors.ts";
import { MessageSocket, type MessageSocketOwner } from "../protocol/message-socket.ts";
import { BackpressureMonitor, type BackpressureOwner } from "../health/backpressure.ts";
import type {
  CancelCode,
  CreditMessage,
  HelloMessage,
  InputEndMessage,
  InputMessage,
  JobMessage,
  RejectReason,
  RunnerMessage,
  WelcomeMessage,
  WireErrorMessage,
  WorkerMessage,
} from "../protocol/message.ts";
import type { AttachmentKind, Payload } from "../peer.ts";
import type { Clock } from "../time/clock.ts";
import { IntMap } from "../collections/int-map.ts";
import { frameGrace } from "../health/failure-detector.ts";
import type { CloseReason, Socket } from "../transport/socket.ts";
import { LOCAL } from "../transport/principal.ts";
import { FrameActions } from "./frame-actions.ts";
import { RunQueue, type RunQueueOwner } from "./run-queue.ts";
import { answerTo } from "./answer.ts";
import { featuresOf } from "../protocol/job-features.ts";
import { Execution, type ExecutionOwner, type ExecutionResult, unreadable } from "./execution.ts";
import { isRelay } from "./job-relay.ts";
import { refusalBy } from "./refusal.ts";
import { RunnerHeartbeat, type RunnerHeartbeatOwner } from "./runner-heartbeat.ts";
import type { ConnectionEnd, RunnerConnectionOwner } from "./runner-connection-owner.ts";
import { Timer } from "../time/timer.ts";
import { FEATURE, MAX_MEASURED_PREFETCH } from "../protocol/constants.ts";

const NOT_BEGUN: ExecutionResult = { ok: true, value: "" };

/** One session, from the worker's side. */
export class RunnerConnection
  implements MessageSocketOwner<RunnerMessage>, ExecutionOwner, RunQueueOwner, BackpressureOwner, RunnerHeartbeatOwner
{
  /** The signal of the instance it was opened for: a later one leaves for reasons of its own. */
  readonly shuttingDown: AbortSignal;
  readonly #owner: RunnerConnectionOwner<RunnerConnection>;
  readonly #socket: MessageSocket<WorkerMessage, RunnerMessage>;
  readonly #hello: HelloMessage;
  /** Whether other runners may have jobs at the worker: then none may be prefetched. */
  readonly #isShared: boolean;
  /** Whether the runner prefetches by the jobs' durations: only if asked to, and not to a worker with many slots. */
  readonly #timed: boolean;
  readonly #executions = new IntMap<Execution>();
  readonly #heartbeat: RunnerHeartbeat;
  #welcome: WelcomeMessage | undefined;
  #capacity: number;
  #labels: readonly string[];
  #leaving = false;
  /** It leaves because this worker asked to, not its runner. */
  #asked = false;
  #retryAfter = 0;
  #ended = false;
  /** When a job of its runner last began: the number of that start among all of the worker. */
  turn = 0;
  readonly #queue: RunQueue;
  readonly #congestion: BackpressureMonitor;
  readonly #actions = new FrameActions();

  constructor(socket: Socket, hello: HelloMessage, owner: RunnerConnectionOwner<RunnerConnection>) {
    this.#owner = owner;
    this.shuttingDown = owner.shuttingDown;
    this.#hello = hello;
    this.#capacity = hello.capacity;
    this.#labels = hello.labels;
    this.#isShared = (hello.prefetchLimit ?? 0) === 0;
    this.#timed = hello.capacity <= MAX_MEASURED_PREFETCH && !this.#isShared;
    this.#queue = new RunQueue(owner.clock, this);
    this.#socket = new MessageSocket(socket, owner.clock, this, owner.maxFrameBytes, WORKER_CODEC);
    const { clock, highWater, maxBuffered } = owner;
    // Heartbeats judge a runner that stands still. It may have all the time they give it to read what waits.
    const rules = { highWater, maxBuffered, stallTimeout: Number.POSITIVE_INFINITY };
    const reviewTimer = (review: (lateBy: number) => void): Timer => new Timer(clock, false, review);
    this.#congestion = new BackpressureMonitor({ clock, rules, reviewTimer }, this);
    this.#heartbeat = new RunnerHeartbeat(clock, this);
  }

  get identity(): string {
    return this.#owner.identity;
  }

  get clock(): Clock {
    return this.#owner.clock;
  }

  get maxPayload(): number {
    return this.#welcome?.maxPayload ?? 0;
  }

  get attachments(): AttachmentKind | undefined {
    return this.#socket.attachments;
  }

  get inputWindow(): number {
    return this.#owner.inputWindow;
  }

  get hasBacklog(): boolean {
    return this.#congestion.isCongested;
  }

  resumeLater(execution: Execution): void {
    this.#actions.resume(execution);
  }

  get runnerId(): string {
    return this.#welcome?.runnerId ?? "";
  }

  /** Slots that the runner was told of last. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Handlers that run for it, and jobs about to begin. */
  get running(): number {
    return this.#executions.size - this.#queue.waiting;
  }

  /** Whether a job of its runner waits for nothing but a slot. */
  get isReady(): boolean {
    return this.#queue.isReady && !this.#congestion.isCongested && this.running < this.capacity;
  }

  /** Whether it is registered and has not begun to leave. */
  get serving(): boolean {
    return this.#welcome !== undefined && !this.#leaving && !this.#ended;
  }

  /** Says HELLO. */
  open(): void {
    // Before it is opened: it may be closed by then, which ends this connection in the same call.
    this.#heartbeat.expectWelcome();
    this.#socket.open();
    this.#send(this.#hello);
  }

  /** Whether its runner hears of changed slots. */
  get canResize(): boolean {
    return this.#speaks(FEATURE.capacity);
  }

  /** Tells the runner how many slots and which labels there are now, if that has changed. */
  resize(capacity: number, labels: readonly string[]): void {
    const isSame = capacity === this.#capacity && labels.join() === this.#labels.join();
    if (isSame || !this.serving || !this.canResize) return;
    this.#capacity = capacity;
    this.#labels = labels;
    this.#send({ type: "CAPACITY", capacity, labels });
    if (capacity === 0) for (const execution of this.#queue.latestFirst()) this.#handBack(execution, this.#noSlot);
    // Not now: the fleet behind a relay may be half changed.
    this.#owner.clock.endOfTurn(() => this.onResumed());
  }

  /** Why a job is handed back that came while there was no slot at all. */
  get #noSlot(): RejectReason {
    return this.#hello.isRelay && this.#speaks(FEATURE.relay) ? "unfit" : "overloaded";
  }

  /** Asks to leave after what runs; `ended` follows. */
  drain(): void {
    if (this.#leaving || this.#ended) return;
    this.#leaving = true;
    this.#asked = true;
    // With the WELCOME that is on its way there may be jobs: closed now, it would look as if they had been lost.
    if (this.#welcome === undefined) return this.#heartbeat.expectWelcomeSoon();
    this.#send({ type: "REMOVE" });
    // The latest first: at the head of the runner's queue they then stand in the order they came.
    for (const execution of this.#queue.latestFirst()) this.#handBack(execution, "draining");
  }

  /** Leaves at once: handlers' signals abort, the runner sees REMOVE and then the close. */
  close(reason: AbortReason): void {
    if (this.#ended) return;
    if (this.#welcome !== undefined && !this.#leaving) this.#send({ type: "REMOVE" });
    this.#onClosed("left at once", reason);
  }

  onGiven({ attemptId }: Execution, type: "ITEM" | "PROGRESS", value: Payload): void {
    this.#sendAnyway({ type, attemptId, value });
  }

  onAsked({ attemptId }: Execution, bytes: number): void {
    if (this.#executions.has(attemptId)) this.#sendAnyway({ type: "CREDIT", attemptId, bytes });
  }

  onFinished(execution: Execution, result: ExecutionResult): void {
    if (this.#watched) this.#queue.ended(execution, this.#owner.clock.now());
    const isOurs = this.#executions.delete(execution.attemptId);
    this.#owner.onExecutionServed(execution, result.ok && execution.isWanted, !isOurs);
    if (isOurs && !this.#ended) this.#answer(execution, result);
    this.#owner.startWaiting(this);
  }

  /** Whether durations are measured. */
  get #watched(): boolean {
    return this.#timed || this.#isShared || this.#owner.observed;
  }

  /** Starts those that wait, as long as there are free slots. */
  startNext(): void {
    this.#queue.next();
  }

  hasSlot(): boolean {
    return !this.#congestion.isCongested && this.running < this.capacity && this.#owner.hasRoomFor(this);
  }

  onSlotTaken(execution: Execution): void {
    if (execution.isParked) this.#send({ type: "STARTED", attemptId: execution.attemptId });
    this.turn = this.#owner.onExecutionStarted();
  }

  onData(): void {
    this.#heartbeat.onHeard();
    this.#congestion.heard();
  }

  onPart(): void {
    this.onData();
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedBytes;
  }

  get hidesSilence(): boolean {
    return this.#socket.hidesSilence;
  }

  sendPing(nonce: number): void {
    this.#send({ type: "PING", nonce });
  }

  onSilent(message: string): void {
    this.#onLost(message);
  }

  get mustRead(): boolean {
    return this.#socket.faults !== "port";
  }

  /** What was held back begins at the end of the turn: a frame may be half read. */
  onCongested(congested: boolean): void {
    // What made it so was admitted before it was.
    if (congested) this.#congestion.allow(Math.max(0, this.bufferedBytes - this.#owner.highWater));
    else this.#owner.clock.endOfTurn(() => this.onResumed());
  }

  onResumed(): void {
    this.#actions.runStreams();
    this.#owner.startWaiting(this);
  }

  onSlowConsumer(message: string): void {
    this.#onLost(`the runner is too slow: ${message}`);
  }

  onMessage(message: RunnerMessage): void {
    switch (message.type) {
      case "WELCOME":
        return this.#onWelcome(message);
      case "JOB":
        return this.#onJob(message);
      case "CANCEL":
        return this.#onCancel(message.attemptId, message.reason);
      case "CREDIT":
      case "INPUT":
      case "INPUTEND":
        return this.#onStream(message);
      case "PING":
        return this.#send({ type: "PONG", nonce: message.nonce });
      case "PONG":
        return;
      case "GOAWAY":
        return this.#onGoAway(message.retryAfter);
      case "REMOVED":
        return this.#onClosed("the runner let it go");
      case "ERROR":
        return this.#onRefusal(message);
    }
  }

  /** Runs what the frame asked for. User code only runs here, when the state is consistent. */
  onFrameEnd(): void {
    this.#actions.runAborts();
    this.#actions.runStreams();
    const starts = this.#actions.takeStarts();
    if (starts.length === 0) return;
    this.#queue.run(starts, this.#watched ? this.#owner.clock.now() : this.#heartbeat.heardAt);
    if (this.#isShared) this.#owner.startWaiting(this);
  }

  /** A job that was cancelled before it began never begins: a handler need not look for an abort that came before it. */
  start(execution: Execution): void {
    const { handler, ownLabels } = this.#owner;
    if (!execution.isWanted) this.onFinished(execution, NOT_BEGUN);
    else if (this.#socket.claims?.begin(execution.attemptId) === false) this.#returnRecalled(execution);
    else if (isRelay(handler)) execution.forward(handler, ownLabels, this.#owner.clock.now());
    else execution.run(handler);
  }

  /** The runner took it back in shared memory: it has gone elsewhere, and its slot is free. */
  #returnRecalled(execution: Execution): void {
    this.#owner.onExecutionDropped();
    this.#handBack(execution, "recalled");
    this.#owner.startWaiting(this);
  }

  onProtocolError(error: ProtocolError): void {
    this.#send({ type: "ERROR", code: "PROTOCOL", text: error.message, retryAfter: 0 });
    this.#onLost(error.message, error);
  }

  onFlush(taken: boolean): void {
    this.#heartbeat.onSent();
    if (taken) this.#congestion.sent();
  }

  onClose(reason: CloseReason): void {
    // A runner that stops does not wait for what runs: it says GOAWAY and closes.
    if (this.#leaving) this.#onClosed(reason.message);
    else this.#onLost(reason.message);
  }

  /** While there is a backlog no job begins, so that what is sent is bounded by the slots and by credit: that always may be. */
  #sendAnyway(message: WorkerMessage): void {
    const before = this.#congestion.isCongested ? this.#socket.bytesSent : undefined;
    this.#send(message);
    if (before !== undefined) this.#congestion.allow(this.#socket.bytesSent - before);
  }

  #send(message: WorkerMessage): void {
    this.#socket.send(message);
  }

  #onWelcome(welcome: WelcomeMessage): void {
    if (this.#welcome !== undefined) return this.onProtocolError(new ProtocolError("a second WELCOME"));
    this.#welcome = welcome;
    if (this.#speaks(FEATURE.attachments)) this.#socket.allowAttachments();
    const grace = frameGrace(this.#socket.hidesParts, this.#owner.maxFrameBytes);
    this.#heartbeat.onWelcome(welcome.heartbeat, grace);
    if (this.#leaving) return this.#send({ type: "REMOVE" });
    this.#owner.onWelcome(this);
  }

  #onJob(message: JobMessage): void {
    const { attemptId } = message;
    const asyncContext = this.#socket.takeJobContext(attemptId);
    const isForeign = (featuresOf(message) & ~this.#features) !== 0;
    if (this.#welcome === undefined || isForeign || this.#executions.has(attemptId))
      return this.onProtocolError(new ProtocolError("an unexpected JOB"));
    const hasTurn = this.#queue.waiting === 0 && !this.#congestion.isCongested && this.running < this.capacity;
    const starts = hasTurn && this.#owner.hasRoomFor(this);
    const reason = this.#refusal(hasTurn, starts);
    if (reason !== undefined) return this.#send({ type: "REJECT", attemptId, reason });
    const execution = new Execution(message, this);
    execution.asyncContext = asyncContext;
    execution.isParked = !starts && this.#parks && !this.#congestion.isCongested;
    this.#executions.set(attemptId, execution);
    if (execution.isParked) this.#send({ type: "WAITING", attemptId });
    if (!starts) return this.#queue.add(execution, this.#heartbeat.heardAt);
    this.turn = this.#owner.onExecutionStarted();
    this.#actions.start(execution);
  }

  /** Whether its runner hears that a job which it means for a free slot waits for one that another runner's job has. */
  get #parks(): boolean {
    return this.#isShared && this.#speaks(FEATURE.turns);
  }

  /** Whether both ends speak a feature. */
  #speaks(feature: number): boolean {
    return (this.#features & feature) !== 0;
  }

  get #features(): number {
    return (this.#welcome?.features ?? 0) & this.#hello.features;
  }

  /**
   * A job that its runner means for a free slot does not wait for one that another runner's job has, unless that runner can be
   * told. It does wait for a runner that does not read: handed back, it would only make the backlog longer.
   */
  #refusal(hasTurn: boolean, starts: boolean): RejectReason | undefined {
    if (this.#leaving) return "draining";
    if (this.#capacity === 0) return this.#noSlot;
    if (starts) return undefined;
    return (hasTurn && !this.#parks) || this.#isFull() ? "overloaded" : undefined;
  }

  #isFull(): boolean {
    const max = this.capacity + (this.#hello.prefetchLimit ?? 0);
    return this.#executions.size >= max || this.#queue.bytes > this.#owner.maxBuffered;
  }

  /** The runner has read items, or sends some. An attempt that is unknown was answered a moment ago. */
  #onStream(message: CreditMessage | InputMessage | InputEndMessage): void {
    const execution = this.#executions.get(message.attemptId);
    if (execution === undefined) return;
    if (message.type === "CREDIT") {
      execution.grant(message.bytes);
      this.#actions.resume(execution);
    } else if (!execution.onInput(message))
      this.onProtocolError(new ProtocolError(`${message.type} that was not asked for`));
  }

  /** An attempt that is unknown was answered a moment ago: the answer and the CANCEL crossed. */
  #onCancel(attemptId: number, reason: CancelCode): void {
    const execution = this.#executions.get(attemptId);
    if (execution === undefined) return;
    if (reason === "recalled") {
      if (execution.list !== undefined) this.#handBack(execution, reason);
    } else if (execution.list === undefined) {
      this.#actions.abort(execution, reason);
    } else {
      this.#drop(execution);
      this.#send({ type: "CANCELLED", attemptId });
    }
  }

  #handBack(execution: Execution, reason: RejectReason): void {
    this.#drop(execution);
    this.#send({ type: "REJECT", attemptId: execution.attemptId, reason });
  }

  #drop(execution: Execution): void {
    this.#queue.delete(execution);
    this.#executions.delete(execution.attemptId);
  }

  #onGoAway(retryAfter: number): void {
    this.#leaving = true;
    this.#retryAfter = retryAfter;
    this.#owner.onGoAway(this);
  }

  #onRefusal(message: WireErrorMessage): void {
    const { text, error } = refusalBy(message);
    this.#end("refused", text, error, message.retryAfter);
  }

  /** The handler may have transferred its bytes away: that fails the job and nothing else. */
  #answer(execution: Execution, result: ExecutionResult): void {
    if (!execution.isWanted) return this.#sendAnyway({ type: "CANCELLED", attemptId: execution.attemptId });
    const terms = {
      attemptId: execution.attemptId,
      durationMs: this.#timed && !execution.gaveStream ? execution.durationMs : undefined,
      maxPayload: this.maxPayload,
      attachments: this.attachments,
      speaksRelay: this.#speaks(FEATURE.relay),
      speaksDetails: this.#speaks(FEATURE.details),
      // Stacks stay within the process unless they are asked for.
      remoteStacks: this.#owner.remoteStacks ?? this.#socket.peer.principal === LOCAL,
    };
    const answer = answerTo(result, terms);
    try {
      this.#sendAnyway(answer);
    } catch (error) {
      if (answer.type !== "JOBRES") throw error;
      this.#sendAnyway(answerTo(unreadable(), terms));
    }
  }

  #onLost(message: string, error?: ProtocolError): void {
    this.#end("lost", message, error, 0);
  }

  #onClosed(message: string, reason?: AbortReason): void {
    this.#end("closed", message, undefined, this.#retryAfter, reason);
  }

  #end(
    reason: ConnectionEnd["reason"],
    message: string,
    error: ConnectionEnd["error"],
    retryAfter: number,
    abortReason: AbortReason = "disconnected",
  ): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#heartbeat.stop();
    this.#congestion.stop();
    this.#socket.close();
    // Jobs read from the same frame but not begun never will be.
    for (const execution of this.#actions.takeStarts()) {
      this.#executions.delete(execution.attemptId);
      this.#owner.onExecutionDropped();
    }
    for (const execution of this.#queue.latestFirst()) this.#drop(execution);
    for (const execution of this.#executions.values()) this.#actions.abort(execution, abortReason);
    const orphans = this.#executions.size;
    this.#executions.clear();
    const isWelcomed = this.#welcome !== undefined;
    this.#owner.onEnded(this, { reason, message, error, retryAfter, isWelcomed, asked: this.#asked, orphans });
    this.#owner.clock.endOfTurn(() => this.onFrameEnd());
  }
}
