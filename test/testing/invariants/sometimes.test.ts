import { describe, expect, it } from "vitest";
import {
  AbortError,
  EncodingError,
  ExecutionError,
  NoWorkerError,
  QueueFullError,
  RunnerStoppedError,
  TimeoutError,
  WorkerLostError,
} from "../../../src/core/errors.ts";
import type { GoneReason } from "../../../src/core/events.ts";
import type { WireErrorCode } from "../../../src/core/protocol/message.ts";
import { COVERAGE_POINTS, type CoveragePoint } from "../../../src/testing/invariants/coverage-points.ts";
import { SETTLED, cancel, hello, HEARTBEAT, jobError, peerOf, type Plot, type Story, told } from "./story.ts";

const failure = new ExecutionError({ name: "Error", message: "no", code: "", stack: "" });

function fails(error: unknown): Plot {
  return (s) => s.submitted(1).fails(1, error, 0);
}

function gone(reason: GoneReason): Plot {
  return (s) => s.event({ type: "worker-gone", identity: "w", peer: peerOf("me"), reason, message: "", inFlight: 0 });
}

function refused(code: WireErrorCode): Plot {
  return (s) => s.opened(1).tells(1, { type: "ERROR", code, text: "", retryAfter: 0 });
}

function retried(outcome: "timeout" | "error" | "lost" | "rejected" | "not-sent", after = 0): Plot {
  return (s) => s.event({ type: "job-retried", jobId: 1, attempt: 1, identity: "w", outcome, after });
}

function disconnected(reason: "closed" | "lost" | "refused" | "unreachable"): Plot {
  return (s) => s.worker({ type: "disconnected", reason, message: "" });
}

/** A job that runs, waits or is to be tried again is aborted. */
function aborted(before: Plot): Plot {
  return (s) => {
    s.submitted(1, { signal: AbortSignal.abort("enough") });
    before(s);
    s.fails(1, "enough");
  };
}

function busy(s: Story): Story {
  return s.joins(1, { capacity: 2, blocking: true }).submitted(1, { maxLost: 1 }).starts(1);
}

/** A worker of one slot that has a job, and another one waiting. */
function crowded(s: Story): Story {
  return s.joins(1, { prefetchLimit: 1 }).submitted(1).submitted(2).starts(1).starts(2, 1, 2);
}

function lost(): WorkerLostError {
  return new WorkerLostError("", { attempts: [{ identity: "w", outcome: "lost", ms: 1 }] });
}

