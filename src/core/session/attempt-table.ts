/**
 * The attempts of one session: sent, cancelled, recalled and answered. Decides which answers count. When a session begins and
 * ends is in session.ts, what an outcome means for a job in call.ts.
 */
import { Attempt, type AttemptOwner, type AttemptSink } from "./attempt.ts";
import { FEATURE, ITEM_COST } from "../protocol/constants.ts";
import { CallbackEntry, type TimerQueue } from "../time/timer-queue.ts";
import type { WorkerSelector } from "../pool/worker-selector.ts";
import { EncodingError } from "../errors.ts";
import type { GoneReason } from "../events.ts";
import { InFlight } from "./in-flight.ts";
import { isHoled } from "../job/holed-bytes.ts";
import type { Job } from "../job/job.ts";
import type { Payload } from "../peer.ts";
import type { MessageSocket } from "../protocol/message-socket.ts";
import type {
  CancelledMessage,
  CancelReason,
  CreditMessage,
  HelloMessage,
  ItemMessage,
  JobErrorMessage,
  JobMessage,
  JobFailedMessage,
  JobResultMessage,
  ProgressMessage,
  RejectMessage,
  RunnerMessage,
  TurnMessage,
  WorkerMessage,
} from "../protocol/message.ts";
import { wirePayloadBytes } from "../protocol/codec.ts";
import { PrefetchController, type Prefetch } from "./prefetch.ts";

const FOREIGN_BUFFERS = "attachments are a feature that was not agreed on";

/** What a worker sends about a job. */
export type AnswerMessage = JobResultMessage | JobErrorMessage | JobFailedMessage | RejectMessage | CancelledMessage;

/** What a JOB says of streams and progress. */
type JobWishes = Pick<JobMessage, "credit" | "delivered" | "wantsProgress" | "hasInput">;

/** The socket that jobs are sent over. */
export type JobLink = Pick<
  MessageSocket<RunnerMessage, WorkerMessage>,
  "send" | "framesSent" | "bytesSent" | "claims" | "jobContexts"
>;

/** What the session is given. */
export interface AttemptTableContext {
  readonly timers: TimerQueue;
  readonly rules: { readonly cancelGrace: number; readonly prefetch: Prefetch; readonly highWater: number };
}

/** The session. */
export interface AttemptTableOwner<S> {
  /** What attempts name as their session. */
  readonly self: S;
  /** Sends a PING. Returns its number. */
  sendPing(): number;
  /** The number of the next PING, whenever it is sent. */
  nextPing(): number;
  /** Whether the PING of that number was answered. */
  hasPong(ping: number): boolean;
  /** A CANCEL was not confirmed in time, and the worker is stuck: it answers nothing, or has no slot left. */
  onCancelTimeout(): void;
  /** A CANCEL was not confirmed in time. The worker is well: only the slot is taken until the handler returns. */
  onSlotHeld(): void;
  /** The first attempt was parked, or the last one is so no more. */
  onTurns(): void;
  /** Whether there is a backlog towards the worker. */
  hasBacklog(): boolean;
  /** So many bytes were sent in spite of it, as they had been admitted before. */
  onAdmitted(bytes: number): void;
  /** A job was sent whose task changes how many may be prefetched behind it. */
  onPrefetchLimit(): void;
  /** The worker broke the protocol. */
  onViolation(message: string): void;
  /** The worker sent a message of no consequence; `text` says which. */
  onStrike(text: string): void;
  /** An attempt is over and its slot is free. */
  onAttemptClosed(): void;
}

