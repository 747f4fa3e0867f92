/** A started runner's numbers before anything has happened. */
import type { RunnerStats } from "../../src/core/stats.ts";

export function emptyStats(): RunnerStats {
  return {
    state: "started",
    workers: [],
    capacity: 0,
    pending: 0,
    queued: 0,
    prefetched: 0,
    waiting: [],
    tasks: [],
    running: 0,
    backoff: 0,
    queuedBytes: 0,
    submitted: 0,
    succeeded: 0,
    failed: 0,
    retries: 0,
    returned: 0,
    streamBytes: 0,
    registered: 0,
    refused: 0,
    strikes: 0,
  };
}
