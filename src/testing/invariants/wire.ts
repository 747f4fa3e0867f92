/**
 * The records of wire-model.ts: what the frames of a simulated world say of its runners, connections, jobs and attempts. They
 * judge nothing; the checkers do.
 */
import type { CallOptions } from "../../core/dispatch/call-options.ts";
import type {
  CancelReason,
  CapacityMessage,
  HelloMessage,
  JobErrorMessage,
  JobFailedMessage,
  JobMessage,
  JobResultMessage,
  RejectMessage,
  WelcomeMessage,
} from "../../core/protocol/message.ts";
import { getOrCreate } from "./get-or-create.ts";

/** A congested worker is looked at again every 5 ms, and the timer may be a tick late. */
export const BACKPRESSURE_POLL_MS = 6;
/** How often a runner looks at all sessions while they hold too much together, in ms, and a tick. */
const BUDGET_CHECK_MS = 21;
const MAX_PING_BURST = 10;
const MAX_PINGS_PER_INTERVAL = 4;
const EPSILON = 1e-6;

/** What ends an attempt, said by a worker. */
export type WireAnswer = JobResultMessage | JobErrorMessage | JobFailedMessage | RejectMessage;

/** Where an attempt stands for its job: only a `current` one may still settle it. */
export type AttemptState = "current" | "cancelled" | "recalled" | "answered" | "lost";

/** A JOB that was sent. */
export class WireAttempt {
  /** Names it within its connection. */
  readonly id: number;
  /** Which attempt at the job it says it is. */
  readonly number: number;
  readonly job: WireJob;
  readonly connection: WireConnection;
  /** The attempt at the job before this one. */
  previous: WireAttempt | undefined;
  state: AttemptState = "current";
  /** When it stopped being current. */
  overAt: number = Number.POSITIVE_INFINITY;
  /** What ended it, if that came while it was current. */
  answer: WireAnswer | undefined;
  cancelReason: CancelReason | undefined;
  /** Whether the runner may have seen its end in another order than the network: nothing strict can be said of it. */
  doubtful = false;
  /** When its JOB was sent. */
  readonly sentAt: number;
  /** When it had a slot: as it was sent, or when one that was sent before it was over. `undefined` until then. */
  begunAt: number | undefined;
  /** Whether the worker says that it waits for a slot of another runner's job. */
  isParked = false;
  /** The number of the first PING after its CANCEL, once it has a slot. */
  ping: number | undefined;
  /** Bytes of items that the worker may send; `undefined`: no stream is taken. */
  credit: number | undefined;
  readonly wantsProgress: boolean;
  readonly hasInput: boolean;
  /** Whether an item has come. */
  hasItems = false;
  /** Whether its handler has asked for what goes in. */
  readsInput = false;
  /** Bytes of input that the runner may send; `undefined`: none goes in, or no more does. */
  inputCredit: number | undefined;
  /** Whether its JOB or CANCEL may have been sent later than it was meant to: the runner had just woken. */
  delayed: boolean;

  constructor(message: JobMessage, job: WireJob, connection: WireConnection, at: number) {
    this.sentAt = at;
    this.delayed = connection.runner.unsure(at);
    this.id = message.attemptId;
    this.number = message.attempt;
    this.credit = message.credit;
    this.wantsProgress = message.wantsProgress === true;
    this.inputCredit = message.hasInput === true ? 0 : undefined;
    this.hasInput = message.hasInput === true;
    this.job = job;
    this.connection = connection;
    this.previous = job.last;
  }

  /** Whether its outcome does not count, and the worker has yet to say that its slot is free. */
  get isCancelled(): boolean {
    return this.state === "cancelled" || this.state === "recalled";
  }
}

/** A job, from its first frame or its `execute` to its end. */
export class WireJob {
  /** Its number at its runner. */
  readonly id: number;
  /** How it is to be run; `undefined` when it was not taken in by `execute`: one of a `map`, or of a leased worker. */
  options: CallOptions | undefined;
  /** The attempt that may settle it. */
  current: WireAttempt | undefined;
  /** The latest attempt. */
  last: WireAttempt | undefined;
  /** The attempt whose JOBRES arrived while it was current. */
  result: WireAttempt | undefined;
  /** Whether a relay has handed it back for want of a worker. */
  wasUnfit = false;
  /** Attempts that ended with their connection. */
  lost = 0;
  /** Connections that have had it. */
  readonly used: WireConnection[] = [];
  /** When the call settled; `Infinity` until then. */
  settledAt: number = Number.POSITIVE_INFINITY;

