/** For each promise: stories in which it is kept, and such in which it is broken. */
import type { CallOptions } from "../../../src/core/dispatch/call-options.ts";
import {
  AbortError,
  ExecutionError,
  QueueFullError,
  RunnerStoppedError,
  TimeoutError,
} from "../../../src/core/errors.ts";
import type { GoneReason } from "../../../src/core/events.ts";
import type { Message } from "../../../src/core/protocol/message.ts";
import {
  cancel,
  hello,
  HEARTBEAT,
  job,
  jobError,
  peerOf,
  type Plot,
  SETTLED,
  type Story,
  welcome,
  workerStats,
} from "./story.ts";

/** One rule of a promise, told twice. */
export interface Rule {
  readonly promise: string;
  readonly rule: string;
  readonly kept: Plot;
  readonly broken: Plot;
}

const failure = new ExecutionError({ name: "Error", message: "no", code: "", stack: "" });
const FULL = { limit: "maxQueue", max: 1, queued: 1, queuedBytes: 8 } as const;
const reject = { type: "REJECT", attemptId: 1, reason: "overloaded" } as const;

function gone(reason: GoneReason, inFlight = 0, principal = "me", identity = "w") {
  return { type: "worker-gone", identity, peer: peerOf(principal), reason, message: "", inFlight } as const;
}

function retried(jobId: number, outcome: "timeout" | "error" | "lost" | "rejected" | "not-sent", after = 0) {
  return { type: "job-retried", jobId, attempt: 1, identity: "w", outcome, after } as const;
}

function settled(error: unknown, attempts = 1) {
  return { ...SETTLED, ok: false, ms: 0, attempts, error } as const;
}

/** A job is handed back, or fails, and runs again later. */
const again = (s: Story, outcome: "error" | "rejected", options: Partial<CallOptions>, after = 0): Story => {
  s.joins().submitted(1, options).after(40).starts(1).after(1);
  if (outcome === "error") s.says(1, jobError(1, true));
  else s.says(1, reject);
  return s.event(retried(1, outcome, after));
};

const GPU = { require: ["gpu"], acquireTimeout: 50 } as const;
const noGpu = new TimeoutError("", "acquire", 50);

const SETTLEMENT: readonly Rule[] = [
  {
    promise: "settles-in-time",
    rule: "no call fails for want of a worker while one has the labels",
    kept: (s) =>
      s
        .stats({ workers: [workerStats()] })
        .submitted(1, GPU)
        .after(50)
        .fails(1, noGpu, 0)
        .after(1),
    broken: (s) => {
      s.stats({ workers: [workerStats({ labels: ["gpu"] })] })
        .submitted(1, GPU)
        .after(50);
      s.fails(1, noGpu, 0).after(1);
    },
  },
  {
    promise: "settles-in-time",
    rule: "a job gives up in time although a worker is there, but none that has the labels",
    kept: (s) =>
      s
        .stats({ workers: [workerStats()] })
        .submitted(1, GPU)
        .after(51)
        .fails(1, noGpu, 0)
        .after(1),
    broken: (s) =>
      s
        .stats({ workers: [workerStats()] })
        .submitted(1, GPU)
        .after(60)
        .fails(1, noGpu, 0)
        .after(1),
  },
  {
    promise: "settles-once",
    rule: "a caller is told",
    kept: (s) => s.joins().submitted(1).starts(1).answers(1).succeeds(1).after(1).end(),
    broken: (s) => s.joins().submitted(1).starts(1).after(1).end(),
  },
  {
    promise: "settles-once",
    rule: "a caller is told once",
    kept: (s) => s.submitted(1).fails(1, new RunnerStoppedError("stop"), 0).after(1),
    broken: (s) => {
      s.submitted(1).fails(1, new RunnerStoppedError("stop"), 0).after(1);
      s.fails(1, new RunnerStoppedError("stop"), 0).after(1);
    },
  },
  {
    promise: "settles-once",
    rule: "a caller and the runner's listeners are told the same",
    kept: (s) => s.joins().submitted(1).starts(1).says(1, jobError(1, false)).fails(1, failure),
    broken: (s) => {
      s.joins().submitted(1).starts(1).says(1, jobError(1, false));
      s.see({ kind: "settled", machine: "r", jobId: 1, outcome: { ok: false, error: failure } });
      s.event(settled(new RunnerStoppedError("stop")));
    },
  },
  {
    promise: "settles-once",
    rule: "a job is taken in once",
    kept: (s) => s.submitted(1).submitted(2),
    broken: (s) => s.submitted(1).submitted(1),
  },
  {
    promise: "settles-in-time",
    rule: "a call settles by its deadline",
    kept: (s) =>
      s
        .submitted(1, { deadline: 50 })
        .after(51)
        .fails(1, new TimeoutError("late", "deadline", 50), 0)
        .after(1),
    broken: (s) =>
      s
        .submitted(1, { deadline: 50 })
        .after(53)
        .fails(1, new TimeoutError("late", "deadline", 50), 0)
        .after(1),
  },
  {
    promise: "settles-in-time",
    rule: "only the runner's own standing still is an excuse",
    kept: (s) => {
      s.submitted(1, { deadline: 50 }).machine("r", "runner", "stalled");
      s.shown.stoodStill = 100;
      s.after(100)
        .machine("r", "runner")
        .fails(1, new TimeoutError("late", "deadline", 50), 0)
        .after(1);
    },
    broken: (s) => {
      s.machine("r", "runner", "stalled");
      s.shown.stoodStill = 100;
      s.after(100).machine("r", "runner").submitted(1, { deadline: 50 });
      s.after(100)
        .fails(1, new TimeoutError("late", "deadline", 50), 0)
        .after(1);
    },
  },
  {
    promise: "settles-in-time",
    rule: "no wait in the queue is over its limit",
    kept: (s) =>
      s
        .submitted(1, { queueTimeout: 50 })
        .after(51)
        .fails(1, new TimeoutError("late", "queue", 50), 0)
        .after(1),
    broken: (s) => s.submitted(1, { queueTimeout: 50 }).after(60).starts(1).after(1),
  },
  {
    promise: "settles-in-time",
    rule: "no call waits for ever for a first worker",
    kept: (s) => {
      s.stats({ capacity: 0 }).submitted(1, { acquireTimeout: 50 });
      s.after(50)
        .fails(1, new TimeoutError("none", "acquire", 50), 0)
        .after(1);
    },
    broken: (s) => {
      s.stats({ capacity: 0 }).submitted(1, { acquireTimeout: 50 });
      s.after(60)
        .fails(1, new TimeoutError("none", "acquire", 50), 0)
        .after(1);
    },
  },
  {
    promise: "settles-in-time",
    rule: "an attempt is over by its timeout",
    kept: (s) => s.joins().submitted(1, { timeout: 50 }).starts(1).after(50).event(retried(1, "timeout")).after(1),
    broken: (s) => s.joins().submitted(1, { timeout: 50 }).starts(1).after(60).event(retried(1, "timeout")).after(1),
  },
  {
    promise: "fitting-error",
    rule: "what a call fails with is of the closed set",
    kept: (s) => s.submitted(1).fails(1, new RunnerStoppedError("stop"), 0),
    broken: (s) => s.submitted(1).fails(1, new TypeError("x is undefined"), 0),
  },
  {
    promise: "fitting-error",
    rule: "a call that was taken in does not fail for a reason to refuse it",
    kept: (s) =>
      s.see({
        kind: "settled",
        machine: "r",
        jobId: undefined,
        outcome: { ok: false, error: new QueueFullError("", FULL) },
      }),
    broken: (s) => s.submitted(1).fails(1, new QueueFullError("full", FULL), 0),
  },
  {
    promise: "fitting-error",
    rule: "what a call is refused with is of the closed set",
    kept: (s) =>
      s.see({ kind: "settled", machine: "r", jobId: undefined, outcome: { ok: false, error: new Error("mine") } }),
    broken: (s) =>
      s.see({ kind: "settled", machine: "r", jobId: undefined, outcome: { ok: false, error: new ReferenceError("") } }),
  },
  {
    promise: "fitting-error",
    rule: "only its own signal aborts a call, with its reason",
    kept: (s) => {
      const signal = AbortSignal.abort("enough");
      s.submitted(1, { signal }).fails(1, "enough", 0);
    },
    broken: (s) => s.submitted(1).fails(1, new AbortError("aborted", "cancelled"), 0),
  },
  {
    promise: "fitting-error",
    rule: "no limit is said to be reached before it is",
    kept: (s) =>
      s
        .submitted(1, { deadline: 50 })
        .after(50)
        .fails(1, new TimeoutError("late", "deadline", 50), 0),
    broken: (s) =>
      s
        .submitted(1, { deadline: 50 })
        .after(40)
        .fails(1, new TimeoutError("late", "deadline", 50), 0),
  },
  {
    promise: "fitting-error",
    rule: "a limit is the one that was asked for",
    kept: (s) =>
      s
        .submitted(1, { queueTimeout: 50 })
        .after(50)
        .fails(1, new TimeoutError("late", "queue", 50), 0),
    broken: (s) =>
      s
        .submitted(1, { queueTimeout: 50 })
        .after(50)
        .fails(1, new TimeoutError("late", "queue", 40), 0),
  },
  {
    promise: "fitting-error",
    rule: "an attempt has all its time before it is said to have timed out",
    kept: (s) =>
      s
        .joins()
        .submitted(1, { timeout: 50 })
        .after(10)
        .starts(1)
        .after(50)
        .tells(1, cancel(1))
        .fails(1, new TimeoutError("late", "attempt", 50)),
    broken: (s) =>
      s
        .joins()
        .submitted(1, { timeout: 50 })
        .after(10)
        .starts(1)
        .after(49)
        .fails(1, new TimeoutError("late", "attempt", 50)),
  },
  {
    promise: "fitting-error",
    rule: "an attempt is not cancelled for its time before that is over",
    kept: (s) => s.joins().submitted(1, { timeout: 50 }).starts(1).after(50).tells(1, cancel(1)),
    broken: (s) => s.joins().submitted(1, { timeout: 50 }).starts(1).after(49).tells(1, cancel(1)),
  },
  {
    promise: "fitting-error",
    rule: "a jump of the runner's own clock is time, too",
    kept: (s) => {
      s.joins().submitted(1, { timeout: 50 }).starts(1).after(10);
      s.shown.stoodStill = 40;
      s.after(0).tells(1, cancel(1));
    },
    broken: (s) => {
      s.joins().after(10);
      s.shown.stoodStill = 40;
      s.after(10).submitted(1, { timeout: 50 }).starts(1).after(10).tells(1, cancel(1));
    },
  },
  {
    promise: "fitting-error",
    rule: "each stay in the queue has all its time",
    kept: (s) =>
      again(s, "error", { queueTimeout: 50 }, 20)
        .after(70)
        .fails(1, new TimeoutError("late", "queue", 50)),
    broken: (s) =>
      again(s, "error", { queueTimeout: 50 }, 20)
        .after(60)
        .fails(1, new TimeoutError("late", "queue", 50)),
  },
  {
    promise: "fitting-error",
    rule: "being handed back does not begin another stay, and what runs does not stay",
    kept: (s) =>
      again(s, "rejected", { queueTimeout: 50 })
        .after(9)
        .fails(1, new TimeoutError("late", "queue", 50), 0),
    broken: (s) =>
      again(s, "rejected", { queueTimeout: 50 })
        .starts(1, 1, 2)
        .after(9)
        .fails(1, new TimeoutError("late", "queue", 50)),
  },
];

