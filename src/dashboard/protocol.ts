/**
 * The messages of dashboard and listener: JSON, one in a text frame. The shapes of both directions, and a strict reader of
 * requests. See feed.ts for permissions. Browser-safe.
 */

/** The subprotocol of the dashboard. It differs from that of workers, so that neither can be mistaken for the other. */
export const DASHBOARD_SUBPROTOCOL = "powerhose.dashboard.v1";

/** The longest request, in characters. */
export const MAX_REQUEST_BYTES = 512;

/** One second of a runner. */
export interface Sample {
  /** When it ended, in ms since the listener started. */
  readonly at: number;
  /** Jobs that wait for a slot. */
  readonly queued: number;
  /** Jobs that run. */
  readonly running: number;
  /** Jobs that succeeded, a second. */
  readonly done: number;
  /** Jobs that failed, a second. */
  readonly failed: number;
  /** Half of the jobs that succeeded took no longer than so many ms, from submission to settlement; null when none did. */
  readonly p50: number | null;
  /** 99 % of them took no longer; null when none did. */
  readonly p99: number | null;
}

/** One worker, as the dashboard shows it. */
export interface WorkerRow {
  /** Its name. */
  readonly identity: string;
  /** Where it is. */
  readonly address: string;
  /** By which transport it came. */
  readonly transport: string;
  /** Its state. */
  readonly state: string;
  /** The labels it came with. */
  readonly labels: readonly string[];
  /** How many jobs it takes at a time. */
  readonly capacity: number;
  /** Jobs in its slots. */
  readonly inFlight: number;
  /** Jobs that were prefetched to it. */
  readonly waiting: number;
  /** Jobs that succeeded there since it registered. */
  readonly done: number;
  /** Attempts that failed there. */
  readonly failed: number;
  /** Jobs that succeeded there, a second, over the last seconds. */
  readonly rate: number;
  /** Since it registered, in ms. */
  readonly age: number;
}

/** One job that failed. */
export interface FailureRow {
  /** Counts up from 1. */
  readonly number: number;
  /** When, in ms since the listener started. */
  readonly at: number;
  /** Which job, as its handler and the runner's events name it. */
  readonly jobId: string;
  /** The identity of its last worker; empty when no worker had it. */
  readonly worker: string;
  /** Attempts that counted. */
  readonly attempts: number;
  /** The kind of error. */
  readonly name: string;
  /** Its message. */
  readonly message: string;
  /** The beginning of the job's data, with the option `payloads`. */
  readonly data?: string;
}

/** What a runner does, and what holds it up. */
export interface Explanation {
  /** Nothing to do, at work, held up, or at its end. */
  readonly severity: "idle" | "busy" | "stuck" | "ending";
  /** One or two sentences. */
  readonly text: string;
}

/** All that is sent once a second. */
export interface Snapshot {
  /** Which message this is. */
  readonly type: "snapshot";
  /** The last second. */
  readonly sample: Sample;
  /** The runner's state. */
  readonly state: string;
  /** Text of the listener's owner; may be empty. */
  readonly note: string;
  /** What holds the jobs up, if anything. */
  readonly why: Explanation;
  /** Jobs that succeeded so far. */
  readonly succeeded: number;
  /** Jobs that failed so far. */
  readonly failed: number;
  /** Jobs that wait before their next attempt. */
  readonly backoff: number;
  /** Attempts that were followed by another. */
  readonly retries: number;
  /** Slots of the workers that can be given work. */
  readonly capacity: number;
  /** Workers that are registered. */
  readonly registered: number;
  /** The first of them. */
  readonly workers: readonly WorkerRow[];
  /** The last failures, newest first; left out when they are those sent before. */
  readonly failures?: readonly FailureRow[];
}

/** The first message to a dashboard. */
export interface Welcome {
  /** Which message this is. */
  readonly type: "welcome";
  /** The heading. */
  readonly title: string;
  /** Whether requests are taken. */
  readonly admin: boolean;
  /** Whether the token of an admin would be accepted. */
  readonly admins: boolean;
  /** The module a tab can be lent to run, as a path relative to the dashboard; null when there is none. */
  readonly lend: string | null;
  /** How many seconds the charts go back. */
  readonly history: number;
  /** The seconds so far, oldest first. */
  readonly samples: readonly Sample[];
}

/** The outcome of a request. */
export interface Answer {
  /** Which message this is. */
  readonly type: "answer";
  /** Whether it was done. */
  readonly ok: boolean;
  /** What was done or why not, for people. */
  readonly text: string;
}

/** Anything a listener sends to a dashboard. */
export type DashboardMessage = Welcome | Snapshot | Answer;

/** Removes a worker: after the jobs it has, or at once. */
export interface RemoveWorkerRequest {
  /** Which message this is. */
  readonly type: "remove-worker";
  /** The worker's name. */
  readonly identity: string;
  /** Whether it finishes the jobs it has. */
  readonly drain: boolean;
}

/** Drains the runner. */
export interface DrainRequest {
  /** Which message this is. */
  readonly type: "drain";
}

/** Anything a dashboard may ask for. */
export type DashboardRequest = RemoveWorkerRequest | DrainRequest;

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** Reads a request: exactly one of the shapes, with no further field. `undefined` when it is anything else. */
export function readRequest(text: string): DashboardRequest | undefined {
  if (text.length > MAX_REQUEST_BYTES) return undefined;
  const message = parsed(text);
  if (message === undefined) return undefined;
  const { type, identity, drain } = message;
  const fields = Object.keys(message).length;
  if (type === "drain" && fields === 1) return { type };
  if (type !== "remove-worker" || fields !== 3) return undefined;
  return typeof identity === "string" && typeof drain === "boolean" ? { type, identity, drain } : undefined;
}