  /** Whether it is another runner's, and this attempt all there is of it here. */
  readonly isRelayed: boolean;

  constructor(id: number, isRelayed = false) {
    this.id = id;
    this.isRelayed = isRelayed;
  }
}

/** A connection, as the runner at one end of it can know it. */
export class WireConnection {
  readonly number: number;
  readonly runner: WireRunner;
  /** The machine at the other end. */
  readonly peer: string;
  /** Whether the runner dialled. Its end may be opened a moment after frames have arrived. */
  readonly dialled: boolean;
  /** HELLO, once it has arrived. */
  hello: HelloMessage | undefined;
  /** The last CAPACITY, once one has arrived. */
  resized: CapacityMessage | undefined;
  /** When that was. */
  resizedAt: number = Number.NEGATIVE_INFINITY;
  /** WELCOME, once it was sent. */
  welcome: WelcomeMessage | undefined;
  /** Why the worker may get no more work: REMOVE arrived or GOAWAY was sent. */
  leaving: string | undefined;
  leavingAt = 0;
  /** Whether ERROR said that it is unresponsive. */
  isUnresponsive = false;
  /** ERROR or REMOVED was sent: the last word. */
  ended: string | undefined;
  /** The runner's end is closed. */
  closed = false;
  nextAttempt = 1;
  /** Attempts whose slots are taken, cancelled ones without a confirmation included. */
  readonly inFlight: Map<number, WireAttempt> = new Map<number, WireAttempt>();
  /** When the last frame arrived at the runner. */
  heardAt: number;
  /** When the frame before that did. */
  heardBefore: number;
  /** When the last frame was sent or arrived, either way. */
  touchedAt: number;
  /** Bytes the runner sent and the peer has not read: at least as many as wait at the runner's socket. */
  unread = 0;
  /** When `unread` was last over the runner's high-water mark. */
  congestedAt: number = Number.NEGATIVE_INFINITY;
  /** Since when it is so without a break; `undefined` while it is not. */
  congestedSince: number | undefined;
  /** When the backlog was last seen to shrink by a runner that looks at it from time to time. */
  shrunkAt: number = Number.NEGATIVE_INFINITY;
  /** What must end the connection and arrived on it. */
  broken: string | undefined;
  /** Whether the runner may have seen a breach of the protocol where the network's order shows none. */
  muddled = false;
  /** Answers to attempts that are over, and PINGs and PONGs too many: at least as many as the runner counts. */
  strikes = 0;
  #sentAt = Number.NEGATIVE_INFINITY;
  /** When it shrank, unless something is sent before the runner looks again. */
  #shrinksAt: number | undefined;
  /** PINGs of the runner, and those that were answered. */
  #pings = 0;
  #pongs = 0;
  #pingTokens = MAX_PING_BURST;
  #pingedAt = 0;

  constructor(number: number, runner: WireRunner, peer: string, dialled: boolean, at: number) {
    this.number = number;
    this.runner = runner;
    this.peer = peer;
    this.dialled = dialled;
    this.heardAt = at;
    this.heardBefore = at;
    this.touchedAt = at;
  }

  /** The runner sent so many bytes. */
  wrote(bytes: number, at: number): void {
    this.#checkShrinking(at);
    this.#shrinksAt = undefined;
    this.#sentAt = at;
    this.unread += bytes;
    this.runner.counted(bytes, at);
    this.#checkCongestion(at);
  }