/** The attempts of one worker. */
export class AttemptTable<S> {
  readonly #socket: JobLink;
  readonly #context: AttemptTableContext;
  readonly #owner: AttemptTableOwner<S>;
  readonly #inFlight = new InFlight<S>();
  #capacity = 1;
  #prefetch: PrefetchController | undefined;
  /** Bytes of the prefetched jobs: once sent they wait at the worker, and no socket counts them. */
  #bytesWaiting = 0;
  #nextId = 1;
  #served = 0;
  /** Attempts whose grace has passed without a confirmation. */
  #held = 0;
  /** When a job was last sent to a free slot, or answered. */
  progressAt = 0;
  /** Whether prefetched jobs were recalled or returned, and no running job has ended since: then nothing is prefetched. */
  #isStuck = false;
  /** Whether its worker stands for a fleet, and whether both ends speak of routes. */
  #isRelay = false;
  #hasRoutes = false;
  #features = 0;
  /** Called once there is no backlog. */
  #heldUp = new Set<() => void>();
  /** Whether it may park attempts: one that takes prefetched ones is no worker of several runners. */
  #mayPark = false;

  constructor(socket: JobLink, context: AttemptTableContext, owner: AttemptTableOwner<S>) {
    this.#socket = socket;
    this.#context = context;
    this.#owner = owner;
  }

  /** How many jobs the worker has. */
  get counts(): Pick<InFlight<S>, "size" | "running" | "waiting" | "parked" | "forEachRunning"> {
    return this.#inFlight;
  }

  /** Slots of cancelled attempts whose handler has not returned within the grace. */
  get held(): number {
    return this.#held;
  }

  /** Jobs the worker has answered. */
  get served(): number {
    return this.#served;
  }

  /** Whether a timer runs for a job of the worker: that of an attempt, or of the confirmation of its CANCEL. */
  get isWatched(): boolean {
    return this.#inFlight.running > this.#held;
  }