const RESULTS: readonly Rule[] = [
  {
    promise: "current-answer-counts",
    rule: "a value is the one that came for the current attempt",
    kept: (s) => s.joins().submitted(1).starts(1).answers(1, "4").succeeds(1, "4"),
    broken: (s) => s.joins().submitted(1).starts(1).answers(1, "4").succeeds(1, "5"),
  },
  {
    promise: "current-answer-counts",
    rule: "bytes count by what is in them",
    kept: (s) => s.joins().submitted(1).starts(1).answers(1, Uint8Array.of(4, 2)).succeeds(1, Uint8Array.of(4, 2)),
    broken: (s) => s.joins().submitted(1).starts(1).answers(1, Uint8Array.of(4, 2)).succeeds(1, Uint8Array.of(4, 3)),
  },
  {
    promise: "current-answer-counts",
    rule: "a late value is dropped",
    kept: (s) => {
      s.joins(1, { capacity: 2 }).submitted(1, { timeout: 1 }).starts(1).after(1).tells(1, cancel(1));
      s.event(retried(1, "timeout"));
      s.starts(1, 2, 2).answers(1, "late").answers(2, "right").succeeds(1, "right").after(1);
    },
    broken: (s) => {
      s.joins(1, { capacity: 2 }).submitted(1, { timeout: 1 }).starts(1).after(1).tells(1, cancel(1));
      s.event(retried(1, "timeout"));
      s.starts(1, 2, 2).answers(1, "late").succeeds(1, "late");
    },
  },
  {
    promise: "current-answer-counts",
    rule: "a value that has come is not thrown away",
    kept: (s) =>
      s.joins().submitted(1).starts(1).tells(1, cancel(1, "cancelled")).answers(1).fails(1, new RunnerStoppedError("")),
    broken: (s) => s.joins().submitted(1).starts(1).answers(1).fails(1, new RunnerStoppedError("")),
  },
  {
    promise: "one-current-attempt",
    rule: "a job has one current attempt",
    kept: (s) => {
      s.joins().joins(2, { identity: "v" }).submitted(1, { timeout: 1 }).starts(1).after(1);
      s.event(retried(1, "timeout"));
      s.starts(1, 2, 1, 2).tells(1, cancel(1)).after(1);
    },
    broken: (s) => {
      s.joins().joins(2, { identity: "v" }).submitted(1, { timeout: 1 }).starts(1).after(1);
      s.event(retried(1, "timeout"));
      s.starts(1, 2, 1, 2).after(1).tells(1, cancel(1)).after(1);
    },
  },
  {
    promise: "one-current-attempt",
    rule: "attempts of a connection are counted by one",
    kept: (s) => s.joins(1, { capacity: 2 }).submitted(1).submitted(2).starts(1, 1, 1).starts(2, 1, 2),
    broken: (s) => s.joins(1, { capacity: 2 }).submitted(1).submitted(2).starts(1, 1, 1).starts(2, 1, 3),
  },
  {
    promise: "attempts-limited",
    rule: "attempt numbers grow",
    kept: (s) => s.joins().submitted(1).starts(1).says(1, jobError(1, true)).event(retried(1, "error")).starts(1, 2, 2),
    broken: (s) =>
      s.joins().submitted(1).starts(1).says(1, jobError(1, true)).event(retried(1, "error")).starts(1, 1, 2),
  },
  {
    promise: "attempts-limited",
    rule: "a job that is handed back did not use up an attempt, but there is no other way back",
    kept: (s) => s.joins().submitted(1).starts(1).says(1, reject).event(retried(1, "rejected")).starts(1, 1, 2),
    broken: (s) => s.joins().submitted(1, { timeout: 0 }).starts(1).tells(1, cancel(1)).says(1, reject).starts(1, 1, 2),
  },
  {
    promise: "attempts-limited",
    rule: "there are no more attempts than were asked for",
    kept: (s) => s.joins().submitted(1, { attempts: 2 }).starts(1).says(1, jobError(1, true)).starts(1, 2, 2),
    broken: (s) => s.joins().submitted(1, { attempts: 1 }).starts(1).says(1, jobError(1, true)).starts(1, 2, 2),
  },
  {
    promise: "attempts-limited",
    rule: "a job that kills its workers is given up",
    kept: (s) => {
      s.joins().submitted(1, { maxLost: 2 }).starts(1).after(1).closed(1, false).event(gone("closed", 1));
      s.joins(2).starts(1, 2, 1, 2);
    },
    broken: (s) => {
      s.joins().submitted(1, { maxLost: 1 }).starts(1).after(1).closed(1, false).event(gone("closed", 1));
      s.joins(2).starts(1, 2, 1, 2);
    },
  },
  {
    promise: "no-retry-of-final",
    rule: "an error that does not ask for it is not tried again",
    kept: (s) => s.joins().submitted(1).starts(1).says(1, jobError(1, true)).starts(1, 2, 2),
    broken: (s) => s.joins().submitted(1).starts(1).says(1, jobError(1, false)).starts(1, 2, 2),
  },
  {
    promise: "no-retry-of-final",
    rule: "a timeout is not tried again when that was asked for",
    kept: (s) => s.joins(1, { capacity: 2 }).submitted(1, { timeout: 0 }).starts(1).tells(1, cancel(1)).starts(1, 2, 2),
    broken: (s) =>
      s
        .joins(1, { capacity: 2 })
        .submitted(1, { retryOnTimeout: false, timeout: 0 })
        .starts(1)
        .tells(1, cancel(1))
        .starts(1, 2, 2),
  },
  {
    promise: "no-retry-of-final",
    rule: "an aborted job is not tried again",
    kept: (s) => s.joins(1, { capacity: 2 }).submitted(1, { timeout: 0 }).starts(1).tells(1, cancel(1)).starts(1, 2, 2),
    broken: (s) => s.joins(1, { capacity: 2 }).submitted(1).starts(1).tells(1, cancel(1, "cancelled")).starts(1, 2, 2),
  },
  {
    promise: "no-retry-of-final",
    rule: "a settled job is not sent",
    kept: (s) => s.joins().submitted(1).starts(1).answers(1).succeeds(1).after(1).submitted(2).starts(2, 1, 2),
    broken: (s) => {
      s.joins().submitted(1).starts(1).answers(1).succeeds(1).after(1);
      s.tells(1, job(1, 2, 2));
    },
  },
  {
    promise: "leaves-nothing-behind",
    rule: "a settled job lets go of its attempt",
    kept: (s) =>
      s.joins().submitted(1).starts(1).fails(1, new RunnerStoppedError("")).tells(1, cancel(1, "cancelled")).after(1),
    broken: (s) => s.joins().submitted(1).starts(1).fails(1, new RunnerStoppedError("")).after(1),
  },
  {
    promise: "retries-throttled",
    rule: "retries are throttled",
    kept: (s) => failAndRetry(s, 4),
    broken: (s) => failAndRetry(s, 5),
  },
  {
    promise: "retries-throttled",
    rule: "a handler says how long to wait at least",
    kept: (s) => wished(s, 30, 30),
    broken: (s) => wished(s, 29, 30),
  },
  {
    promise: "retries-throttled",
    rule: "and so long is waited, as the frames tell",
    kept: (s) =>
      wished(s, 30, 30)
        .after(30)
        .tells(1, job(1, 2, 2)),
    broken: (s) =>
      wished(s, 30, 30)
        .after(29)
        .tells(1, job(1, 2, 2)),
  },
  {
    promise: "retries-throttled",
    rule: "a pause is as long as was told",
    kept: (s) => wished(s, 30, 0).after(30).starts(1, 2, 2),
    broken: (s) => wished(s, 30, 0).after(29).starts(1, 2, 2),
  },
];

