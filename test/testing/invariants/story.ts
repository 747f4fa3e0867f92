/** A simulated world that never was: tells the checkers what a test makes up, and keeps what they say. */
import type { CallOptions } from "../../../src/core/dispatch/call-options.ts";
import type { WorkerEvent } from "../../../src/core/events.ts";
import { EXECUTE_DEFAULTS } from "../../../src/core/job/execute-options.ts";
import { Job } from "../../../src/core/job/job.ts";
import type {
  HelloMessage,
  JobErrorMessage,
  JobMessage,
  Message,
  WelcomeMessage,
} from "../../../src/core/protocol/message.ts";
import type { Payload, Peer } from "../../../src/core/peer.ts";
import type { RunnerStats, WorkerStats } from "../../../src/core/stats.ts";
import type { ObservedRunner } from "../../../src/testing/invariants/checker.ts";
import { allCheckers, type CheckerSet } from "../../../src/testing/invariants/checkers.ts";
import { CheckerContext } from "../../../src/testing/invariants/checker-context.ts";
import type { NumberedEvent, Observation, Observed } from "../../../src/testing/history/observation.ts";
import { emptyStats } from "../../support/empty-stats.ts";

export const HEARTBEAT = 100;

type SettledEvent = Extract<NumberedEvent, { type: "job-settled" }>;

/** What all events of a first job's end have in common. */
export const SETTLED: Pick<SettledEvent, "type" | "jobId" | "identity" | "labels" | "headers"> = {
  type: "job-settled",
  jobId: 1,
  identity: "w",
  labels: [],
  headers: new Map(),
};

const LIMITS: ObservedRunner["limits"] = {
  heartbeat: HEARTBEAT,
  helloTimeout: 1_000,
  cancelGrace: 50,
  stallTimeout: 50,
  maxQueue: 10,
  maxQueueBytes: 50_000,
  maxPending: 2,
  maxWorkers: 3,
  maxStrikes: 2,
  highWater: 1_000,
  maxBuffered: 10_000,
  maxBufferedTotal: 100_000,
  maxPayload: 1_000,
  drainTimeout: 1_000,
};

const STATS: RunnerStats = { ...emptyStats(), capacity: 1 };

/** What a runner's view shows; a test changes it. */
type Shown = { -readonly [K in Exclude<keyof ObservedRunner, "stats" | "limits" | "machine">]: ObservedRunner[K] } & {
  stats: RunnerStats;
};

export function peerOf(principal: string): Peer {
  return { transport: "simulated", address: "somewhere", principal };
}

export function workerStats(over: Partial<WorkerStats> = {}): WorkerStats {
  const honest = { identity: "w", peer: peerOf("me"), state: "idle", labels: [], capacity: 1 } as const;
  return { ...honest, inFlight: 0, unread: 0, waiting: 0, served: 0, age: 0, ...over };
}

export class Story {
  /** Promises said to be broken, in order, each once. */
  readonly broken: string[] = [];
  /** All that was said of them. */
  readonly said: string[] = [];
  readonly #names = new Map<number, string>();
  readonly checkers: CheckerSet;
  readonly shown: Shown = {
    stats: STATS,
    keepAliveTimers: 0,
    timers: 0,
    waiting: 0,
    stoodStill: 0,
    openConnections: 0,
    buffered: () => 0,
    faults: "stream",
    waiters: undefined,
    leased: undefined,
    relay: undefined,
  };
  now = 0;

  constructor() {
    this.checkers = allCheckers((promise, what) => {
      if (!this.broken.includes(promise)) this.broken.push(promise);
      this.said.push(`${promise}: ${what}`);
    });
    this.machine("r", "runner").machine("w", "peer").machine("v", "peer").after(0);
  }

  /** What the checkers look at. */
  get context(): CheckerContext {
    const context = this.checkers.all.find((checker) => checker instanceof CheckerContext);
    if (context === undefined) throw new Error("the checkers have no context");
    return context;
  }

  /** The time moves; the event before it is over. */
  after(ms: number): this {
    this.#between();
    this.now += ms;
    this.#between();
    return this;
  }

  /** The runner's numbers change. */
  stats(over: Partial<RunnerStats>): this {
    const { queued: jobs = 0 } = over;
    const waiting = jobs === 0 ? [] : [{ require: [], except: [], jobs, workers: 1 }];
    this.shown.stats = { ...this.shown.stats, waiting, ...over };
    return this.see({ kind: "note", text: "the numbers have changed" });
  }

