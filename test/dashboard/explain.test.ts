/** Why nothing runs, in words: each reason there is, on a runner that has it. */
import { describe, expect, test } from "vitest";
import type { RunnerStats, WorkerStats } from "../../src/index.ts";
import { explain } from "../../src/dashboard/explain.ts";
import { emptyStats } from "../support/empty-stats.ts";

const NOTHING = emptyStats();

function worker(state: WorkerStats["state"], inFlight: number = 0, unread: number = 0, identity = "w"): WorkerStats {
  const peer = { transport: "memory", address: "here", principal: "local" };
  return { identity, peer, state, labels: [], capacity: 1, inFlight, unread, waiting: 0, served: 0, age: 0 };
}

describe("the dashboard says", () => {
  test.each<[string, Partial<RunnerStats>, string, string]>([
    ["that it starts", { state: "starting" }, "idle", "is starting"],
    ["that it has stopped", { state: "stopped" }, "ending", "has stopped"],
    ["what is left to drain", { state: "draining", running: 1, queued: 2 }, "ending", "3 jobs of it are left"],
    ["that all is drained", { state: "draining" }, "ending", "nothing is left"],
    ["that there is nothing to do", { workers: [worker("idle")], capacity: 1 }, "idle", "Nothing to do"],
    ["that nothing is there at all", {}, "idle", "No job waits, and no worker is registered"],
    ["that nobody is registered", { queued: 1 }, "stuck", "1 job waits: no worker is registered; start one"],
    ["who is at the door", { queued: 2, pending: 1 }, "stuck", "1 connection said no hello yet"],
    ["that all are suspect", { queued: 2, workers: [worker("suspect")] }, "stuck", "every worker is suspect"],
    ["that all leave", { queued: 2, workers: [worker("draining")] }, "stuck", "every worker is leaving"],
    [
      "that some are suspect and the others leave",
      { queued: 2, workers: [worker("suspect"), worker("draining")] },
      "stuck",
      "no worker can take it: 1 suspect, 1 leaving",
    ],
    [
      "that handlers of abandoned jobs hold all slots",
      { queued: 1, workers: [worker("busy", 1)], capacity: 1 },
      "stuck",
      "given up and whose handler has not ended",
    ],
    [
      "that somebody holds the workers",
      { queued: 1_500, workers: [worker("idle")], capacity: 1 },
      "stuck",
      "1,500 jobs wait: workers are there, but somebody holds them",
    ],
    [
      "that nobody has a label",
      {
        queued: 2,
        workers: [worker("idle")],
        capacity: 1,
        waiting: [{ require: ["gpu"], except: [], jobs: 2, workers: 0 }],
      },
      "stuck",
      "2 jobs wait for a worker with the label gpu, and none is registered.",
    ],
    [
      "that nobody has the labels of some, while others run",
      {
        queued: 3,
        running: 1,
        workers: [worker("busy", 1)],
        capacity: 1,
        waiting: [
          { require: [], except: [], jobs: 1, workers: 1 },
          { require: ["gpu", "cuda"], except: [], jobs: 1, workers: 0 },
          { require: ["x"], except: ["anna"], jobs: 1, workers: 0 },
        ],
      },
      "stuck",
      "1 job runs on 1 worker. 1 job waits for a worker with the labels gpu, cuda, and none is registered. Nor are there workers for 1 other kind of jobs.",
    ],
    [
      "that too few principals are there",
      { queued: 1, workers: [worker("idle")], waiting: [{ require: [], except: ["anna"], jobs: 1, workers: 0 }] },
      "stuck",
      "1 job waits for a worker of another principal than those that have answered, and none is registered.",
    ],
    ["that jobs wait for another try", { backoff: 1, workers: [worker("idle")] }, "stuck", "1 job has failed"],
    ["what runs", { running: 1, capacity: 4, workers: [worker("busy", 1)] }, "busy", "1 job runs on 1 worker."],
    [
      "that all slots are busy",
      { running: 2, capacity: 2, queued: 3, prefetched: 1, workers: [worker("busy", 1), worker("busy", 1)] },
      "busy",
      "2 jobs run on 2 workers. All slots are busy; 3 jobs wait.",
    ],
    [
      "that readers who do not read hold all slots",
      {
        running: 2,
        capacity: 2,
        queued: 3,
        workers: [worker("busy", 1, 1, "one"), worker("busy", 1, 1, "two\u001b[2J")],
      },
      "stuck",
      "All slots are busy; 3 jobs wait. 2 jobs give streams that stand still as their readers do not read, on one and two\\x1b[2J.",
    ],
    [
      "that some readers do not read",
      {
        running: 6,
        capacity: 6,
        queued: 1,
        workers: [worker("busy", 1), ...["a", "b", "c", "d", "e"].map((identity) => worker("busy", 1, 1, identity))],
      },
      "busy",
      "1 job waits. 5 jobs give streams that stand still as their readers do not read, on a, b, c and 2 more workers.",
    ],
    [
      "nothing of that while slots are free",
      { running: 1, capacity: 2, workers: [worker("busy", 1, 1)] },
      "busy",
      "1 job runs on 1 worker.",
    ],
  ])("%s", (_what, stats, severity, words) => {
    const said = explain({ ...NOTHING, ...stats });
    expect(said).toEqual({ severity, text: expect.stringContaining(words) as string });
  });
});