/** So many jobs in a row fail once and are tried again. */
function failAndRetry(s: Parameters<Plot>[0], failures: number): void {
  s.joins(1, { capacity: 100 });
  for (let jobId = 1; jobId <= failures; jobId++) {
    const attemptId = 2 * jobId - 1;
    s.submitted(jobId).starts(jobId, 1, attemptId).says(1, jobError(attemptId, true));
    s.event(retried(jobId, "error")).starts(jobId, 2, attemptId + 1);
  }
}

/** A handler fails and wishes to be asked again after so many ms; it will be after so many. */
function wished(s: Story, after: number, retryAfter: number): Story {
  s.joins().submitted(1).starts(1).after(1);
  return s.says(1, { ...jobError(1, true), retryAfter }).event(retried(1, "error", after));
}

/** What a worker with one attempt in flight must not say. */
const UNSPEAKABLE: Readonly<Record<string, Message>> = {
  "a forged attempt": { type: "JOBRES", attemptId: 9, value: "" },
  "a second HELLO": hello(),
  "an unasked CANCELLED": { type: "CANCELLED", attemptId: 1 },
  "a runner's word": { type: "REMOVED" },
  "progress that was not asked for": { type: "PROGRESS", attemptId: 1, value: "x" },
  "an item of a job that takes none": { type: "ITEM", attemptId: 1, value: "x" },
  "the end of a stream that is not taken": { type: "JOBRES", attemptId: 1, value: "", endsStream: true },
};

const SESSIONS: readonly Rule[] = [
  {
    promise: "within-capacity",
    rule: "no more is in flight than there are slots",
    kept: (s) => s.joins(1, { capacity: 2 }).submitted(1).submitted(2).starts(1, 1, 1).starts(2, 1, 2),
    broken: (s) => s.joins().submitted(1).submitted(2).starts(1, 1, 1).starts(2, 1, 2),
  },
  {
    promise: "within-capacity",
    rule: "a cancelled attempt keeps its slot until that is confirmed",
    kept: (s) =>
      s
        .joins()
        .submitted(1)
        .starts(1)
        .tells(1, cancel(1, "cancelled"))
        .says(1, { type: "CANCELLED", attemptId: 1 })
        .submitted(2)
        .starts(2, 1, 2),
    broken: (s) => s.joins().submitted(1).starts(1).tells(1, cancel(1, "cancelled")).submitted(2).starts(2, 1, 2),
  },
  {
    promise: "within-capacity",
    rule: "the runner's own numbers say so, too",
    kept: (s) => s.stats({ workers: [workerStats({ inFlight: 1 })] }).after(1),
    broken: (s) => s.stats({ workers: [workerStats({ inFlight: 2 })] }).after(1),
  },
  {
    promise: "only-ready-workers",
    rule: "no worker is given a job before WELCOME",
    kept: (s) => s.joins().submitted(1).starts(1),
    broken: (s) => s.opened(1).says(1, hello()).submitted(1).starts(1),
  },
  {
    promise: "only-ready-workers",
    rule: "a worker that has asked to leave is given no job",
    kept: (s) =>
      s.joins(1, { capacity: 2 }).submitted(1).submitted(2).starts(1).says(1, { type: "REMOVE" }).starts(2, 1, 2),
    broken: (s) =>
      s
        .joins(1, { capacity: 2 })
        .submitted(1)
        .submitted(2)
        .starts(1)
        .says(1, { type: "REMOVE" })
        .after(1)
        .starts(2, 1, 2),
  },
  {
    promise: "only-ready-workers",
    rule: "a worker that was told to go is given no job",
    kept: (s) => s.joins().submitted(1).starts(1).tells(1, { type: "GOAWAY", reason: "stopping", retryAfter: 0 }),
    broken: (s) =>
      s.joins().submitted(1).tells(1, { type: "GOAWAY", reason: "stopping", retryAfter: 0 }).after(1).starts(1),
  },
  {
    promise: "only-ready-workers",
    rule: "a worker that is gone is not among the workers",
    kept: (s) => s.stats({ workers: [workerStats({ state: "draining" })] }).after(1),
    broken: (s) => s.stats({ workers: [workerStats({ state: "gone" })] }).after(1),
  },
  {
    promise: "ended-connection-is-silent",
    rule: "ERROR is the last word",
    kept: (s) => s.joins().submitted(1).starts(1).tells(1, wireError()).closed(1),
    broken: (s) => s.joins().submitted(1).tells(1, wireError()).starts(1),
  },
  {
    promise: "ended-connection-is-silent",
    rule: "REMOVED is the last word",
    kept: (s) => s.joins().says(1, { type: "REMOVE" }).tells(1, { type: "REMOVED" }).closed(1),
    broken: (s) => s.joins().tells(1, { type: "REMOVED" }, { type: "PING", nonce: 1 }),
  },
  {
    promise: "ended-connection-is-silent",
    rule: "nothing is sent on a connection that is closed",
    kept: (s) => s.joins().tells(1, { type: "PING", nonce: 1 }).closed(1),
    broken: (s) => s.joins().closed(1).tells(1, { type: "PING", nonce: 1 }),
  },
  ...Object.entries(UNSPEAKABLE).map(([what, message]): Rule => ({
    promise: "nonsense-ends-its-connection",
    rule: `${what} ends the connection`,
    kept: (s) => s.joins().submitted(1).starts(1).after(1).says(1, message).closed(1).after(1),
    broken: (s) => s.joins().submitted(1).starts(1).after(1).says(1, message).after(1),
  })),
  {
    promise: "nonsense-ends-its-connection",
    rule: "anything before HELLO ends the connection",
    kept: (s) => s.opened(1).answers(1).closed(1).after(1),
    broken: (s) => s.opened(1).answers(1).after(1),
  },
  {
    promise: "nonsense-ends-its-connection",
    rule: "a malformed frame ends the connection",
    kept: (s) => s.joins().frame(1, "w", "r", undefined).closed(1).after(1),
    broken: (s) => s.joins().frame(1, "w", "r", undefined).after(1),
  },
  {
    promise: "one-session-per-identity",
    rule: "a name has one session",
    kept: (s) => s.joins().comes(2).tells(1, wireError()).closed(1).event(gone("replaced")).isLetIn(2),
    broken: (s) =>
      s
        .joins()
        .opened(2)
        .says(2, hello())
        .tells(2, { ...WELCOME }),
  },
  {
    promise: "one-session-per-identity",
    rule: "a name is told to be there once",
    kept: (s) => s.joins().closed(1, false).event(gone("closed")).joins(2),
    broken: (s) => s.joins().closed(1, false).joins(2),
  },
  {
    promise: "identity-stays-with-principal",
    rule: "a name stays with its session while that lives",
    kept: (s) => s.joins().comes(2).closed(1).event(gone("replaced")).isLetIn(2, {}, "me"),
    broken: (s) => s.joins().comes(2).closed(1).event(gone("replaced")).isLetIn(2, {}, "you"),
  },
  {
    promise: "identity-stays-with-principal",
    rule: "a worker goes as the principal it came as",
    kept: (s) => s.joins().closed(1, false).event(gone("closed")).after(1).joins(2, {}, "you"),
    broken: (s) =>
      s
        .joins()
        .closed(1, false)
        .event(gone("closed", 0, "you")),
  },
];

