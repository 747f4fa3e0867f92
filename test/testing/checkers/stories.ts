/** For each promise: stories in which it is kept, and such in which it is broken. */
import {
  AbortError,
  ExecutionError,
  QueueFullError,
  RunnerStoppedError,
  TimeoutError,
} from "../../../src/core/errors.ts";
import type { Message } from "../../../src/core/message.ts";
import { cancel, hello, HEARTBEAT, job, jobError, peerOf, type Plot, workerStats } from "./story.ts";

/** One rule of a promise, told twice. */
export interface Rule {
  readonly promise: string;
  readonly rule: string;
  readonly kept: Plot;
  readonly broken: Plot;
}

const failure = new ExecutionError({ name: "Error", message: "no", code: "", stack: "" });
const reject = { type: "REJECT", attemptId: 1, reason: "overloaded" } as const;

function gone(reason: "closed" | "silent" | "replaced" | "removed", inFlight = 0, principal = "me", identity = "w") {
  return { type: "worker-gone", identity, peer: peerOf(principal), reason, message: "", inFlight } as const;
}

function retried(jobId: number, outcome: "timeout" | "error" | "lost" | "rejected", after = 0) {
  return { type: "job-retried", jobId, attempt: 1, outcome, after } as const;
}

function settled(error: unknown, attempts = 1) {
  return { type: "job-settled", jobId: 1, ok: false, ms: 0, attempts, error } as const;
}