const STORIES: Readonly<Record<CoveragePoint, Plot>> = {
  "error: EXECUTION": fails(failure),
  "error: WORKER_LOST": fails(lost()),
  "error: NO_WORKER": fails(new NoWorkerError("")),
  "error: QUEUE_FULL": (s) =>
    s.see({
      kind: "settled",
      machine: "r",
      jobId: undefined,
      outcome: { ok: false, error: new QueueFullError("", { limit: "maxQueue", max: 1, queued: 1, queuedBytes: 8 }) },
    }),
  "error: ENCODING": fails(new EncodingError("")),
  "error: RUNNER_STOPPED": fails(new RunnerStoppedError("")),
  "error: ABORTED": fails(new AbortError("", "cancelled")),
  "error: a reason of the caller's own": fails(new Error("mine")),
  "error: TIMEOUT acquire": fails(new TimeoutError("", "acquire", 1)),
  "error: TIMEOUT queue": fails(new TimeoutError("", "queue", 1)),
  "error: TIMEOUT attempt": fails(new TimeoutError("", "attempt", 1)),
  "error: TIMEOUT deadline": fails(new TimeoutError("", "deadline", 1)),
  "gone: removed": gone("removed"),
  "gone: closed": gone("closed"),
  "gone: silent": gone("silent"),
  "gone: unresponsive": gone("unresponsive"),
  "gone: replaced": gone("replaced"),
  "gone: violation": gone("violation"),
  "gone: slow": gone("slow"),
  "gone: deleted": gone("deleted"),
  "gone: stopped": gone("stopped"),
  "refused: identity taken": refused("ID_TAKEN"),
  "refused: flapping": refused("FLAPPING"),
  "refused: busy": refused("BUSY"),
  "refused: another version": refused("VERSION"),
  "refused: no HELLO in time": refused("UNRESPONSIVE"),
  "refused: a violation": refused("PROTOCOL"),
  "abort while queued": aborted(() => undefined),
  "abort while running": aborted((s) => s.joins().starts(1)),
  "abort while in backoff": aborted(retried("lost", 10)),
  "backoff cut by the deadline": (s) => {
    s.submitted(1);
    retried("lost", 10)(s);
    s.fails(1, new TimeoutError("", "deadline", 1));
  },
  "cancel confirmed": (s) => busy(s).tells(1, cancel(1)).says(1, { type: "CANCELLED", attemptId: 1 }),
  "cancel not confirmed": gone("unresponsive"),
  "job crossed a REMOVE": (s) => busy(s).says(1, { type: "REJECT", attemptId: 1, reason: "draining" }),
  "job not sent": retried("not-sent"),
  "late result dropped": (s) => busy(s).tells(1, cancel(1)).answers(1),
  "passed while it waited for its labels": (s) => {
    s.joins()
      .submitted(1, { require: ["gpu"] })
      .submitted(2)
      .starts(2)
      .after(1);
  },
  "poison stop": (s) => busy(s).fails(1, lost()),
  "rejected and retried after a pause": retried("rejected", 10),
  "rejected and retried at once": retried("rejected"),
  prefetched: crowded,
  "prefetched and taken back": (s) =>
    crowded(s).see({ kind: "recalled", connection: 1, from: "r", to: "w", attemptId: 2 }),
  "prefetched and handed back": (s) =>
    crowded(s)
      .tells(1, { type: "CANCEL", attemptId: 2, reason: "recalled" })
      .says(1, { type: "REJECT", attemptId: 2, reason: "recalled" }),
  "prefetched and lost": (s) => crowded(s).closed(1),
  "result too large": (s) => {
    const error = { name: "RangeError", message: "", code: "RESULT_TOO_LARGE", stack: "" };
    busy(s).says(1, { type: "JOBERR", attemptId: 1, error, retryable: false, retryAfter: 0 });
  },
  "retry after an error": retried("error", 10),
  "retry after a loss": retried("lost", 10),
  "retry after a timeout": retried("timeout", 10),
  "retry succeeded": (s) => s.event({ ...SETTLED, ok: true, ms: 1, attempts: 2 }),
  "retry throttled": (s) => busy(s).says(1, jobError(1, true)).fails(1, failure),
  "busy blocking worker silent and spared": (s) =>
    busy(s)
      .after(4 * HEARTBEAT)
      .answers(1),
  "fewer slots offered": (s) => s.joins(1, { capacity: 2 }).opened(2).says(2, hello()),
  "suspect recovered": (s) => s.event({ type: "worker-recovered", identity: "w" }),
  suspected: (s) => s.event({ type: "worker-suspect", identity: "w" }),
  "worker disconnected: closed": disconnected("closed"),
  "worker disconnected: lost": disconnected("lost"),
  "worker disconnected: refused": disconnected("refused"),
  "worker disconnected: unreachable": disconnected("unreachable"),
  "worker restarted": (s) => s.machine("w", "worker", "down").machine("w", "worker", "up", 2),
  "worker retired": (s) =>
    s
      .joins(1)
      .opened(2)
      .says(2, hello({ instance: "i2" })),
  "answered twice": (s) => busy(s).answers(1).answers(1),
  "forged id": (s) => busy(s).answers(7),
  "garbage before HELLO": (s) => s.opened(1).answers(1),
  "malformed frame": (s) => s.opened(1).frame(1, "w", "r", undefined),
  "second HELLO": (s) => busy(s).says(1, hello()),
  "drained with nothing given up": (s) =>
    s.event({ type: "runner-state", state: "draining" }).event({ type: "runner-state", state: "stopped" }),
  "drain timeout hit": (s) => {
    s.submitted(1).event({ type: "runner-state", state: "draining" });
    s.fails(1, new RunnerStoppedError("the drain took over 5 ms"));
  },
  "runner restarted": (s) => s.machine("r", "runner", "down").machine("r", "runner", "up", 2),
  "send full": (s) => s.joins().frame(1, "r", "w", [], 5_000).closed(1),
  "stall guard used": (s) => {
    s.joins().machine("r", "runner", "stalled");
    s.shown.stoodStill = 4 * HEARTBEAT;
    s.after(1);
  },
};

function seen(plot: Plot): readonly string[] {
  const { counts } = told(plot).checkers.sometimes;
  return [...counts].filter(([, count]) => count > 0).map(([name]) => name);
}

describe("rare things", () => {
  it("are all listed from the beginning", () => {
    expect([...told(() => undefined).checkers.sometimes.counts]).toEqual(COVERAGE_POINTS.map((name) => [name, 0]));
  });

  it("are not seen where nothing happens", () => {
    expect(seen((s) => s.joins().submitted(1).starts(1).answers(1).succeeds(1).after(1).closed(1).after(1))).toEqual(
      [],
    );
  });

  it.each(Object.entries(STORIES))("%s", (name, plot) => {
    expect(seen(plot)).toContain(name);
  });
});

describe("what is no such thing", () => {
  it.each<[CoveragePoint, string, Plot]>([
    ["retry throttled", "the last attempt", (s) => busy(s).says(1, jobError(1, true)).fails(1, failure, 3)],
    [
      "retry throttled",
      "an error that asks for no retry",
      (s) => busy(s).says(1, jobError(1, false)).fails(1, failure),
    ],
    [
      "abort while in backoff",
      "one whose backoff is over",
      (s) => {
        s.submitted(1, { signal: AbortSignal.abort("enough") });
        retried("lost", 10)(s);
        s.after(11).fails(1, "enough");
      },
    ],
    [
      "worker retired",
      "one that was started again",
      (s) => {
        s.joins(1)
          .machine("w", "peer", "down")
          .machine("w", "peer", "up", 2)
          .opened(2)
          .says(2, hello({ instance: "i2" }));
      },
    ],
    [
      "stall guard used",
      "a pause too short for it",
      (s) => {
        s.joins().machine("r", "runner", "stalled");
        s.shown.stoodStill = HEARTBEAT;
        s.after(1);
      },
    ],
    ["drained with nothing given up", "a stop", (s) => s.event({ type: "runner-state", state: "stopped" })],
    ["poison stop", "fewer losses than are allowed", (s) => s.submitted(1, { maxLost: 2 }).fails(1, lost())],
  ])("%s: %s", (name, _what, plot) => {
    expect(seen(plot)).not.toContain(name);
  });
});