const WELCOME = {
  type: "WELCOME",
  version: 1,
  sessionId: "s2",
  runnerId: "run",
  heartbeat: HEARTBEAT,
  maxPayload: 1_000,
  features: 0,
} as const;

function wireError() {
  return { type: "ERROR", code: "REPLACED", text: "", retryAfter: 0 } as const;
}

const QUEUE: readonly Rule[] = [
  {
    promise: "counts-add-up",
    rule: "no job is lost from the count",
    kept: (s) => s.stats({ submitted: 5, succeeded: 1, failed: 1, queued: 1, running: 1, backoff: 1 }).after(1),
    broken: (s) => s.stats({ submitted: 5, succeeded: 1, failed: 1, queued: 1, running: 1 }).after(1),
  },
  {
    promise: "no-idle-slot",
    rule: "no slot is free beside a job that waits",
    kept: (s) => s.stats({ submitted: 1, queued: 1, workers: [workerStats({ inFlight: 1 })] }).after(1),
    broken: (s) => s.stats({ submitted: 1, queued: 1, workers: [workerStats()] }).after(1),
  },
  {
    promise: "no-idle-slot",
    rule: "only leased slots, and workers that may not be given work, do not count",
    kept: (s) => {
      s.shown.leased = 1;
      s.stats({ submitted: 1, queued: 1, workers: [workerStats(), workerStats({ state: "suspect" })] }).after(1);
    },
    broken: (s) => {
      s.shown.leased = 1;
      s.stats({ submitted: 1, queued: 1, workers: [workerStats({ capacity: 2 })] }).after(1);
    },
  },
  {
    promise: "no-idle-slot",
    rule: "a worker that does not read is no free slot, until it has",
    kept: (s) => {
      s.joins().see({ kind: "sent", connection: 1, from: "r", to: "w", messages: [], bytes: 5_000 });
      s.stats({ submitted: 1, queued: 1, workers: [workerStats()] }).after(1);
    },
    broken: (s) => {
      s.joins().frame(1, "r", "w", [], 5_000).after(10);
      s.stats({ submitted: 1, queued: 1, workers: [workerStats()] }).after(1);
    },
  },
  {
    promise: "first-in-first-out",
    rule: "jobs start in the order they came",
    kept: (s) => s.joins(1, { capacity: 2 }).submitted(1).submitted(2).starts(1, 1, 1).starts(2, 1, 2),
    broken: (s) => s.joins(1, { capacity: 2 }).submitted(1).submitted(2).after(1).starts(2, 1, 1).starts(1, 1, 2),
  },
  {
    promise: "first-in-first-out",
    rule: "one that was sent ahead may start late, before its frame has left, too",
    kept: (s) => {
      s.joins().joins(2, { identity: "v" }).submitted(1).submitted(2).submitted(3).submitted(4);
      s.starts(1).starts(2, 1, 1, 2).after(1).answers(1, "ok", 2).starts(4, 1, 2, 2).answers(1).starts(3, 1, 2);
    },
    broken: (s) => {
      s.joins().joins(2, { identity: "v" }).submitted(1).submitted(2).submitted(3).submitted(4);
      s.starts(1).starts(2, 1, 1, 2).after(1).answers(1).answers(1, "ok", 2).after(1);
      s.starts(4, 1, 2, 2).starts(3, 1, 2);
    },
  },
  {
    promise: "first-in-first-out",
    rule: "one that was sent ahead to a worker that went in that moment may come back late",
    kept: (s) => {
      s.joins().joins(2, { identity: "v" }).submitted(1).submitted(2).submitted(3).after(1);
      s.starts(1)
        .starts(3, 1, 1, 2)
        .closed(1, false)
        .event(gone("closed"))
        .after(1)
        .answers(1, "ok", 2)
        .starts(2, 1, 2, 2);
    },
    broken: (s) => {
      s.joins().joins(2, { identity: "v" }).submitted(1).submitted(2).submitted(3).after(1);
      s.starts(1).starts(3, 1, 1, 2).after(1).closed(1, false).event(gone("closed")).answers(1, "ok", 2).after(1);
      s.starts(2, 1, 2, 2);
    },
  },
  {
    promise: "no-idle-slot",
    rule: "a slot is not free beside a job that requires what its worker has",
    kept: (s) => {
      const waiting = [{ require: ["gpu"], except: ["me"], jobs: 1, workers: 1 }];
      s.stats({ submitted: 1, queued: 1, waiting, workers: [workerStats(), workerStats({ labels: ["gpu"] })] }).after(
        1,
      );
    },
    broken: (s) => {
      const waiting = [{ require: ["gpu"], except: ["you"], jobs: 1, workers: 1 }];
      s.stats({ submitted: 1, queued: 1, waiting, workers: [workerStats({ labels: ["gpu"] })] }).after(1);
    },
  },
  {
    promise: "first-in-first-out",
    rule: "a job waits for its labels, and not behind jobs with other labels",
    kept: (s) => {
      s.joins(1, { capacity: 2 })
        .submitted(1, { require: ["gpu"] })
        .submitted(2)
        .starts(2, 1, 1)
        .after(1);
      s.joins(2, { identity: "g", labels: ["gpu"] })
        .starts(1, 1, 1, 2)
        .after(1);
    },
    broken: (s) => {
      s.joins(1, { capacity: 2, labels: ["gpu"] })
        .submitted(1, { require: ["gpu"] })
        .submitted(2);
      s.starts(2, 1, 1).after(1);
    },
  },
  {
    promise: "first-in-first-out",
    rule: "a retry is at the head of the queue",
    kept: (s) => {
      s.joins(1, { capacity: 3 })
        .submitted(1)
        .starts(1)
        .says(1, jobError(1, true))
        .event(retried(1, "error", 20));
      s.submitted(2).after(10).starts(2, 1, 2).after(10).starts(1, 2, 3).after(1);
    },
    broken: (s) => {
      s.joins(1, { capacity: 3 })
        .submitted(1)
        .starts(1)
        .says(1, jobError(1, true))
        .event(retried(1, "error", 20));
      s.submitted(2).after(30).starts(2, 1, 2).after(1);
    },
  },
  {
    promise: "required-labels",
    rule: "a job goes to a worker that has its labels",
    kept: (s) =>
      s
        .joins(1, { labels: ["big", "gpu"] })
        .submitted(1, GPU)
        .starts(1)
        .after(1),
    broken: (s) =>
      s
        .joins(1, { labels: ["big"] })
        .submitted(1, GPU)
        .starts(1)
        .after(1),
  },
  {
    promise: "retry-elsewhere",
    rule: "a retry goes to another worker if one is free",
    kept: (s) => {
      s.joins().joins(2, { identity: "v" }).submitted(1).submitted(2).starts(1).starts(2, 1, 1, 2).after(1);
      s.says(1, jobError(1, true)).after(1).starts(1, 2, 2).after(1);
    },
    broken: (s) => {
      s.joins().joins(2, { identity: "v" }).submitted(1).starts(1).after(1);
      s.says(1, jobError(1, true)).after(10).starts(1, 2, 2).after(1);
    },
  },
  {
    promise: "within-bounds",
    rule: "the queue is bounded, but for what comes back",
    kept: (s) => {
      s.stats({ submitted: 12, queued: 10, running: 2 }).after(1);
      s.stats({ queued: 12, running: 0, retries: 2 }).after(1);
    },
    broken: (s) => s.stats({ submitted: 11, queued: 11 }).after(1),
  },
  {
    promise: "within-bounds",
    rule: "what is in backoff waits, too",
    kept: (s) => s.stats({ submitted: 10, queued: 5, backoff: 5 }).after(1),
    broken: (s) => s.stats({ submitted: 11, queued: 5, backoff: 6 }).after(1),
  },
  {
    promise: "within-bounds",
    rule: "the queue is bounded in bytes, but for what comes back",
    kept: (s) => {
      s.stats({ submitted: 4, queued: 2, running: 2, queuedBytes: 50_000 }).after(1);
      s.stats({ queued: 4, running: 0, retries: 2, queuedBytes: 80_000 }).after(1);
    },
    broken: (s) => s.stats({ submitted: 2, queued: 2, queuedBytes: 50_001 }).after(1),
  },
  {
    promise: "counts-add-up",
    rule: "no bytes are left of jobs that wait no longer",
    kept: (s) =>
      s.stats({ submitted: 1, queued: 1, queuedBytes: 1 }).after(1).stats({ queued: 0, running: 1, queuedBytes: 0 }),
    broken: (s) => s.stats({ submitted: 1, running: 1, queuedBytes: 1 }).after(1),
  },
  {
    promise: "within-bounds",
    rule: "connections without a HELLO are bounded",
    kept: (s) => s.stats({ pending: 2 }).after(1),
    broken: (s) => s.stats({ pending: 3 }).after(1),
  },
  {
    promise: "within-bounds",
    rule: "workers are bounded",
    kept: (s) => s.stats({ workers: ["a", "b", "c"].map((identity) => workerStats({ identity })) }).after(1),
    broken: (s) => s.stats({ workers: ["a", "b", "c", "d"].map((identity) => workerStats({ identity })) }).after(1),
  },
  {
    promise: "within-bounds",
    rule: "what waits at a connection is bounded",
    kept: (s) => {
      s.shown.buffered = () => 10_000;
      s.joins().see({ kind: "sent", connection: 1, from: "r", to: "w", messages: [], bytes: 1_000_000 }).after(1);
    },
    broken: (s) => {
      s.shown.buffered = () => 1_000_000;
      s.joins().see({ kind: "sent", connection: 1, from: "r", to: "w", messages: [], bytes: 1_000_000 }).after(1);
    },
  },
  {
    promise: "leaves-nothing-behind",
    rule: "nothing keeps the process alive when no call waits",
    kept: (s) => {
      s.shown.keepAliveTimers = 1;
      s.stats({ submitted: 1, queued: 1 }).after(1).after(1);
    },
    broken: (s) => {
      s.shown.keepAliveTimers = 1;
      s.stats({ submitted: 1, succeeded: 1 }).after(1).after(1);
    },
  },
  {
    promise: "nothing-left-at-end",
    rule: "nothing is left at the end",
    kept: (s) => s.end(),
    broken: (s) => {
      s.shown.timers = 1;
      s.end();
    },
  },
  {
    promise: "nothing-left-at-end",
    rule: "a runner that has stopped has settled everything",
    kept: (s) => s.stats({ state: "stopped", submitted: 1, failed: 1 }).after(1),
    broken: (s) => s.stats({ state: "stopped", submitted: 1, running: 1 }).after(1),
  },
];

