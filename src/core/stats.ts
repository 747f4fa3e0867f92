/** A runner's numbers at one moment: plain data, made on demand. */
import type { RunnerState } from "./events.ts";
import type { Peer } from "./peer.ts";

/** One registered worker. */
export interface WorkerStats {
  /** The worker's name. */
  readonly identity: string;
  /** The worker according to the transport. */
  readonly peer: Peer;
  /** Where it is in its life. */
  readonly state: SessionState;
  /** The labels it came with. */
  readonly labels: readonly string[];
  /** How many jobs it takes at a time. */
  readonly capacity: number;
  /** Jobs in its slots. */
  readonly inFlight: number;
  /** How many of them give streams that stand still, as their readers do not read. */
  readonly unread: number;
  /** Jobs that were prefetched to it and have not begun. */
  readonly waiting: number;
  /** Jobs it has answered in this session. */
  readonly served: number;
  /** Milliseconds since it registered. */
  readonly age: number;
}

/** What waits for workers of one kind. */
export interface WaitingStats {
  /** Labels that a worker must have; empty: any worker will do. */
  readonly require: readonly string[];
  /** Principals that it must not belong to: they have answered jobs that are being verified. */
  readonly except: readonly string[];
  /** How many wait in the queue: jobs, and calls of `acquire`. Prefetched jobs wait elsewhere. */
  readonly jobs: number;
  /** Registered workers that would do, whatever their state: with none, these jobs wait for one to come. */
  readonly workers: number;
}

/** One typed task: what is there of it now. */
export interface TaskStats {
  /** Its name. */
  readonly task: string;
  /** Registered workers that have it, whatever their state. */
  readonly workers: number;
  /** Its jobs that wait in the queue. Prefetched jobs wait elsewhere. */
  readonly queued: number;
  /** Its jobs in workers' slots. */
  readonly running: number;
}

/** What a runner has and has had. */
export interface RunnerStats {
  /** Where it is in its life. */
  readonly state: RunnerState;
  /** Registered workers, in the order they came. */
  readonly workers: readonly WorkerStats[];
  /** Slots of the workers that can be given work. */
  readonly capacity: number;
  /** Connections that have not said HELLO yet. */
  readonly pending: number;
  /** Jobs that wait for a slot, those that were prefetched included. */
  readonly queued: number;
  /** How many of them were prefetched to a worker. */
  readonly prefetched: number;
  /** What of them waits here, by what it asks of a worker; at most 100 entries. */
  readonly waiting: readonly WaitingStats[];
  /** The typed tasks that workers have or jobs wait for, by name; at most 100 entries. */
  readonly tasks: readonly TaskStats[];
  /** Jobs in a worker's slot. */
  readonly running: number;
  /** Jobs that wait before their next attempt. */
  readonly backoff: number;
  /** Bytes of all jobs that wait: queued, prefetched or in backoff. `maxQueueBytes` bounds them. */
  readonly queuedBytes: number;
  /** Bytes of items that streams whose calls run may hold unread. `maxStreamBytes` bounds them. */
  readonly streamBytes: number;
  /** Jobs accepted since the runner was made. */
  readonly submitted: number;
  /** Jobs settled with a value. */
  readonly succeeded: number;
  /** Jobs settled with an error. */
  readonly failed: number;
  /** Attempts whose handler may have started, that failed, and that were followed by another. */
  readonly retries: number;
  /** Attempts that a worker handed back, or that were not sent: nothing was started, and their jobs were queued again. */
  readonly returned: number;
  /** Workers that ever registered. */
  readonly registered: number;
  /** Connections that were not let in. */
  readonly refused: number;
  /** Messages dropped as of no consequence. */
  readonly strikes: number;
}

/** Where a session stands. `idle` and `busy` follow from what is in flight. */
export type SessionState = "connecting" | "idle" | "busy" | "suspect" | "draining" | "gone";