const SETTLEMENT: readonly Rule[] = [
  {
    promise: "I1",
    rule: "a caller is told",
    kept: (s) => s.joins().submitted(1).starts(1).answers(1).succeeds(1).after(1).end(),
    broken: (s) => s.joins().submitted(1).starts(1).after(1).end(),
  },
  {
    promise: "I1",
    rule: "a caller is told once",
    kept: (s) => s.submitted(1).fails(1, new RunnerStoppedError("stop"), 0).after(1),
    broken: (s) => {
      s.submitted(1).fails(1, new RunnerStoppedError("stop"), 0).after(1);
      s.fails(1, new RunnerStoppedError("stop"), 0).after(1);
    },
  },
  {
    promise: "I1",
    rule: "a caller and the runner's listeners are told the same",
    kept: (s) => s.joins().submitted(1).starts(1).says(1, jobError(1, false)).fails(1, failure),
    broken: (s) => {
      s.joins().submitted(1).starts(1).says(1, jobError(1, false));
      s.see({ kind: "settled", machine: "r", jobId: 1, outcome: { ok: false, error: failure } });
      s.event(settled(new RunnerStoppedError("stop")));
    },
  },
  {
    promise: "I1",
    rule: "a job is taken in once",
    kept: (s) => s.submitted(1).submitted(2),
    broken: (s) => s.submitted(1).submitted(1),
  },
  {
    promise: "I2",
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
    promise: "I2",
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
    promise: "I2",
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
    promise: "I2",
    rule: "nobody waits for ever for a first worker",
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
    promise: "I2",
    rule: "an attempt is over by its timeout",
    kept: (s) => s.joins().submitted(1, { timeout: 50 }).starts(1).after(50).event(retried(1, "timeout")).after(1),
    broken: (s) => s.joins().submitted(1, { timeout: 50 }).starts(1).after(60).event(retried(1, "timeout")).after(1),
  },
  {
    promise: "I5",
    rule: "what a call fails with is of the closed set",
    kept: (s) => s.submitted(1).fails(1, new RunnerStoppedError("stop"), 0),
    broken: (s) => s.submitted(1).fails(1, new TypeError("x is undefined"), 0),
  },
  {
    promise: "I5",
    rule: "a call that was taken in does not fail for a reason to refuse it",
    kept: (s) =>
      s.see({ kind: "settled", machine: "r", jobId: undefined, outcome: { ok: false, error: new QueueFullError("") } }),
    broken: (s) => s.submitted(1).fails(1, new QueueFullError("full"), 0),
  },
  {
    promise: "I5",
    rule: "what a call is refused with is of the closed set",
    kept: (s) =>
      s.see({ kind: "settled", machine: "r", jobId: undefined, outcome: { ok: false, error: new Error("mine") } }),
    broken: (s) =>
      s.see({ kind: "settled", machine: "r", jobId: undefined, outcome: { ok: false, error: new ReferenceError("") } }),
  },
  {
    promise: "I5",
    rule: "only whoever can abort a call aborts it, and with his own reason",
    kept: (s) => {
      const signal = AbortSignal.abort("enough");
      s.submitted(1, { signal }).fails(1, "enough", 0);
    },
    broken: (s) => s.submitted(1).fails(1, new AbortError("aborted", "cancelled"), 0),
  },
  {
    promise: "I5",
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
    promise: "I5",
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
];

const RESULTS: readonly Rule[] = [
  {
    promise: "I3",
    rule: "a value is the one that came for the current attempt",
    kept: (s) => s.joins().submitted(1).starts(1).answers(1, "4").succeeds(1, "4"),
    broken: (s) => s.joins().submitted(1).starts(1).answers(1, "4").succeeds(1, "5"),
  },
  {
    promise: "I3",
    rule: "bytes count by what is in them",
    kept: (s) => s.joins().submitted(1).starts(1).answers(1, Uint8Array.of(4, 2)).succeeds(1, Uint8Array.of(4, 2)),
    broken: (s) => s.joins().submitted(1).starts(1).answers(1, Uint8Array.of(4, 2)).succeeds(1, Uint8Array.of(4, 3)),
  },
  {
    promise: "I3",
    rule: "a late value is dropped",
    kept: (s) => {
      s.joins(1, { capacity: 2 }).submitted(1).starts(1).after(1).tells(1, cancel(1)).event(retried(1, "timeout"));
      s.starts(1, 2, 2).answers(1, "late").answers(2, "right").succeeds(1, "right").after(1);
    },
    broken: (s) => {
      s.joins(1, { capacity: 2 }).submitted(1).starts(1).after(1).tells(1, cancel(1)).event(retried(1, "timeout"));
      s.starts(1, 2, 2).answers(1, "late").succeeds(1, "late");
    },
  },
  {
    promise: "I3",
    rule: "a value that has come is not thrown away",
    kept: (s) => s.joins().submitted(1).starts(1).tells(1, cancel(1)).answers(1).fails(1, new RunnerStoppedError("")),
    broken: (s) => s.joins().submitted(1).starts(1).answers(1).fails(1, new RunnerStoppedError("")),
  },
  {
    promise: "I9",
    rule: "a job has one current attempt",
    kept: (s) => {
      s.joins().joins(2, { identity: "v" }).submitted(1).starts(1).after(1).event(retried(1, "timeout"));
      s.starts(1, 2, 1, 2).tells(1, cancel(1)).after(1);
    },
    broken: (s) => {
      s.joins().joins(2, { identity: "v" }).submitted(1).starts(1).after(1).event(retried(1, "timeout"));
      s.starts(1, 2, 1, 2).after(1).tells(1, cancel(1)).after(1);
    },
  },
  {
    promise: "I9",
    rule: "attempts of a connection are counted by one",
    kept: (s) => s.joins(1, { capacity: 2 }).submitted(1).submitted(2).starts(1, 1, 1).starts(2, 1, 2),
    broken: (s) => s.joins(1, { capacity: 2 }).submitted(1).submitted(2).starts(1, 1, 1).starts(2, 1, 3),
  },
  {
    promise: "I17",
    rule: "attempt numbers grow",
    kept: (s) => s.joins().submitted(1).starts(1).says(1, jobError(1, true)).event(retried(1, "error")).starts(1, 2, 2),
    broken: (s) =>
      s.joins().submitted(1).starts(1).says(1, jobError(1, true)).event(retried(1, "error")).starts(1, 1, 2),
  },
  {
    promise: "I17",
    rule: "a job that is handed back did not use up an attempt, but there is no other way back",
    kept: (s) => s.joins().submitted(1).starts(1).says(1, reject).event(retried(1, "rejected")).starts(1, 1, 2),
    broken: (s) => s.joins().submitted(1).starts(1).tells(1, cancel(1)).says(1, reject).starts(1, 1, 2),
  },
  {
    promise: "I17",
    rule: "there are no more attempts than were asked for",
    kept: (s) => s.joins().submitted(1, { attempts: 2 }).starts(1).says(1, jobError(1, true)).starts(1, 2, 2),
    broken: (s) => s.joins().submitted(1, { attempts: 1 }).starts(1).says(1, jobError(1, true)).starts(1, 2, 2),
  },
  {
    promise: "I17",
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
    promise: "I18",
    rule: "an error that does not ask for it is not tried again",
    kept: (s) => s.joins().submitted(1).starts(1).says(1, jobError(1, true)).starts(1, 2, 2),
    broken: (s) => s.joins().submitted(1).starts(1).says(1, jobError(1, false)).starts(1, 2, 2),
  },
  {
    promise: "I18",
    rule: "a timeout is not tried again when that was asked for",
    kept: (s) => s.joins(1, { capacity: 2 }).submitted(1).starts(1).tells(1, cancel(1)).starts(1, 2, 2),
    broken: (s) =>
      s.joins(1, { capacity: 2 }).submitted(1, { retryOnTimeout: false }).starts(1).tells(1, cancel(1)).starts(1, 2, 2),
  },
  {
    promise: "I18",
    rule: "an aborted job is not tried again",
    kept: (s) => s.joins(1, { capacity: 2 }).submitted(1).starts(1).tells(1, cancel(1)).starts(1, 2, 2),
    broken: (s) => s.joins(1, { capacity: 2 }).submitted(1).starts(1).tells(1, cancel(1, "cancelled")).starts(1, 2, 2),
  },
  {
    promise: "I18",
    rule: "a settled job is not sent",
    kept: (s) => s.joins().submitted(1).starts(1).answers(1).succeeds(1).after(1).submitted(2).starts(2, 1, 2),
    broken: (s) => {
      s.joins().submitted(1).starts(1).answers(1).succeeds(1).after(1);
      s.tells(1, job(1, 2, 2));
    },
  },
  {
    promise: "I6",
    rule: "a settled job lets go of its attempt",
    kept: (s) => s.joins().submitted(1).starts(1).fails(1, new RunnerStoppedError("")).tells(1, cancel(1)).after(1),
    broken: (s) => s.joins().submitted(1).starts(1).fails(1, new RunnerStoppedError("")).after(1),
  },
  {
    promise: "I20",
    rule: "retries of a storm are stopped",
    kept: (s) => storm(s, 4),
    broken: (s) => storm(s, 5),
  },
];

/** So many jobs in a row fail once and are tried again. */
function storm(s: Parameters<Plot>[0], failures: number): void {
  s.joins(1, { capacity: 100 });
  for (let jobId = 1; jobId <= failures; jobId++) {
    const attemptId = 2 * jobId - 1;
    s.submitted(jobId).starts(jobId, 1, attemptId).says(1, jobError(attemptId, true));
    s.event(retried(jobId, "error")).starts(jobId, 2, attemptId + 1);
  }
}

/** What a worker with one attempt in flight must not say. */
const UNSPEAKABLE: Readonly<Record<string, Message>> = {
  "a forged attempt": { type: "JOBRES", attemptId: 9, value: "" },
  "a second HELLO": hello(),
  "an unasked CANCELLED": { type: "CANCELLED", attemptId: 1 },
  "a runner's word": { type: "REMOVED" },
};

const SESSIONS: readonly Rule[] = [
  {
    promise: "I7",
    rule: "no more is in flight than there are slots",
    kept: (s) => s.joins(1, { capacity: 2 }).submitted(1).submitted(2).starts(1, 1, 1).starts(2, 1, 2),
    broken: (s) => s.joins().submitted(1).submitted(2).starts(1, 1, 1).starts(2, 1, 2),
  },
  {
    promise: "I7",
    rule: "a cancelled attempt keeps its slot until that is confirmed",
    kept: (s) =>
      s
        .joins()
        .submitted(1)
        .starts(1)
        .tells(1, cancel(1))
        .says(1, { type: "CANCELLED", attemptId: 1 })
        .submitted(2)
        .starts(2, 1, 2),
    broken: (s) => s.joins().submitted(1).starts(1).tells(1, cancel(1)).submitted(2).starts(2, 1, 2),
  },
  {
    promise: "I7",
    rule: "the runner's own numbers say so, too",
    kept: (s) => s.stats({ workers: [workerStats({ inFlight: 1 })] }).after(1),
    broken: (s) => s.stats({ workers: [workerStats({ inFlight: 2 })] }).after(1),
  },
  {
    promise: "I11",
    rule: "nobody is given a job before WELCOME",
    kept: (s) => s.joins().submitted(1).starts(1),
    broken: (s) => s.opened(1).says(1, hello()).submitted(1).starts(1),
  },
  {
    promise: "I11",
    rule: "who has asked to leave is given no job",
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
    promise: "I11",
    rule: "who was sent away is given no job",
    kept: (s) => s.joins().submitted(1).starts(1).tells(1, { type: "GOAWAY", reason: "stopping", retryAfter: 0 }),
    broken: (s) =>
      s.joins().submitted(1).tells(1, { type: "GOAWAY", reason: "stopping", retryAfter: 0 }).after(1).starts(1),
  },
  {
    promise: "I11",
    rule: "who is gone is not among the workers",
    kept: (s) => s.stats({ workers: [workerStats({ state: "draining" })] }).after(1),
    broken: (s) => s.stats({ workers: [workerStats({ state: "gone" })] }).after(1),
  },
  {
    promise: "I15",
    rule: "ERROR is the last word",
    kept: (s) => s.joins().submitted(1).starts(1).tells(1, wireError()).closed(1),
    broken: (s) => s.joins().submitted(1).tells(1, wireError()).starts(1),
  },
  {
    promise: "I15",
    rule: "REMOVED is the last word",
    kept: (s) => s.joins().says(1, { type: "REMOVE" }).tells(1, { type: "REMOVED" }).closed(1),
    broken: (s) => s.joins().tells(1, { type: "REMOVED" }, { type: "PING", nonce: 1 }),
  },
  {
    promise: "I15",
    rule: "nothing is sent on a connection that is closed",
    kept: (s) => s.joins().tells(1, { type: "PING", nonce: 1 }).closed(1),
    broken: (s) => s.joins().closed(1).tells(1, { type: "PING", nonce: 1 }),
  },
  ...Object.entries(UNSPEAKABLE).map(([what, message]): Rule => ({
    promise: "I28",
    rule: `${what} ends the connection`,
    kept: (s) => s.joins().submitted(1).starts(1).after(1).says(1, message).closed(1).after(1),
    broken: (s) => s.joins().submitted(1).starts(1).after(1).says(1, message).after(1),
  })),
  {
    promise: "I28",
    rule: "anything before HELLO ends the connection",
    kept: (s) => s.opened(1).answers(1).closed(1).after(1),
    broken: (s) => s.opened(1).answers(1).after(1),
  },
  {
    promise: "I28",
    rule: "a malformed frame ends the connection",
    kept: (s) => s.joins().frame(1, "w", "r", undefined).closed(1).after(1),
    broken: (s) => s.joins().frame(1, "w", "r", undefined).after(1),
  },
  {
    promise: "I14",
    rule: "a name has one session",
    kept: (s) => s.joins().tells(1, wireError()).closed(1).event(gone("replaced")).joins(2),
    broken: (s) =>
      s
        .joins()
        .opened(2)
        .says(2, hello())
        .tells(2, { ...WELCOME }),
  },
  {
    promise: "I14",
    rule: "a name is told to be there once",
    kept: (s) => s.joins().closed(1, false).event(gone("closed")).joins(2),
    broken: (s) => s.joins().closed(1, false).joins(2),
  },
  {
    promise: "I16",
    rule: "a name goes to nobody else while it is held",
    kept: (s) => s.joins().closed(1).event(gone("replaced")).joins(2, {}, "me"),
    broken: (s) => s.joins().closed(1).event(gone("replaced")).joins(2, {}, "you"),
  },
  {
    promise: "I16",
    rule: "who comes is who goes",
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
} as const;

function wireError() {
  return { type: "ERROR", code: "REPLACED", text: "", retryAfter: 0 } as const;
}

const QUEUE: readonly Rule[] = [
  {
    promise: "I10",
    rule: "no job is lost from the count",
    kept: (s) => s.stats({ submitted: 5, succeeded: 1, failed: 1, queued: 1, running: 1, backoff: 1 }).after(1),
    broken: (s) => s.stats({ submitted: 5, succeeded: 1, failed: 1, queued: 1, running: 1 }).after(1),
  },
  {
    promise: "I12",
    rule: "no slot is free beside a job that waits",
    kept: (s) => s.stats({ submitted: 1, queued: 1, workers: [workerStats({ inFlight: 1 })] }).after(1),
    broken: (s) => s.stats({ submitted: 1, queued: 1, workers: [workerStats()] }).after(1),
  },
  {
    promise: "I12",
    rule: "only slots that somebody holds, and workers that may not be given work, do not count",
    kept: (s) => {
      s.shown.held = 1;
      s.stats({ submitted: 1, queued: 1, workers: [workerStats(), workerStats({ state: "suspect" })] }).after(1);
    },
    broken: (s) => {
      s.shown.held = 1;
      s.stats({ submitted: 1, queued: 1, workers: [workerStats({ capacity: 2 })] }).after(1);
    },
  },
  {
    promise: "I12",
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
    promise: "I13",
    rule: "jobs start in the order they came",
    kept: (s) => s.joins(1, { capacity: 2 }).submitted(1).submitted(2).starts(1, 1, 1).starts(2, 1, 2),
    broken: (s) => s.joins(1, { capacity: 2 }).submitted(1).submitted(2).starts(2, 1, 1).starts(1, 1, 2),
  },
  {
    promise: "I13",
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
    promise: "I19",
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
    promise: "I27",
    rule: "the queue is bounded, but for what comes back",
    kept: (s) => {
      s.stats({ submitted: 12, queued: 10, running: 2 }).after(1);
      s.stats({ queued: 12, running: 0, retries: 2 }).after(1);
    },
    broken: (s) => s.stats({ submitted: 11, queued: 11 }).after(1),
  },
  {
    promise: "I27",
    rule: "connections without a HELLO are bounded",
    kept: (s) => s.stats({ pending: 2 }).after(1),
    broken: (s) => s.stats({ pending: 3 }).after(1),
  },
  {
    promise: "I27",
    rule: "workers are bounded",
    kept: (s) => s.stats({ workers: ["a", "b", "c"].map((identity) => workerStats({ identity })) }).after(1),
    broken: (s) => s.stats({ workers: ["a", "b", "c", "d"].map((identity) => workerStats({ identity })) }).after(1),
  },
  {
    promise: "I27",
    rule: "what waits at a connection is bounded",
    kept: (s) => {
      s.shown.bufferedBytes = 10_000;
      s.joins().see({ kind: "sent", connection: 1, from: "r", to: "w", messages: [], bytes: 1_000_000 }).after(1);
    },
    broken: (s) => {
      s.shown.bufferedBytes = 1_000_000;
      s.joins().see({ kind: "sent", connection: 1, from: "r", to: "w", messages: [], bytes: 1_000_000 }).after(1);
    },
  },
  {
    promise: "I6",
    rule: "nothing keeps the process alive when nobody waits",
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
    promise: "I24",
    rule: "nothing is left at the end",
    kept: (s) => s.end(),
    broken: (s) => {
      s.shown.timers = 1;
      s.end();
    },
  },
  {
    promise: "I24",
    rule: "a runner that has stopped has settled everything",
    kept: (s) => s.stats({ state: "stopped", submitted: 1, failed: 1 }).after(1),
    broken: (s) => s.stats({ state: "stopped", submitted: 1, running: 1 }).after(1),
  },
];

const LIVES: readonly Rule[] = [
  {
    promise: "I22",
    rule: "nobody is silent who was heard in time",
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
    promise: "I22",
    rule: "a runner that wakes reads before it judges",
    kept: (s) => stalls(s).after(HEARTBEAT).closed(1).event(gone("silent")),
    broken: (s) => stalls(s).closed(1).event(gone("silent")),
  },
  {
    promise: "I23",
    rule: "who is silent is found out",
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
    promise: "I23",
    rule: "only who blocks and is busy is spared",
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
    promise: "I25",
    rule: "a runner that drains takes nothing in",
    kept: (s) => s.submitted(1).event({ type: "runner-state", state: "draining" }),
    broken: (s) => s.event({ type: "runner-state", state: "draining" }).submitted(1),
  },
  {
    promise: "I25",
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
    promise: "I25",
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
    promise: "I25",
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
    promise: "I26",
    rule: "who is let go takes no job along, as the runner tells",
    kept: (s) => s.joins().says(1, { type: "REMOVE" }).tells(1, { type: "REMOVED" }).closed(1).event(gone("removed")),
    broken: (s) => s.joins().closed(1).event(gone("removed", 1)),
  },
  {
    promise: "I26",
    rule: "who is let go takes no job along, as the frames tell",
    kept: (s) => s.joins().submitted(1).starts(1).answers(1).says(1, { type: "REMOVE" }).tells(1, { type: "REMOVED" }),
    broken: (s) => s.joins().submitted(1).starts(1).says(1, { type: "REMOVE" }).tells(1, { type: "REMOVED" }),
  },
];

/** The runner stands still for longer than anybody may be silent. */
function stalls(s: Parameters<Plot>[0]): Parameters<Plot>[0] {
  s.joins().after(HEARTBEAT).machine("r", "runner", "stalled");
  s.shown.stoodStill = 4 * HEARTBEAT;
  return s.after(4 * HEARTBEAT).machine("r", "runner");
}

/** A worker that is not a script, and its handler. */
function works(s: Parameters<Plot>[0], capacity = 1): Parameters<Plot>[0] {
  return s.machine("w", "worker").joins(1, { capacity }).submitted(1).starts(1);
}

function runs(run: number, jobId = "run-1", attempt = 1) {
  return { kind: "handler-started", machine: "w", life: 1, capacity: 1, jobId, attempt, run } as const;
}

function returns(run: number, value: string | undefined = "ok") {
  return { kind: "handler-ended", machine: "w", life: 1, run, value } as const;
}

const WORKERS: readonly Rule[] = [
  {
    promise: "I4",
    rule: "a worker sends what its handler returned",
    kept: (s) => works(s).see(runs(1)).see(returns(1, "4")).answers(1, "4"),
    broken: (s) => works(s).see(runs(1)).see(returns(1, "4")).answers(1, "5"),
  },
  {
    promise: "I4",
    rule: "a worker runs what it was given",
    kept: (s) => works(s).see(runs(1)),
    broken: (s) => works(s).see(runs(1, "run-2")),
  },
  {
    promise: "I4",
    rule: "a worker answers what it was given",
    kept: (s) => works(s).see(runs(1)).see(returns(1)).answers(1),
    broken: (s) => {
      s.machine("w", "worker").joins();
      s.see({ kind: "sent", connection: 1, from: "w", to: "r", messages: [reject], bytes: 10 });
    },
  },
  {
    promise: "I8",
    rule: "a worker runs no more handlers than it offers",
    kept: (s) => {
      works(s, 2).submitted(2).starts(2, 1, 2);
      s.see(runs(1)).see(returns(1)).see(runs(2, "run-2"));
    },
    broken: (s) => {
      works(s, 2).submitted(2).starts(2, 1, 2);
      s.see(runs(1)).see(runs(2, "run-2"));
    },
  },
  {
    promise: "I8",
    rule: "the handlers of an earlier start do not count, and none ends twice",
    kept: (s) => {
      works(s).see(runs(1)).machine("w", "worker", "down").machine("w", "worker", "up", 2);
      s.closed(1, false)
        .event(gone("closed", 1))
        .joins(2)
        .starts(1, 2, 1, 2)
        .see({ ...runs(2, "run-1", 2), life: 2 });
    },
    broken: (s) => works(s).see(runs(1)).see(returns(1)).see(returns(1)),
  },
  {
    promise: "I26",
    rule: "a worker does not hand back what it has begun",
    kept: (s) => works(s).says(1, reject),
    broken: (s) => works(s).see(runs(1)).says(1, reject),
  },
];

/** All of them. */
export const RULES: readonly Rule[] = [...SETTLEMENT, ...RESULTS, ...SESSIONS, ...QUEUE, ...LIVES, ...WORKERS];