/** So many bytes leave for the worker, and it does not read them. */
function piles(s: Story, bytes: number): Story {
  return s.see({ kind: "sent", connection: 1, from: "r", to: "w", messages: [], bytes });
}

function reads(s: Story, bytes: number): Story {
  return s.see({ kind: "delivered", connection: 1, from: "r", to: "w", messages: [], bytes });
}

/** The runner ends a session, and tells why. */
function ends(s: Story, reason: GoneReason): Story {
  return s.tells(1, wireError()).closed(1).event(gone(reason));
}

/** What waits at the worker's connection, and goes on to wait for so long. */
function waits(s: Story, bytes: number, ms: number): Story {
  s.joins();
  s.shown.buffered = () => bytes;
  return piles(s, bytes).after(ms).after(0);
}

/** So much waits for 40 ms, and then more than may for another 60. */
function rises(s: Story, bytes: number): Story {
  s.shown.buffered = () => (s.now < 40 ? bytes : 2_000);
  return piles(s.joins(), 2_000).after(39).after(1).after(60).after(0);
}

/** One of a worker's two jobs is cancelled, and a PING goes along. */
function cancelsOneOfTwo(s: Story): Story {
  s.joins(1, { capacity: 2 }).submitted(1).starts(1);
  return s.tells(1, cancel(1, "cancelled")).tells(1, { type: "PING", nonce: 0 });
}

function strikes(s: Story, count: number): Story {
  s.joins();
  for (let i = 0; i < count; i++) s.says(1, { type: "PONG", nonce: i });
  return ends(s, "violation");
}

/** The reasons of an end, and what each takes. */
const SESSION_ENDS: readonly Rule[] = [
  {
    promise: "no-end-without-cause",
    rule: "a worker has its grace to confirm a CANCEL",
    kept: (s) => ends(s.joins().submitted(1).starts(1).tells(1, cancel(1, "cancelled")).after(50), "unresponsive"),
    broken: (s) => ends(s.joins().submitted(1).starts(1).tells(1, cancel(1, "cancelled")).after(49), "unresponsive"),
  },
  {
    promise: "no-end-without-cause",
    rule: "only a worker that was sent a CANCEL owes a confirmation",
    kept: (s) => ends(s.joins().submitted(1).starts(1).tells(1, cancel(1, "cancelled")).after(60), "unresponsive"),
    broken: (s) => ends(s.joins().submitted(1).starts(1).after(60), "unresponsive"),
  },
  {
    promise: "no-end-without-cause",
    rule: "a worker that answers PING and has another slot is not stuck",
    kept: (s) => ends(cancelsOneOfTwo(s).after(60), "unresponsive"),
    broken: (s) => ends(cancelsOneOfTwo(s).says(1, { type: "PONG", nonce: 0 }).after(60), "unresponsive"),
  },
  {
    promise: "no-end-without-cause",
    rule: "a worker with few bytes waiting is not slow",
    kept: (s) => ends(piles(s.joins(), 10_001), "slow"),
    broken: (s) => ends(piles(s.joins(), 900), "slow"),
  },
  {
    promise: "no-end-without-cause",
    rule: "a worker that may be computing is not slow",
    kept: (s) => ends(piles(s.joins(1, { blocking: true }), 2_000).after(60), "slow"),
    broken: (s) => ends(piles(s.joins(1, { blocking: true }).submitted(1).starts(1), 2_000).after(60), "slow"),
  },
  {
    promise: "no-end-without-cause",
    rule: "on a port no worker is slow",
    kept: (s) => ends(piles(s.joins(), 20_000), "slow"),
    broken: (s) => {
      s.shown.faults = "port";
      ends(piles(s.after(1).joins(), 20_000), "slow");
    },
  },
  {
    promise: "no-end-without-cause",
    rule: "a worker with few bytes may be given up when all together have too many",
    kept: (s) => {
      piles(s.joins(2, { identity: "v" }).joins(), 900);
      s.see({ kind: "sent", connection: 2, from: "r", to: "v", messages: [], bytes: 100_000 });
      ends(s, "slow");
    },
    broken: (s) => {
      piles(s.joins(2, { identity: "v" }).joins(), 900);
      s.see({ kind: "sent", connection: 2, from: "r", to: "v", messages: [], bytes: 90_000 });
      ends(s, "slow");
    },
  },
  {
    promise: "no-end-without-cause",
    rule: "a worker that is sent much has time to read it",
    kept: (s) => ends(piles(s.joins(), 2_000).after(50), "slow"),
    broken: (s) => ends(piles(s.joins(), 2_000).after(49), "slow"),
  },
  {
    promise: "no-end-without-cause",
    rule: "a worker that reads, however slowly, is not given up",
    kept: (s) => ends(reads(piles(s.joins(), 5_000).after(40), 500).after(50), "slow"),
    broken: (s) => ends(reads(piles(s.joins(), 5_000).after(40), 500).after(49), "slow"),
  },
  {
    promise: "no-end-without-cause",
    rule: "a runner that looks now and then need not see what grows again at once",
    kept: (s) => {
      piles(reads(piles(s.joins(), 5_000).after(40), 500).after(3), 600);
      ends(s.after(10), "slow");
    },
    broken: (s) => {
      piles(reads(piles(s.joins(), 5_000).after(40), 500).after(7), 600);
      ends(s.after(10), "slow");
    },
  },
  {
    promise: "no-end-without-cause",
    rule: "only a breach of the protocol ends a session as one",
    kept: (s) => ends(s.joins().answers(9), "violation"),
    broken: (s) => ends(s.joins(), "violation"),
  },
  {
    promise: "no-end-without-cause",
    rule: "PONGs without a PING are forgiven, up to a number",
    kept: (s) => strikes(s, 3),
    broken: (s) => strikes(s, 2),
  },
  {
    promise: "no-end-without-cause",
    rule: "PONGs to a PING are no strikes",
    kept: (s) => strikes(s, 4),
    broken: (s) => {
      s.joins().tells(1, { type: "PING", nonce: 1 });
      for (let i = 0; i < 3; i++) s.says(1, { type: "PONG", nonce: i });
      ends(s, "violation");
    },
  },
  {
    promise: "no-end-without-cause",
    rule: "PINGs are forgiven, ten at once and four in each interval",
    kept: (s) => pings(s, 13, 0),
    broken: (s) => pings(s, 15, HEARTBEAT),
  },
  {
    promise: "no-end-without-cause",
    rule: "answers to attempts that are over are forgiven, up to a number",
    kept: (s) => ends(s.joins().submitted(1).starts(1).answers(1).answers(1).answers(1).answers(1), "violation"),
    broken: (s) => ends(s.joins().submitted(1).starts(1).answers(1).answers(1).answers(1), "violation"),
  },
  {
    promise: "no-end-without-cause",
    rule: "a connection is closed by the other end when the runner says so",
    kept: (s) => s.joins().closed(1, false).event(gone("closed")),
    broken: (s) => s.joins().closed(1, true).event(gone("closed")),
  },
  {
    promise: "no-end-without-cause",
    rule: "only a worker that leaves is removed",
    kept: (s) =>
      s.joins().tells(1, { type: "GOAWAY", reason: "stopping", retryAfter: 0 }).closed(1).event(gone("removed")),
    broken: (s) => s.joins().closed(1).event(gone("removed")),
  },
  {
    promise: "no-end-without-cause",
    rule: "only a session with a successor is replaced",
    kept: (s) => ends(s.joins().comes(2), "replaced"),
    broken: (s) => ends(s.joins().comes(2, { identity: "v" }), "replaced"),
  },
  {
    promise: "no-end-without-cause",
    rule: "only a runner that stops ends all sessions",
    kept: (s) => ends(s.joins().event({ type: "runner-state", state: "stopped" }), "stopped"),
    broken: (s) => ends(s.event({ type: "runner-state", state: "started" }).joins(), "stopped").after(1),
  },
  {
    promise: "within-bounds",
    rule: "a worker with too many bytes waiting is given up at the next check",
    kept: (s) => waits(s, 10_001, 7),
    broken: (s) => waits(s, 10_001, 8),
  },
  {
    promise: "within-bounds",
    rule: "a worker that reads nothing for long is given up, but not on a port",
    kept: (s) => {
      s.shown.faults = "port";
      waits(s.after(1), 2_000, 100);
    },
    broken: (s) => waits(s.after(1), 2_000, 100),
  },
  {
    promise: "within-bounds",
    rule: "a worker that reads nothing for long is given up",
    kept: (s) => waits(s, 2_000, 63),
    broken: (s) => waits(s, 2_000, 64),
  },
  {
    promise: "within-bounds",
    rule: "only what waits above the high-water mark counts, from when it does",
    kept: (s) => rises(s, 1_000),
    broken: (s) => rises(s, 1_001),
  },
];