  /** The peer has read so many bytes. */
  wasRead(bytes: number, at: number): void {
    if (this.unread > this.runner.highWater) this.congestedAt = at;
    this.#checkShrinking(at);
    if (at - this.#sentAt > BACKPRESSURE_POLL_MS) this.#shrinksAt ??= at;
    this.unread -= bytes;
    this.runner.counted(-bytes, at);
    this.#checkCongestion(at);
  }

  /** A PING arrived: ten may come at once, and then four in each interval. */
  pingArrived(at: number): void {
    const gained =
      (MAX_PINGS_PER_INTERVAL * (at - this.#pingedAt)) / (this.welcome?.heartbeat ?? Number.POSITIVE_INFINITY);
    this.#pingTokens = Math.min(MAX_PING_BURST, this.#pingTokens + gained);
    this.#pingedAt = at;
    if (this.#pingTokens < 1 + EPSILON) this.strikes++;
    else this.#pingTokens--;
  }

  /** The runner sent a PING. */
  pingSent(): void {
    this.#pings++;
    for (const attempt of this.#unconfirmed()) attempt.ping ??= this.#pings;
  }

  /** A PONG arrived. */
  pongArrived(): void {
    if (this.#pongs === this.#pings) this.strikes++;
    else this.#pongs++;
  }

  /**
   * Since when CANCELs are unconfirmed so that the session ends with their grace: no PONG came since, or no slot is left.
   * `undefined` when there is no such thing.
   */
  get unconfirmedSince(): number | undefined {
    const attempts = this.#unconfirmed();
    if (attempts.length === 0) return undefined;
    const since = attempts.map(cancelledAt);
    const unanswered = attempts.filter(({ ping }) => ping === undefined || ping > this.#pongs);
    // A relay's slots come back: it ends the sessions of its own fleet.
    const isFull =
      (attempts.length >= this.capacity && this.hello?.isRelay !== true) ||
      (this.leaving !== undefined && attempts.length === this.inFlight.size);
    const first = Math.min(...unanswered.map(cancelledAt), isFull ? Math.max(...since) : Number.POSITIVE_INFINITY);
    return first === Number.POSITIVE_INFINITY ? undefined : first;
  }

  /** Attempts that have a slot and no job. */
  #unconfirmed(): WireAttempt[] {
    return [...this.inFlight.values()].filter((attempt) => attempt.isCancelled && attempt.begunAt !== undefined);
  }

  /** Nothing was sent since it shrank: by now the runner has looked, and seen it. */
  #checkShrinking(at: number): void {
    const { wokeAt, stalled } = this.runner;
    if (this.#shrinksAt === undefined || at - this.#shrinksAt < BACKPRESSURE_POLL_MS) return;
    if (!stalled && wokeAt < this.#shrinksAt) this.shrunkAt = this.#shrinksAt;
    this.#shrinksAt = undefined;
  }

  #checkCongestion(at: number): void {
    if (this.unread > this.runner.highWater) {
      this.congestedAt = at;
      this.congestedSince ??= at;
      this.runner.congested.add(this);
    } else if (this.congestedSince !== undefined) {
      this.congestedSince = undefined;
      this.runner.congested.delete(this);
    }
  }

  /** Whether bytes that wait may end the session: not on a port, nor while the worker may be computing. */
  get mustRead(): boolean {
    return !this.runner.onPort && !(this.hello?.blocking === true && this.inFlight.size > 0);
  }

  /** Whether a job waits there for a slot that a job of another runner has: then it is sent no other. */
  get hasParked(): boolean {
    for (const { isParked } of this.inFlight.values()) if (isParked) return true;
    return false;
  }

  /** How many jobs the worker takes at a time. */
  get capacity(): number {
    return (this.resized ?? this.hello)?.capacity ?? 1;
  }

  /** The labels it has. */
  get labels(): readonly string[] | undefined {
    return (this.resized ?? this.hello)?.labels;
  }

  /** The worker's name; empty before HELLO. */
  get identity(): string {
    return this.hello?.identity ?? "";
  }
}

/** When it was both cancelled and in a slot. */
function cancelledAt({ overAt, begunAt = 0 }: WireAttempt): number {
  return Math.max(overAt, begunAt);
}

/** One life of a runner. */
export class WireRunner {
  readonly machine: string;
  readonly connections: Map<number, WireConnection> = new Map<number, WireConnection>();
  /** Registered workers, by name. */
  readonly workers: Map<string, WireConnection> = new Map<string, WireConnection>();
  readonly jobs: Map<number, WireJob> = new Map<number, WireJob>();
  /** Connections with more unread bytes than the high-water mark. */
  readonly congested: Set<WireConnection> = new Set<WireConnection>();
  /** Whether it stands still now. */
  stalled = false;
  /** When it last woke. */
  wokeAt: number = Number.NEGATIVE_INFINITY;
  /** Unsent bytes above which a worker gets no new work; known between events. */
  highWater: number = Number.POSITIVE_INFINITY;
  /** Unsent bytes of all workers above which some get no new work; known between events. */
  budget: number = Number.POSITIVE_INFINITY;
  /** Whether its connections are ports. */
  onPort = false;
  /** When more bytes than that were last unread at all workers together. */
  overBudgetAt: number = Number.NEGATIVE_INFINITY;
  /** Whether it dials workers itself. */
  dials = false;
  /** Whether jobs of a `map` or of leased workers were seen. */
  mixed = false;
  /** When such a job last settled. */
  othersAt: number = Number.NEGATIVE_INFINITY;
  /** Jobs whose calls settled in this moment. */
  settled: WireJob[] = [];
  readonly #relayed = new Map<string, WireJob>();
  #unread = 0;
  #highest = 0;
  /** Numbers below the highest that `execute` did not take in, and that have not settled. */
  readonly #others = new Set<number>();
  /** Those of them that settled in this moment. */
  readonly #othersOver: number[] = [];
  /** Such numbers that settled before a higher one was seen. */
  readonly #othersGone = new Set<number>();

  constructor(machine: string) {
    this.machine = machine;
  }

  /** So many more bytes are unread, or fewer. */
  counted(bytes: number, at: number): void {
    if (this.#unread > this.budget) this.overBudgetAt = at;
    this.#unread += bytes;
    if (this.#unread > this.budget) this.overBudgetAt = at;
  }

  /** Whether workers may get no new work because of the bytes of all, or got none until the last check. */
  isOverBudget(at: number): boolean {
    return this.#unread > this.budget || at - Math.max(this.overBudgetAt, this.wokeAt) <= BUDGET_CHECK_MS;
  }

  /** Whether what it does now may come before, or after, what it has read: it stands still, or has just woken. */
  unsure(at: number): boolean {
    return this.stalled || this.wokeAt === at;
  }

  /** `execute` took a job in. */
  submitted(id: number, options: CallOptions): void {
    const job = getOrCreate(this.jobs, id, () => new WireJob(id));
    job.options = options;
    for (let other = this.#highest + 1; other < id; other++) {
      this.mixed = true;
      if (!this.#othersGone.delete(other)) this.#others.add(other);
    }
    if (id > this.#highest) this.#highest = id;
  }

  /** Whether that job was taken in by `execute`, or is said to be settled although it was. */
  wasSubmitted(id: number): boolean {
    return id <= this.#highest && !this.#others.has(id);
  }

  /** The record of a job; `undefined` when it has settled. */
  job(id: number): WireJob | undefined {
    const known = this.jobs.get(id);
    if (known !== undefined || this.wasSubmitted(id) || this.#othersGone.has(id)) return known;
    const job = new WireJob(id);
    this.jobs.set(id, job);
    return job;
  }

  /** The record of an attempt at a job of another runner. Its number is none that this runner gives. */
  relayedJob({ jobId, attempt }: JobMessage, origin: string): WireJob {
    const key = `${origin}:${jobId}#${attempt}`;
    return getOrCreate(this.#relayed, key, () => new WireJob(-1 - this.#relayed.size, true));
  }

  /** A job that `execute` did not take in has settled. */
  otherSettled(id: number): void {
    this.mixed = true;
    if (this.#others.has(id)) this.#othersOver.push(id);
    else if (id > this.#highest) this.#othersGone.add(id);
  }

  /** Whether a relay has handed a job back for want of a worker: its runner may know of one all the same. */
  wasUnfit(jobId: number): boolean {
    return this.jobs.get(jobId)?.wasUnfit === true;
  }

  /** The time has moved: nothing more is heard of such jobs. */
  forgetOthers(): void {
    for (const id of this.#othersOver.splice(0)) this.#others.delete(id);
  }
}

/** Whether all required labels are among those of a worker. */
export function hasAll(labels: readonly string[] | undefined, require: readonly string[]): boolean {
  return require.every((label) => labels?.includes(label) === true);
}

/** Whether a worker has the labels a job requires; `true` for jobs that `execute` did not take in, as theirs are unknown. */
export function hasRequiredLabels({ labels }: WireConnection, options: CallOptions | undefined): boolean {
  return hasAll(labels, options?.require ?? []);
}

/** A key that is the same for all jobs with the same required labels. */
export function labelKey({ require }: CallOptions): string {
  return [...new Set(require)].sort().join(" ");
}
