/**
 * The attempts of one session: sent, cancelled, recalled and answered. Decides which answers count. When a session begins and
 * ends is in session.ts, what an outcome means for a job in call.ts.
 */
import { Attempt, type AttemptOwner } from "./attempt.ts";
import { CallbackEntry, type TimerQueue } from "../time/timer-queue.ts";
import type { WorkerSelector } from "../pool/worker-selector.ts";
import type { GoneReason } from "../events.ts";
import { InFlight } from "./in-flight.ts";
import type { Job } from "../job/job.ts";
import type { MessageSocket } from "../protocol/message-socket.ts";
import type {
  CancelledMessage,
  CancelReason,
  HelloMessage,
  JobErrorMessage,
  JobResultMessage,
  RejectMessage,
  RunnerMessage,
  WorkerMessage,
} from "../protocol/message.ts";
import { PrefetchController, type Prefetch } from "./prefetch.ts";

/** What a worker says of a job. */
export type AnswerMessage = JobResultMessage | JobErrorMessage | RejectMessage | CancelledMessage;

/** What jobs are sent over. */
export type JobLink = Pick<MessageSocket<RunnerMessage, WorkerMessage>, "send" | "framesSent" | "bytesSent">;

/** What the session's keeper has set. */
export interface AttemptTableContext {
  readonly timers: TimerQueue;
  readonly rules: { readonly cancelGrace: number; readonly prefetch: Prefetch; readonly highWater: number };
}

/** The session. */
export interface AttemptTableOwner<S> {
  /** What attempts name as their session. */
  readonly self: S;
  /** A CANCEL was not confirmed in time. */
  onCancelTimeout(): void;
  /** The worker broke the protocol. */
  onViolation(message: string): void;
  /** The worker said something of no consequence. */
  onStrike(what: string): void;
  /** A job is over. */
  onAttemptClosed(): void;
}

/** What one worker was given. */
export class AttemptTable<S> {
  readonly #socket: JobLink;
  readonly #context: AttemptTableContext;
  readonly #owner: AttemptTableOwner<S>;
  readonly #inFlight = new InFlight<S>();
  #capacity = 1;
  #prefetch: PrefetchController | undefined;
  /** Of the jobs that were prefetched: once they have left they wait at the worker, and no socket counts them. */
  #bytesWaiting = 0;
  #nextId = 1;
  #served = 0;
  /**
   * Jobs that were prefetched were called back or handed back, and none that has a slot has ended since: what is prefetched
   * now would only wait there, too, or come back at once.
   */
  #stuck = false;

  constructor(socket: JobLink, context: AttemptTableContext, owner: AttemptTableOwner<S>) {
    this.#socket = socket;
    this.#context = context;
    this.#owner = owner;
  }

  /** How many jobs the worker has. */
  get counts(): Pick<InFlight<S>, "size" | "running" | "waiting"> {
    return this.#inFlight;
  }

  /** Jobs the worker has answered. */
  get served(): number {
    return this.#served;
  }