/** So many PINGs, the half of them after a pause: the worker is sent away for them. */
function pings(s: Story, count: number, pause: number): Story {
  s.joins();
  for (let i = 0; i < count; i++) {
    if (i === 10) s.after(pause);
    s.says(1, { type: "PING", nonce: i });
  }
  return ends(s, "violation");
}

/** Two jobs of which one has started, in a runner that is asked to drain. */
function drains(s: Story, queued: "run" | "reject"): Story {
  s.joins().submitted(1).submitted(2).starts(1).after(1);
  return s.see({ kind: "drain", machine: "r", queued }).event({ type: "runner-state", state: "draining" });
}

/** A job whose attempt ended before it had started, in a runner that then drains and rejects. */
function lostAsPrefetched(s: Story, outcome: "lost" | "not-sent"): Story {
  s.joins()
    .submitted(1)
    .event({ ...retried(1, outcome, 10), attempt: outcome === "lost" ? 1 : 0 })
    .after(1);
  return s.see({ kind: "drain", machine: "r", queued: "reject" }).event({ type: "runner-state", state: "draining" });
}

/** A `map` hands over the outcomes of these inputs. */
function yields(s: Story, ordered: boolean, ...indexes: readonly number[]): Story {
  for (const index of indexes) s.see({ kind: "yielded", machine: "r", map: 1, ordered, index });
  return s;
}

const drained = {
  ...SETTLED,
  ok: false,
  ms: 0,
  attempts: 0,
  error: new RunnerStoppedError("the runner drains"),
} as const;

const LEAVING: readonly Rule[] = [
  {
    promise: "drain-keeps-promises",
    rule: "a drain that rejects rejects what has not started",
    kept: (s) =>
      drains(s, "reject")
        .event({ ...drained, jobId: 2 })
        .after(1),
    broken: (s) => drains(s, "reject").after(1),
  },
  {
    promise: "drain-keeps-promises",
    rule: "a drain that rejects takes a prefetched attempt that was lost for one that has started",
    kept: (s) => lostAsPrefetched(s, "lost").after(1),
    broken: (s) => lostAsPrefetched(s, "not-sent").after(1),
  },
  {
    promise: "drain-keeps-promises",
    rule: "a drain that rejects finishes what has started",
    kept: (s) =>
      drains(s, "reject")
        .event({ ...drained, jobId: 2 })
        .after(1),
    broken: (s) =>
      drains(s, "reject")
        .event({ ...drained, jobId: 2 })
        .event({ ...drained, jobId: 1, attempts: 1 })
        .after(1),
  },
  {
    promise: "drain-keeps-promises",
    rule: "a drain that runs what is queued rejects nothing",
    kept: (s) => drains(s, "run").after(1),
    broken: (s) =>
      drains(s, "run")
        .event({ ...drained, jobId: 2 })
        .after(1),
  },
  {
    promise: "drain-keeps-promises",
    rule: "what was handed back has not started",
    kept: (s) => {
      s.joins().submitted(1).starts(1).says(1, reject).event(retried(1, "rejected")).after(1);
      s.see({ kind: "drain", machine: "r", queued: "reject" }).event({ type: "runner-state", state: "draining" });
      s.event({ ...drained, jobId: 1 }).after(1);
    },
    broken: (s) => {
      s.joins().submitted(1).starts(1).says(1, reject).event(retried(1, "rejected")).after(1);
      s.see({ kind: "drain", machine: "r", queued: "reject" }).event({ type: "runner-state", state: "draining" });
      s.after(1);
    },
  },
  {
    promise: "first-in-first-out",
    rule: "a map hands its outcomes over in order, if that was asked for",
    kept: (s) => yields(yields(s, true, 0, 1, 2).machine("r", "runner", "down").machine("r", "runner"), true, 0),
    broken: (s) => yields(s, true, 0, 2, 1),
  },
  {
    promise: "first-in-first-out",
    rule: "one map is not another, and order is not for all of them",
    kept: (s) => yields(s, true, 0).see({ kind: "yielded", machine: "r", map: 2, ordered: false, index: 4 }),
    broken: (s) => yields(s, true, 0).see({ kind: "yielded", machine: "r", map: 2, ordered: true, index: 1 }),
  },
];