  /** Everything is over. */
  end(): this {
    this.#between();
    for (const checker of this.checkers.all) checker.atEnd?.(this.now, [this.#view()]);
    return this;
  }

  see(observed: Observed): this {
    const seen = { ...observed, at: this.now } as Observation;
    for (const checker of this.checkers.all) checker.observe?.(seen);
    return this;
  }

  machine(
    machine: string,
    role: "runner" | "worker" | "relay" | "peer",
    state: "up" | "stalled" | "down" = "up",
    life = 1,
  ): this {
    return this.see({ kind: "machine", machine, role, life, state });
  }

  opened(connection: number, from = "w", to = "r"): this {
    return this.see({ kind: "opened", connection, from, to });
  }

  /** The runner closes a connection, or is told that it is closed. */
  closed(connection: number, byItself = true, machine = "r"): this {
    return this.see({ kind: "closed", connection, machine, byItself, reason: { code: "local", message: "" } });
  }

  /** A peer says this, and it arrives. */
  says(connection: number, ...messages: readonly Message[]): this {
    return this.frame(connection, "w", "r", messages);
  }

  /** The runner says this, and it arrives. */
  tells(connection: number, ...messages: readonly Message[]): this {
    return this.frame(connection, "r", "w", messages);
  }

  frame(connection: number, from: string, to: string, messages: readonly Message[] | undefined, bytes = 10): this {
    const frame = { connection, from, to, messages, bytes };
    return this.see({ kind: "sent", ...frame }).see({ kind: "delivered", ...frame });
  }

  /** A worker comes and is let in. */
  joins(connection = 1, over: Partial<HelloMessage> = {}, principal = "me"): this {
    return this.comes(connection, over).isLetIn(connection, over, principal);
  }

  /** A worker connects and sends HELLO. */
  comes(connection: number, over: Partial<HelloMessage> = {}): this {
    return this.opened(connection).says(connection, hello(over));
  }

  isLetIn(connection: number, over: Partial<HelloMessage> = {}, principal = "me"): this {
    const { identity, capacity } = hello(over);
    this.#names.set(connection, identity);
    this.tells(connection, welcome());
    return this.event({ type: "worker-joined", identity, peer: peerOf(principal), capacity });
  }

  event(event: NumberedEvent): this {
    return this.see({ kind: "runner", machine: "r", event });
  }

  worker(event: WorkerEvent): this {
    return this.see({ kind: "worker", machine: "w", event });
  }

  submitted(jobId: number, options: Partial<CallOptions> = {}): this {
    return this.see({ kind: "submitted", machine: "r", jobId, options: { ...EXECUTE_DEFAULTS, ...options } });
  }

  /** An attempt is handed over: the event and the frame. */
  starts(jobId: number, attempt = 1, attemptId = 1, connection = 1): this {
    const identity = this.#names.get(connection) ?? "w";
    this.event({ type: "job-started", jobId, attempt, identity });
    return this.tells(connection, job(jobId, attempt, attemptId));
  }

  answers(attemptId: number, value: Payload = "ok", connection = 1): this {
    return this.says(connection, { type: "JOBRES", attemptId, value });
  }

  /** The promise settles, and the event comes. */
  succeeds(jobId: number, value: Payload = "ok"): this {
    this.see({ kind: "settled", machine: "r", jobId, outcome: { ok: true, value } });
    return this.event({ ...SETTLED, jobId, ok: true, ms: 0, attempts: 1 });
  }

  fails(jobId: number, error: unknown, attempts = 1): this {
    this.see({ kind: "settled", machine: "r", jobId, outcome: { ok: false, error } });
    return this.event({ ...SETTLED, jobId, ok: false, ms: 0, attempts, error });
  }

  #between(): void {
    for (const checker of this.checkers.all) checker.betweenEvents?.(this.now, [this.#view()]);
  }

  #view(): ObservedRunner {
    const { stats, ...shown } = this.shown;
    return { machine: "r", limits: LIMITS, stats: () => stats, ...shown };
  }
}

export function hello(over: Partial<HelloMessage> = {}): HelloMessage {
  const honest = { type: "HELLO", version: 1, identity: "w", instance: "i1", capacity: 1, blocking: false } as const;
  return { ...honest, served: 0, labels: [], features: 0, maxPayload: 1_000, isRelay: false, ...over };
}

export function welcome(): WelcomeMessage {
  const names = { sessionId: "s1", runnerId: "run" };
  return { type: "WELCOME", version: 1, ...names, heartbeat: HEARTBEAT, maxPayload: 1_000, features: 0 };
}

export function job(jobId: number, attempt = 1, attemptId = 1): JobMessage {
  return { type: "JOB", attemptId, attempt, jobId, ttl: 1_000, job: new Job("x") };
}

export function jobError(attemptId: number, retryable: boolean): JobErrorMessage {
  const error = { name: "Error", message: "no", code: "", stack: "" };
  return { type: "JOBERR", attemptId, error, retryable, retryAfter: 0 };
}

export function cancel(attemptId: number, reason: "timeout" | "cancelled" = "timeout"): Message {
  return { type: "CANCEL", attemptId, reason };
}

/** What becomes of promises in it: those said to be broken. */
export type Plot = (story: Story) => unknown;

export function told(plot: Plot): Story {
  const story = new Story();
  plot(story);
  return story;
}