  /** How many may now be prefetched. */
  get prefetchLimit(): number {
    if (this.#stuck) return 0;
    const most = this.#prefetch?.limit ?? 0;
    return this.#bytesWaiting > this.#context.rules.highWater ? Math.min(most, this.#inFlight.waiting) : most;
  }

  /** The worker has said what it takes. */
  onHello(hello: HelloMessage): void {
    this.#capacity = hello.capacity;
    this.#prefetch = new PrefetchController(this.#context.rules.prefetch, hello);
  }

  /** Hands a job over. `undefined` when the link is closed: nothing was sent. */
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
    if (!this.#socket.send({ type: "JOB", attemptId: attempt.id, attempt: number, jobId, ttl, job })) return undefined;
    this.#nextId++;
    this.#inFlight.add(attempt, this.#capacity);
    if (attempt.waits) this.#bytesWaiting += attempt.bytes = this.#socket.bytesSent - before;
    else if (this.#prefetch?.measures === true) attempt.sentAt = now;
    return attempt;
  }

  /** Nobody waits for an attempt any more. Its slot stays taken until the worker confirms, or the grace ends. */
  cancel(attempt: Attempt<S>, reason: CancelReason): void {
    if (attempt.cancelled !== undefined || this.#inFlight.get(attempt.id) !== attempt) return;
    attempt.cancelled = reason;
    this.#socket.send({ type: "CANCEL", attemptId: attempt.id, reason });
    // One that waits for its turn is not confirmed before the worker has time to look, however long that takes.
    if (!attempt.waits) this.#expectConfirmation(attempt);
  }

  /**
   * Asks for up to `count` of the jobs that were prefetched and are of use elsewhere, the latest first. Until one ends, no others
   * are prefetched. Returns how many of use stay.
   */
  recall(count: number, useful: (selector: WorkerSelector | undefined) => boolean): number {
    return this.#inFlight.recall(
      count,
      ({ owner }) => {
        const isUseful = useful(owner.selector);
        if (isUseful) this.#stuck = true;
        return isUseful;
      },
      ({ id }) => void this.#socket.send({ type: "CANCEL", attemptId: id, reason: "recalled" }),
    );
  }

  /** An answer that frees a slot or a place before it. `now`: when it arrived. */
  onAnswer(message: AnswerMessage, now: number): void {
    const attempt = this.#expected(message.attemptId);
    if (attempt === undefined) return;
    const wrong = wrongIn(message, attempt);
    if (wrong !== undefined) return this.#owner.onViolation(wrong);
    if (message.type === "JOBRES" || message.type === "JOBERR") this.#measure(message, attempt, now);
    this.#close(attempt, now);
    // Its value counts only while the attempt is current.
    if (attempt.cancelled === undefined) settleAttempt(attempt, message, now);
    attempt.owner.onSlotFreed(attempt, now);
    this.#owner.onAttemptClosed();
  }

  /** The session is over, and so are they. Those of the batch numbered `unsent` never left. */
  failAll(unsent: number, reason: GoneReason, message: string, now: number): void {
    // The latest first: those that go back to the head of the queue then stand there in the order they came.
    for (const attempt of this.#inFlight.clear().toReversed()) {
      if (attempt.grace !== undefined) this.#context.timers.drop(attempt.grace);
      if (attempt.cancelled === undefined) {
        if (attempt.frameNumber === unsent) attempt.owner.onNotSent(attempt);
        else attempt.owner.onLost(attempt, reason, message);
      }
      attempt.owner.onSlotFreed(attempt, now);
    }
  }

  #measure({ durationMs }: JobResultMessage | JobErrorMessage, { sentAt }: Attempt<S>, now: number): void {
    this.#served++;
    // With others behind it, it may have waited at the worker for their answers, which leave together: no way takes that long.
    const alone = sentAt !== undefined && this.#inFlight.waiting === 0;
    this.#prefetch?.observe(durationMs, alone ? now - sentAt : undefined);
  }

  /** An attempt is over at the worker. Before anybody is told, the next in line has its slot. */
  #close(attempt: Attempt<S>, now: number): void {
    if (attempt.grace !== undefined) this.#context.timers.drop(attempt.grace);
    if (attempt.waits) this.#bytesWaiting -= attempt.bytes;
    if (!attempt.waits) this.#stuck = false;
    else if (attempt.cancelled === undefined) this.#stuck = true;
    const next = this.#inFlight.delete(attempt, this.#capacity);
    if (next === undefined) return;
    this.#bytesWaiting -= next.bytes;
    if (next.cancelled === undefined) next.owner.onStarted(next, now);
    else this.#expectConfirmation(next);
  }

  #expectConfirmation(attempt: Attempt<S>): void {
    attempt.grace = new CallbackEntry(() => this.#owner.onCancelTimeout());
    this.#context.timers.set(attempt.grace, this.#context.rules.cancelGrace);
  }

  /** The attempt an answer speaks of. Nobody can know of one whose JOB still waits for the end of this turn. */
  #expected(attemptId: number): Attempt<S> | undefined {
    const attempt = this.#inFlight.get(attemptId);
    if (attempt !== undefined && attempt.frameNumber !== this.#socket.framesSent) return attempt;
    if (attempt !== undefined || attemptId >= this.#nextId)
      this.#owner.onViolation(`an answer to attempt ${attemptId}, which was never made`);
    else this.#owner.onStrike("answers nobody waits for");
    return undefined;
  }
}

/** What is wrong with an answer to this attempt, if anything. */
function wrongIn(message: AnswerMessage, attempt: Attempt<unknown>): string | undefined {
  switch (message.type) {
    case "CANCELLED":
      return attempt.cancelled === undefined ? "CANCELLED for a job nobody cancelled" : undefined;
    case "REJECT":
      return message.reason === "recalled" && !attempt.recalled ? "a job handed back that nobody asked for" : undefined;
    default:
      return attempt.waits ? "an answer to a job whose turn had not come" : undefined;
  }
}

function settleAttempt<S>(attempt: Attempt<S>, message: AnswerMessage, now: number): void {
  if (message.type === "JOBRES") attempt.owner.onSucceeded(attempt, message.value, now);
  else if (message.type === "JOBERR") attempt.owner.onFailed(attempt, message);
  else if (message.type === "REJECT") attempt.owner.onRejected(attempt, message.reason);
}