const LIVES: readonly Rule[] = [
  {
    promise: "no-end-without-cause",
    rule: "a worker heard in time is not silent",
    kept: (s) =>
      s
        .joins()
        .after(3 * HEARTBEAT)
        .closed(1)
        .event(gone("silent")),
    broken: (s) =>
      s
        .joins()
        .after(2.5 * HEARTBEAT)
        .closed(1)
        .event(gone("silent")),
  },
  {
    promise: "no-end-without-cause",
    rule: "a runner that wakes reads before it judges",
    kept: (s) => stalls(s).after(HEARTBEAT).closed(1).event(gone("silent")),
    broken: (s) => stalls(s).closed(1).event(gone("silent")),
  },
  {
    promise: "dead-peer-detected",
    rule: "a silent worker is detected",
    kept: (s) =>
      s
        .joins()
        .after(3 * HEARTBEAT + 1)
        .closed(1)
        .event(gone("silent"))
        .after(HEARTBEAT),
    broken: (s) =>
      s
        .joins()
        .after(4 * HEARTBEAT)
        .after(1),
  },
  {
    promise: "dead-peer-detected",
    rule: "only a busy blocking worker is spared",
    kept: (s) =>
      s
        .joins(1, { blocking: true })
        .submitted(1, { timeout: 10_000 })
        .starts(1)
        .after(9 * HEARTBEAT)
        .after(1),
    broken: (s) =>
      s
        .joins(1, { blocking: true })
        .after(9 * HEARTBEAT)
        .after(1),
  },
  {
    promise: "drain-keeps-promises",
    rule: "a runner that drains takes nothing in",
    kept: (s) => s.submitted(1).event({ type: "runner-state", state: "draining" }),
    broken: (s) => s.event({ type: "runner-state", state: "draining" }).submitted(1),
  },
  {
    promise: "drain-keeps-promises",
    rule: "a runner that drains gives nothing up before its time",
    kept: (s) =>
      s
        .joins()
        .submitted(1)
        .starts(1)
        .event({ type: "runner-state", state: "draining" })
        .after(50)
        .event(settled(new RunnerStoppedError("the drain took over 50 ms"))),
    broken: (s) =>
      s
        .joins()
        .submitted(1)
        .starts(1)
        .event({ type: "runner-state", state: "draining" })
        .after(40)
        .event(settled(new RunnerStoppedError("the drain took over 50 ms"))),
  },
  {
    promise: "drain-keeps-promises",
    rule: "only a stop gives up what is under way at once",
    kept: (s) => {
      s.joins().submitted(1).starts(1).event({ type: "runner-state", state: "draining" }).after(1);
      s.event(settled(new RunnerStoppedError("the runner was stopped")));
      s.event({ type: "runner-state", state: "stopped" }).after(1);
    },
    broken: (s) => {
      s.joins().submitted(1).starts(1).event({ type: "runner-state", state: "draining" }).after(1);
      s.event(settled(new RunnerStoppedError("the runner was stopped"))).after(1);
    },
  },
  {
    promise: "drain-keeps-promises",
    rule: "a runner drains once",
    kept: (s) => {
      s.event({ type: "runner-state", state: "draining" }).event({ type: "runner-state", state: "stopped" });
      s.event({ type: "runner-state", state: "draining" });
    },
    broken: (s) => {
      s.event({ type: "runner-state", state: "draining" }).event({ type: "runner-state", state: "draining" });
    },
  },
  {
    promise: "leaving-loses-no-job",
    rule: "a worker that is removed takes no job along, as the runner tells",
    kept: (s) => s.joins().says(1, { type: "REMOVE" }).tells(1, { type: "REMOVED" }).closed(1).event(gone("removed")),
    broken: (s) => s.joins().says(1, { type: "REMOVE" }).closed(1).event(gone("removed", 1)),
  },
  {
    promise: "leaving-loses-no-job",
    rule: "a worker that is removed takes no job along, as the frames tell",
    kept: (s) => s.joins().submitted(1).starts(1).answers(1).says(1, { type: "REMOVE" }).tells(1, { type: "REMOVED" }),
    broken: (s) => s.joins().submitted(1).starts(1).says(1, { type: "REMOVE" }).tells(1, { type: "REMOVED" }),
  },
];

/** The runner stands still for longer than a worker may be silent. */
function stalls(s: Parameters<Plot>[0]): Parameters<Plot>[0] {
  s.joins().after(HEARTBEAT).machine("r", "runner", "stalled");
  s.shown.stoodStill = 4 * HEARTBEAT;
  return s.after(4 * HEARTBEAT).machine("r", "runner");
}

/** A worker that is not a script, and its handler. */
function works(s: Parameters<Plot>[0], capacity = 1): Parameters<Plot>[0] {
  return s.machine("w", "worker").joins(1, { capacity }).submitted(1).starts(1);
}

function runs(run: number, jobId = "run:1", attempt = 1) {
  return { kind: "handler-started", machine: "w", life: 1, capacity: 1, jobId, attempt, run } as const;
}

function takenBack(attemptId: number) {
  return { kind: "recalled", connection: 1, from: "r", to: "w", attemptId } as const;
}

function returns(run: number, value: string | undefined = "ok") {
  return { kind: "handler-ended", machine: "w", life: 1, run, value } as const;
}

const WORKERS: readonly Rule[] = [
  {
    promise: "value-of-handler",
    rule: "a worker sends what its handler returned",
    kept: (s) => works(s).see(runs(1)).see(returns(1, "4")).answers(1, "4"),
    broken: (s) => works(s).see(runs(1)).see(returns(1, "4")).answers(1, "5"),
  },
  {
    promise: "value-of-handler",
    rule: "a worker runs what it was given",
    kept: (s) => works(s).see(runs(1)),
    broken: (s) => works(s).see(runs(1, "run:2")),
  },
  {
    promise: "value-of-handler",
    rule: "a worker answers what it was given",
    kept: (s) => works(s).see(runs(1)).see(returns(1)).answers(1),
    broken: (s) => {
      s.machine("w", "worker").joins();
      s.see({ kind: "sent", connection: 1, from: "w", to: "r", messages: [reject], bytes: 10 });
    },
  },
  {
    promise: "handlers-within-capacity",
    rule: "a worker runs no more handlers than it offers",
    kept: (s) => {
      works(s, 2).submitted(2).starts(2, 1, 2);
      s.see(runs(1)).see(returns(1)).see(runs(2, "run:2"));
    },
    broken: (s) => {
      works(s, 2).submitted(2).starts(2, 1, 2);
      s.see(runs(1)).see(runs(2, "run:2"));
    },
  },
  {
    promise: "handlers-within-capacity",
    rule: "the handlers of an earlier start do not count, and none ends twice",
    kept: (s) => {
      works(s).see(runs(1)).machine("w", "worker", "down").machine("w", "worker", "up", 2);
      s.closed(1, false)
        .event(gone("closed", 1))
        .joins(2)
        .starts(1, 2, 1, 2)
        .see({ ...runs(2, "run:1", 2), life: 2 });
    },
    broken: (s) => works(s).see(runs(1)).see(returns(1)).see(returns(1)),
  },
  {
    promise: "recalled-never-begins",
    rule: "what was taken back in shared memory may be given again, and is not what begins",
    kept: (s) => {
      s.machine("w", "worker").joins(1, { prefetchLimit: 1 }).submitted(1).starts(1).submitted(2).starts(2, 1, 2);
      s.see(takenBack(2)).see(runs(1)).see(returns(1));
    },
    broken: (s) => works(s).see(runs(1)).see(takenBack(1)),
  },
  {
    promise: "leaving-loses-no-job",
    rule: "a worker does not hand back what it has begun",
    kept: (s) => works(s).says(1, reject),
    broken: (s) => works(s).see(runs(1)).says(1, reject),
  },
];

/** All of them. */
/** A relay `b` between the runner and its worker `c`, which it is given one job for. */
const between = (s: Story): Story => {
  s.machine("b", "relay").machine("c", "peer");
  s.opened(1, "b", "r").frame(1, "b", "r", [hello({ identity: "b", isRelay: true })]);
  s.isLetIn(1, { identity: "b" }).tells(1).frame(1, "r", "b", [welcome()]);
  s.opened(2, "c", "b")
    .frame(2, "c", "b", [hello({ identity: "c", features: 0xc0 })])
    .frame(2, "b", "c", [{ ...welcome(), features: 0xc0 }]);
  return s.frame(1, "r", "b", [job(1)]).after(1);
};

const passed = (attempt = 1, attemptId = 1): Message => ({
  ...job(1, attempt, attemptId),
  route: { origin: "run", deadline: Number.POSITIVE_INFINITY, priority: 0, labels: [], avoid: [] },
});
const result = (attemptId: number, path?: string): Message => ({
  type: "JOBRES",
  attemptId,
  value: "ok",
  ...(path === undefined ? {} : { path }),
});
const begun = (s: Story, machine: string, run: number): Story =>
  s.see({ kind: "handler-started", machine, life: 1, capacity: 1, jobId: "run:1", attempt: 1, run });

/** A relay whose one worker has these labels hands back a job that requires two. */
const handsBack = (s: Story, labels: readonly string[]): Story => {
  const route = { origin: "run", deadline: 1_000, priority: 0, labels: ["big", "gpu"], avoid: [] };
  s.machine("r", "relay", "up", 2).machine("o", "runner").after(0);
  s.opened(9, "r", "o").opened(8, "c", "r");
  s.frame(9, "r", "o", [hello({ identity: "r", isRelay: true, labels: ["big", "gpu"] })]);
  s.frame(9, "o", "r", [
    { ...welcome(), features: 0x40 },
    { ...job(1), route },
  ]).after(1);
  s.stats({ capacity: 1, workers: [workerStats({ identity: "c", state: "busy", labels })] });
  return s.frame(9, "r", "o", [{ type: "REJECT", attemptId: 1, reason: "unfit" }]).after(1);
};