  /** How many jobs it may be prefetched now. */
  get prefetchLimit(): number {
    if (this.#isStuck) return 0;
    const limit = this.#prefetch?.limitWith(this.#inFlight.size) ?? 0;
    return this.#bytesWaiting > this.#context.rules.highWater ? Math.min(limit, this.#inFlight.waiting) : limit;
  }

  /** Whether a prefetched job is back as soon as it is recalled, and no prefetch was asked for by number. */
  get recallsAtOnce(): boolean {
    return this.#socket.claims !== undefined && this.#prefetch?.measures === true;
  }

  /** The worker registers: HELLO has its capacity and prefetch limit. */
  onHello(hello: HelloMessage, features: number): void {
    this.#capacity = hello.capacity;
    this.#isRelay = hello.isRelay;
    this.#features = features;
    this.#hasRoutes = (features & FEATURE.relay) !== 0;
    this.#mayPark = (features & FEATURE.turns) !== 0 && (hello.prefetchLimit ?? 0) === 0;
    this.#prefetch = new PrefetchController(this.#context.rules.prefetch, hello);
  }

  /** The worker has so many slots from now on. Prefetched jobs that have one have begun. */
  resize(capacity: number, now: number): void {
    this.#capacity = capacity;
    this.#prefetch?.resize(capacity);
    for (let next = this.#inFlight.begin(capacity); next !== undefined; next = this.#inFlight.begin(capacity))
      this.#onTurn(next, now);
  }

  /** Sends a job. `undefined` when the socket is closed: nothing was sent, and the session ends. */
  assign(
    owner: AttemptOwner<S>,
    job: Job,
    jobId: number,
    number: number,
    ttl: number,
    now: number,
  ): Attempt<S> | undefined {
    const attempt = new Attempt(this.#nextId, this.#owner.self, owner, this.#socket.framesSent);
    const before = this.#socket.bytesSent;
    const message = { type: "JOB", attemptId: attempt.id, attempt: number, jobId, ttl, job } as const;
    const route = this.#hasRoutes ? owner.routeFor?.(attempt.session, now) : undefined;
    const wishes = this.#wishesOf(attempt);
    const isPlain = route === undefined && wishes === undefined;
    const told = isPlain ? message : { ...message, ...(route === undefined ? {} : { route }), ...wishes };
    if (!this.#send(attempt, told)) return undefined;
    this.#nextId++;
    if (owner.asyncContext !== undefined) this.#socket.jobContexts?.set(attempt.id, owner.asyncContext);
    const limit = job.task === undefined ? undefined : this.prefetchLimit;
    this.#inFlight.add(attempt, this.#capacity);
    if (job.task !== undefined) attempt.pace = this.#prefetch?.begin(job.task);
    if (limit !== undefined && limit !== this.prefetchLimit) this.#owner.onPrefetchLimit();
    if (attempt.waits) this.#bytesWaiting += attempt.bytes = this.#socket.bytesSent - before;
    else if (this.#prefetch?.measures === true) this.progressAt = attempt.sentAt = now;
    return attempt;
  }

  /** What its owner takes besides a result, and gives besides the job, as far as both ends speak of it. */
  #wishesOf(attempt: Attempt<S>): JobWishes | undefined {
    const { sink, feed } = attempt.owner;
    const taken = sink === undefined ? undefined : this.#takenBy(sink, attempt);
    if (feed === undefined) return taken;
    if ((this.#features & FEATURE.inputs) === 0)
      throw new EncodingError("the worker takes no stream of `input`: it does not speak of them");
    return { ...taken, hasInput: true };
  }

  #takenBy(sink: AttemptSink<S>, attempt: Attempt<S>): JobWishes | undefined {
    const credit = (this.#features & FEATURE.streams) === 0 ? undefined : sink.takesItems();
    const wantsProgress = sink.wantsProgress && (this.#features & FEATURE.progress) !== 0;
    if (credit === undefined && !wantsProgress) return undefined;
    attempt.credit = credit;
    const isResumed = credit !== undefined && sink.delivered > 0;
    return {
      ...(credit === undefined ? {} : { credit }),
      ...(isResumed ? { delivered: sink.delivered } : {}),
      ...(wantsProgress ? { wantsProgress } : {}),
    };
  }

  /** Marks one that waits in shared memory before its JOB is sent, as the worker may look at once. */
  #send(attempt: Attempt<S>, message: JobMessage): boolean {
    const { claims } = this.#socket;
    if (claims === undefined || this.#inFlight.running < this.#capacity) return this.#socket.send(message);
    attempt.isClaimed = claims.park(attempt.id);
    let isSent = false;
    try {
      isSent = this.#socket.send(message);
      return isSent;
    } finally {
      if (!isSent) this.#freeClaim(attempt);
    }
  }

  /** Cancels an attempt. Its slot is in use until the worker confirms, or the grace ends. */
  cancel(attempt: Attempt<S>, reason: CancelReason): void {
    const { cancelled } = attempt;
    if (cancelled !== undefined && cancelled !== "recalled") return;
    attempt.cancelled = reason;
    // It is back already, or lost, and its owner, which has yet to hear of that, gives it up meanwhile.
    if (cancelled === "recalled" || this.#inFlight.get(attempt.id) !== attempt) return;
    this.#takeBack(attempt);
    this.#socket.send({ type: "CANCEL", attemptId: attempt.id, reason });
    // A prefetched job is confirmed only when the worker looks at it: that has no time limit.
    if (!attempt.waits) this.#expectConfirmation(attempt);
  }

  /**
   * Recalls up to `count` prefetched jobs for which `isUseful` holds, the latest first. Until a job ends, no others are
   * prefetched. Those that are back at once, without an answer of the worker, are added to `returned`: each is yet to be
   * reported to its owner. Returns how many such jobs stay.
   */
  recall(count: number, isUseful: (selector: WorkerSelector | undefined) => boolean, returned: Attempt<S>[]): number {
    return this.#inFlight.recall(
      count,
      ({ owner }) => {
        const matches = owner.isPinned !== true && isUseful(owner.selector);
        if (matches) this.#isStuck = true;
        return matches;
      },
      (attempt) => {
        if (this.#takeBack(attempt)) {
          attempt.cancelled = "recalled";
          returned.push(attempt);
        }
        this.#socket.send({ type: "CANCEL", attemptId: attempt.id, reason: "recalled" });
        if (this.#inFlight.isParked(attempt)) attempt.recallPing = this.#owner.sendPing();
      },
    );
  }

  #freeClaim(attempt: Attempt<S>): void {
    if (attempt.isClaimed) this.#socket.claims?.free(attempt.id);
  }

  /** Whether the attempt is certain never to begin. The worker hands it back once it comes to it. */
  #takeBack(attempt: Attempt<S>): boolean {
    if (!attempt.isClaimed || this.#socket.claims?.recall(attempt.id) !== true) return false;
    attempt.recalled = true;
    return true;
  }

  /** An answer ends an attempt. `now`: when it arrived. */
  onAnswer(message: AnswerMessage, now: number): void {
    const attempt = this.#expected(message.attemptId);
    if (attempt === undefined) return;
    const violation = violationOf(message, attempt) ?? this.#foreignField(message);
    if (violation !== undefined) return this.#owner.onViolation(violation);
    if (message.type === "JOBRES" || message.type === "JOBERR") this.#measure(message, attempt, now);
    const { parked } = this.#inFlight;
    this.#close(attempt, now);
    // The outcome of a cancelled attempt does not count.
    if (attempt.cancelled === undefined) settleAttempt(attempt, message, now);
    attempt.owner.onSlotFreed(attempt, now);
    if (parked > 0 && this.#inFlight.parked === 0) this.#owner.onTurns();
    this.#owner.onAttemptClosed();
  }

  /** An item of a stream. Of a cancelled attempt it is dropped: the worker may not know yet. */
  onItem({ attemptId, value }: ItemMessage, now: number): void {
    const attempt = this.#expected(attemptId);
    if (attempt === undefined) return;
    const { credit } = attempt;
    if (this.#isForeign(value)) return this.#owner.onViolation(FOREIGN_BUFFERS);
    if (attempt.waits) return this.#owner.onViolation("an item of a job whose turn had not come");
    if (credit === undefined || credit <= 0) return this.#owner.onViolation("an item without credit");
    attempt.credit = credit - wirePayloadBytes(value) - ITEM_COST;
    attempt.streams = "items";
    if (attempt.cancelled === undefined) attempt.owner.sink?.onItem(attempt, value, now);
  }

  /** Items of so many bytes were read: as many may follow. */
  grant(attempt: Attempt<S>, bytes: number): void {
    if (attempt.cancelled !== undefined || this.#inFlight.get(attempt.id) !== attempt) return;
    attempt.credit = (attempt.credit ?? 0) + bytes;
    this.#socket.send({ type: "CREDIT", attemptId: attempt.id, bytes });
  }

  /** The worker takes more of the stream that goes in. */
  onCredit({ attemptId, bytes }: CreditMessage, now: number): void {
    const attempt = this.#expected(attemptId);
    if (attempt === undefined) return;
    const { feed } = attempt.owner;
    if (attempt.waits || feed === undefined) return this.#owner.onViolation("credit of a job that reads no stream");
    attempt.readsInput = true;
    if (attempt.cancelled === undefined) feed.onCredit(attempt, bytes, now);
  }

  /** Whether there is a backlog: what goes in waits for its end, but for what was admitted before. */
  get hasBacklog(): boolean {
    return this.#owner.hasBacklog();
  }

  /** Calls `fn` once there is no backlog. */
  resumeLater(fn: () => void): void {
    this.#heldUp.add(fn);
  }

  /** There is no backlog any more. */
  onRelieved(): void {
    if (this.#heldUp.size === 0) return;
    const heldUp = this.#heldUp;
    this.#heldUp = new Set();
    for (const fn of heldUp) fn();
  }

  /** Sends an item of the stream that goes in, within the worker's credit. */
  sendInput(attempt: Attempt<S>, value: Payload): void {
    this.#sendTo(attempt, { type: "INPUT", attemptId: attempt.id, value });
  }

  /** The stream that goes in has ended. */
  endInput(attempt: Attempt<S>): void {
    this.#sendTo(attempt, { type: "INPUTEND", attemptId: attempt.id });
  }

  #sendTo(attempt: Attempt<S>, message: RunnerMessage): void {
    if (attempt.cancelled !== undefined || this.#inFlight.get(attempt.id) !== attempt) return;
    const before = this.#socket.bytesSent;
    const hadBacklog = this.hasBacklog;
    this.#socket.send(message);
    if (hadBacklog) this.#owner.onAdmitted(this.#socket.bytesSent - before);
  }

  /** How far a handler is. */
  onProgress({ attemptId, value }: ProgressMessage): void {
    const attempt = this.#expected(attemptId);
    if (attempt === undefined) return;
    if (attempt.waits || attempt.owner.sink?.wantsProgress !== true)
      return this.#owner.onViolation("progress of a job that was not asked for it");
    if (attempt.cancelled === undefined) attempt.owner.sink.onProgress(attempt, value);
  }

  /** An attempt that was sent to a slot waits for one that another runner's job has, or has begun since. */
  onTurn({ type, attemptId }: TurnMessage, now: number): void {
    if (!this.#mayPark) return this.#owner.onViolation(`${type} of a worker that did not say so`);
    const attempt = this.#expected(attemptId);
    if (attempt === undefined) return;
    const isNews = type === "WAITING" ? this.#inFlight.park(attempt) : this.#inFlight.unpark(attempt);
    if (!isNews) return this.#owner.onViolation(`${type} for a job of which that was said before`);
    if (type === "STARTED") this.#onTurn(attempt, now);
    else if (attempt.cancelled === undefined) attempt.owner.onParked(attempt, now);
    else this.#endGrace(attempt);
    // What it takes from here on says nothing of the round trip.
    attempt.sentAt = undefined;
    if (this.#inFlight.parked === (type === "WAITING" ? 1 : 0)) this.#owner.onTurns();
  }

  /** A PING was answered: so is the recall before it, or no limit would hold for a job that is said to wait for ever. */
  onPong(): void {
    for (const { recallPing } of this.#inFlight.parkedOnes())
      if (recallPing !== undefined && this.#owner.hasPong(recallPing))
        return this.#owner.onViolation("a recall of a job that waits was not answered");
  }

  /** The session has ended. Attempts in the frame numbered `unsent` were not sent; the others are lost. */
  failAll(unsent: number, reason: GoneReason, message: string, now: number, cause?: unknown): void {
    // The latest first: jobs that return to the head of the queue are then in their old order.
    for (const attempt of this.#inFlight.clear().toReversed()) {
      if (attempt.grace !== undefined) this.#context.timers.drop(attempt.grace);
      if (attempt.cancelled === undefined) {
        if (attempt.frameNumber === unsent || this.#takeBack(attempt)) attempt.owner.onNotSent(attempt);
        else attempt.owner.onLost(attempt, reason, message, cause);
      }
      attempt.owner.onSlotFreed(attempt, now);
    }
  }

  #measure({ durationMs }: JobResultMessage | JobErrorMessage, { sentAt, pace }: Attempt<S>, now: number): void {
    this.#served++;
    this.progressAt = now;
    // With prefetched jobs behind it, the answer may have waited at the worker for theirs: then it says nothing of the round trip.
    const alone = sentAt !== undefined && this.#inFlight.waiting === 0;
    this.#prefetch?.observe(durationMs, alone ? now - sentAt : undefined, pace);
  }

  /** An attempt is over at the worker. Its slot goes to the next prefetched job before any owner is called. */
  #close(attempt: Attempt<S>, now: number): void {
    this.#endGrace(attempt);
    this.#freeClaim(attempt);
    if (attempt.pace !== undefined) this.#prefetch?.end(attempt.pace);
    if (attempt.waits) this.#bytesWaiting -= attempt.bytes;
    if (!attempt.waits) this.#isStuck = false;
    else if (attempt.cancelled === undefined) this.#isStuck = true;
    const next = this.#inFlight.delete(attempt, this.#capacity);
    if (next !== undefined) this.#onTurn(next, now);
  }

  /** It is over, or has turned out to wait: then no confirmation is due before its turn. */
  #endGrace(attempt: Attempt<S>): void {
    if (attempt.grace !== undefined) this.#context.timers.drop(attempt.grace);
    if (attempt.isHeld) this.#held--;
    attempt.isHeld = false;
  }

  /** A prefetched job has a slot. */
  #onTurn(next: Attempt<S>, now: number): void {
    this.#bytesWaiting -= next.bytes;
    if (next.cancelled === undefined) next.owner.onStarted(next, now);
    else this.#expectConfirmation(next);
  }

  /** Whether buffers stand apart from a payload though that was not agreed on. */
  #isForeign(value: Payload): boolean {
    return isHoled(value) && (this.#features & FEATURE.attachments) === 0;
  }

  /** How an answer uses a feature that was not agreed on, if it does. */
  #foreignField(message: AnswerMessage): string | undefined {
    if (message.type === "JOBRES" && this.#isForeign(message.value)) return FOREIGN_BUFFERS;
    if (this.#hasRoutes) return undefined;
    const isForeign =
      message.type === "FAILED" ||
      ("path" in message && message.path !== undefined) ||
      (message.type === "REJECT" && message.reason === "unfit");
    return isForeign ? `${message.type} of a feature that was not agreed on` : undefined;
  }

  /** Asks for a PONG, too: an event loop that answers is not stuck, whatever one of its handlers does. */
  #expectConfirmation(attempt: Attempt<S>): void {
    const ping = this.#capacity > 1 || this.#isRelay ? this.#owner.sendPing() : this.#owner.nextPing();
    attempt.grace = new CallbackEntry(() => this.#onGraceOver(attempt, ping));
    this.#context.timers.set(attempt.grace, this.#context.rules.cancelGrace);
  }

  #onGraceOver(attempt: Attempt<S>, ping: number): void {
    attempt.isHeld = true;
    this.#held++;
    // A relay ends the sessions of its own fleet that are stuck: its slots come back.
    const isFull = this.#held >= this.#capacity && !this.#isRelay;
    // A worker that had one slot then, and more by now, was not asked: the answer to a later PING will do.
    const isAlive = this.#owner.hasPong(ping);
    if (isFull || !isAlive) this.#owner.onCancelTimeout();
    else this.#owner.onSlotHeld();
  }

  /** The attempt of an answer. One whose JOB has not left yet cannot be answered. */
  #expected(attemptId: number): Attempt<S> | undefined {
    const attempt = this.#inFlight.get(attemptId);
    if (attempt !== undefined && attempt.frameNumber !== this.#socket.framesSent) return attempt;
    if (attempt !== undefined || attemptId >= this.#nextId)
      this.#owner.onViolation(`an answer to attempt ${attemptId}, which was never made`);
    else this.#owner.onStrike("answers nobody waits for");
    return undefined;
  }
}

/** How an answer to this attempt breaks the protocol, if it does. */
function violationOf(message: AnswerMessage, attempt: Attempt<unknown>): string | undefined {
  switch (message.type) {
    case "CANCELLED":
      return attempt.cancelled === undefined ? "CANCELLED for a job nobody cancelled" : undefined;
    case "REJECT":
      if (attempt.streams === "items" || attempt.readsInput) return "a job handed back that had begun";
      return message.reason === "recalled" && !attempt.recalled ? "a job handed back that nobody asked for" : undefined;
    default:
      if (attempt.waits) return "an answer to a job whose turn had not come";
      return message.type === "JOBRES" ? wrongEnd(message, attempt) : undefined;
  }
}

function wrongEnd({ endsStream }: JobResultMessage, { credit, streams }: Attempt<unknown>): string | undefined {
  if (endsStream === true) return credit === undefined ? "the end of a stream that is not taken" : undefined;
  return streams === "items" ? "a result after items" : undefined;
}

function settleAttempt<S>(attempt: Attempt<S>, message: AnswerMessage, now: number): void {
  if ("path" in message) attempt.path = message.path;
  if (message.type === "JOBRES" && message.endsStream === true) attempt.streams = "ended";
  if (message.type === "JOBRES") attempt.owner.onSucceeded(attempt, message.value, now);
  else if (message.type === "JOBERR") attempt.owner.onFailed(attempt, message);
  else if (message.type === "FAILED") attempt.owner.onFleetFailed(attempt, message);
  else if (message.type === "REJECT") attempt.owner.onRejected(attempt, message.reason);
}