const TURNS = 0x100;

/** Two runners have dialled the worker `c` of one slot; the first has a job running there, both have one that waits. */
const shared = (s: Story): Story => {
  s.machine("o", "runner").machine("c", "worker");
  for (const [connection, runner] of [
    [1, "r"],
    [2, "o"],
  ] as const) {
    s.opened(connection, runner, "c").frame(connection, "c", runner, [
      hello({ identity: "c", features: TURNS, capacity: 2 }),
    ]);
    s.frame(connection, runner, "c", [{ ...welcome(), runnerId: runner, features: TURNS }]);
  }
  s.after(1).frame(1, "r", "c", [job(1)]);
  s.see({ kind: "handler-started", machine: "c", life: 1, capacity: 1, jobId: "r:1", attempt: 1, run: 1 }).after(1);
  s.frame(1, "r", "c", [job(2, 1, 2)]).frame(1, "c", "r", [{ type: "WAITING", attemptId: 2 }]);
  s.frame(2, "o", "c", [job(1)])
    .frame(2, "c", "o", [{ type: "WAITING", attemptId: 1 }])
    .after(1);
  return s.see({ kind: "handler-ended", machine: "c", life: 1, run: 1, value: "ok" });
};
const hasSlot = (s: Story, jobId: string): Story =>
  s.see({ kind: "handler-started", machine: "c", life: 1, capacity: 1, jobId, attempt: 1, run: 2 });

const SHARED: readonly Rule[] = [
  {
    promise: "fair-turns",
    rule: "a free slot goes to the runner whose turn is longest ago",
    kept: (s) => hasSlot(shared(s), "o:1"),
    broken: (s) => hasSlot(shared(s), "r:2"),
  },
  {
    promise: "waits-unrefused",
    rule: "a job that finds no slot is not refused",
    kept: (s) => shared(s).frame(2, "c", "o", [{ type: "REJECT", attemptId: 1, reason: "draining" }]),
    broken: (s) => shared(s).frame(2, "c", "o", [{ type: "REJECT", attemptId: 1, reason: "overloaded" }]),
  },
];

const streaming = (s: Story, attempt = 1): Story =>
  s.event({ type: "job-started", jobId: 1, attempt, identity: "w" }).tells(1, { ...job(1, attempt), credit: 100 });
const item: Message = { type: "ITEM", attemptId: 1, value: "x" };
const credit: Message = { type: "CREDIT", attemptId: 1, bytes: 65 };
const end: Message = { type: "JOBRES", attemptId: 1, value: "", endsStream: true };

const STREAMS: readonly Rule[] = [
  {
    promise: "nonsense-ends-its-connection",
    rule: "an item without credit ends the connection",
    kept: (s) =>
      streaming(s.joins().submitted(1)).says(1, item, item).tells(1, credit).says(1, item, end).succeeds(1, ""),
    broken: (s) => streaming(s.joins().submitted(1)).says(1, item, item, item).after(1),
  },
  {
    promise: "nonsense-ends-its-connection",
    rule: "a plain result after items ends the connection",
    kept: (s) =>
      streaming(s.joins().submitted(1))
        .says(1, item, { ...end, value: "ok" })
        .succeeds(1),
    broken: (s) => streaming(s.joins().submitted(1)).says(1, item).answers(1).after(1),
  },
  {
    promise: "nonsense-ends-its-connection",
    rule: "a job handed back after items ends the connection",
    kept: (s) => streaming(s.joins().submitted(1)).says(1, { type: "REJECT", attemptId: 1, reason: "overloaded" }),
    broken: (s) =>
      streaming(s.joins().submitted(1)).says(1, item, { type: "REJECT", attemptId: 1, reason: "overloaded" }).after(1),
  },
];

const RELAYS: readonly Rule[] = [
  {
    promise: "starts-once",
    rule: "an attempt starts on one worker of all fleets",
    kept: (s) => begun(between(s).frame(2, "b", "c", [passed()]).after(1), "c", 1).after(1),
    broken: (s) => {
      begun(between(s).frame(2, "b", "c", [passed()]).after(1), "c", 1).after(1);
      return begun(s, "w", 2).after(1);
    },
  },
  {
    promise: "relay-passes-on",
    rule: "a relay passes on what it was given",
    kept: (s) => between(s).frame(2, "b", "c", [passed()]).after(1),
    broken: (s) =>
      between(s)
        .frame(2, "b", "c", [passed(2)])
        .after(1),
  },
  {
    promise: "relay-passes-on",
    rule: "a relay passes CANCEL on at once",
    kept: (s) => {
      between(s).frame(2, "b", "c", [passed()]).after(1);
      return s
        .frame(1, "r", "b", [cancel(1)])
        .frame(2, "b", "c", [cancel(1)])
        .after(1)
        .after(1);
    },
    broken: (s) => {
      between(s).frame(2, "b", "c", [passed()]).after(1);
      return s
        .frame(1, "r", "b", [cancel(1)])
        .after(1)
        .after(1);
    },
  },
  {
    promise: "relay-answers",
    rule: "a relay answers what its worker answered, with the path",
    kept: (s) => {
      between(s)
        .frame(2, "b", "c", [passed()])
        .frame(2, "c", "b", [result(1)]);
      return s.frame(1, "b", "r", [result(1, "c")]).after(1);
    },
    broken: (s) => {
      between(s)
        .frame(2, "b", "c", [passed()])
        .frame(2, "c", "b", [result(1)]);
      return s.frame(1, "b", "r", [result(1, "b")]).after(1);
    },
  },
  {
    promise: "relay-answers",
    rule: "what was lost in the fleet is not handed back",
    kept: (s) => between(s).frame(2, "b", "c", [passed()]).frame(2, "c", "b", [reject]).frame(1, "b", "r", [reject]),
    broken: (s) => between(s).frame(2, "b", "c", [passed()]).closed(2, false, "b").frame(1, "b", "r", [reject]),
  },
  {
    promise: "relay-passes-on",
    rule: "a relay sends a job once to a relay that has no worker for it, until that tells other slots",
    kept: (s) => {
      const unfit: Message = { type: "REJECT", attemptId: 1, reason: "unfit" };
      const offer: Message = { type: "CAPACITY", capacity: 2, labels: [] };
      return between(s)
        .frame(2, "b", "c", [passed()])
        .frame(2, "c", "b", [unfit, offer])
        .frame(2, "b", "c", [passed(1, 2)])
        .after(1);
    },
    broken: (s) =>
      between(s)
        .frame(2, "b", "c", [passed()])
        .frame(2, "c", "b", [{ type: "REJECT", attemptId: 1, reason: "unfit" }])
        .frame(2, "b", "c", [passed(1, 2)])
        .after(1),
  },
  {
    promise: "relay-answers",
    rule: "a relay hands back what none of its workers fits, and nothing else",
    kept: (s) => handsBack(s, ["gpu"]),
    broken: (s) => handsBack(s, ["big", "gpu"]),
  },
  {
    promise: "relay-tells-its-fleet",
    rule: "a relay tells the slots that its fleet has now",
    kept: (s) => {
      s.machine("r", "relay", "up", 2).machine("o", "runner").after(0).opened(9, "r", "o");
      s.frame(9, "r", "o", [hello({ identity: "r", isRelay: true, capacity: 0 })])
        .frame(9, "o", "r", [{ ...welcome(), features: 0xc0 }])
        .after(1);
      s.stats({ capacity: 2 })
        .frame(9, "r", "o", [{ type: "CAPACITY", capacity: 2, labels: [] }])
        .after(1);
      return s.see({ kind: "note", text: "later" }).after(1);
    },
    broken: (s) => {
      s.machine("r", "relay", "up", 2).machine("o", "runner").after(0).opened(9, "r", "o");
      s.frame(9, "r", "o", [hello({ identity: "r", isRelay: true, capacity: 0 })])
        .frame(9, "o", "r", [{ ...welcome(), features: 0xc0 }])
        .after(1);
      s.stats({ capacity: 2 }).after(1);
      return s.see({ kind: "note", text: "later" }).after(1);
    },
  },
];

export const RULES: readonly Rule[] = [
  ...RELAYS,
  ...SHARED,
  ...STREAMS,
  ...SETTLEMENT,
  ...RESULTS,
  ...SESSIONS,
  ...QUEUE,
  ...LIVES,
  ...SESSION_ENDS,
  ...LEAVING,
  ...WORKERS,
];
