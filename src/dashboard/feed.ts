/**
 * The feed of a dashboard: sends each viewer a snapshot a second, and carries out the requests of admins. A viewer is an open
 * connection. The transport decides how many there may be, and which of them is an admin.
 */
import type { RunnerControls, RunnerStats, RunnerView } from "../index.ts";
import { explain } from "./explain.ts";
import { Metrics, type MetricsOptions } from "./metrics.ts";
import {
  type Answer,
  type Snapshot,
  type DashboardMessage,
  type DashboardRequest,
  readRequest,
  type Sample,
} from "./protocol.ts";
import { safeText } from "./safe-text.ts";

/** A dashboard that is open in a browser. */
export interface Viewer {
  /** Whether its requests are carried out. */
  readonly admin: boolean;
  /** Bytes sent to it that have not left yet. */
  readonly bufferedBytes: number;
  /** Sends one message. */
  send(text: string): void;
  /** Ends the connection: it broke the protocol, asks too often, or does not read. */
  end(reason: "violation" | "slow"): void;
}

/** What the feed sends besides the metrics. */
export interface DashboardFeedOptions extends MetricsOptions {
  /** The heading. */
  readonly title: string;
  /** Text of the listener's owner, asked for once a second. */
  readonly note: () => string | undefined;
  /** The tokens of admins. The feed uses only whether there are any. */
  readonly admins: readonly string[];
  /** The path of the module that tabs can be lent to run; null when there is none. */
  readonly lend: string | null;
}

/** Workers that are listed; of more only the number is sent. */
const MAX_ROWS = 200;
/** Bytes that may wait for a viewer: some seconds of a large fleet. */
const MAX_BUFFERED_BYTES = 1_048_576;
/** Requests a viewer may make in a second. */
const MAX_REQUESTS = 5;
const MAX_NOTE_LENGTH = 500;
/** The failure count of a viewer that was sent no failures yet. */
const NONE_SENT = -1;

/** The feed of one listener's dashboard. */
export class DashboardFeed {
  readonly #options: DashboardFeedOptions;
  readonly #metrics: Metrics;
  readonly #controls: RunnerControls | undefined;
  /** With the requests of this second, and the failure count it was sent last. */
  readonly #viewers = new Map<Viewer, { requests: number; failures: number }>();

  /** @param controls - Carries out the requests of admins; without it all are refused. */
  constructor(options: DashboardFeedOptions, view: RunnerView, controls: RunnerControls | undefined) {
    this.#options = options;
    this.#controls = controls;
    this.#metrics = new Metrics(view, options, (sample, stats) => this.#onSample(sample, stats));
  }

  /** The number of viewers. */
  get size(): number {
    return this.#viewers.size;
  }

  /** Begins to watch the runner. */
  start(): void {
    this.#metrics.start();
  }

  /** Stops watching. The transport ends the connections. May be called twice. */
  stop(): void {
    this.#metrics.stop();
    this.#viewers.clear();
  }

  /** Adds a viewer and sends it the samples so far; the next snapshot follows within a second. */
  add(viewer: Viewer): void {
    const { title, lend, history, admins } = this.#options;
    // Its first snapshot has the failures, even when there are none: it may still show those of an earlier listener.
    this.#viewers.set(viewer, { requests: 0, failures: NONE_SENT });
    const samples = this.#metrics.samples;
    const admin = viewer.admin && this.#controls !== undefined;
    const { length } = admins;
    this.#sendMessage(viewer, {
      type: "welcome",
      title: safeText(title),
      admin,
      admins: length > 0,
      lend,
      history,
      samples,
    });
  }

  /** Removes a viewer whose connection is gone. */
  delete(viewer: Viewer): void {
    this.#viewers.delete(viewer);
  }

  /** Handles a message of a viewer. One that is no request, or one too many, ends the connection. */
  received(viewer: Viewer, text: string): void {
    const known = this.#viewers.get(viewer);
    if (known === undefined) return;
    const request = readRequest(text);
    if (request === undefined || ++known.requests > MAX_REQUESTS) return this.#end(viewer, "violation");
    const controls = viewer.admin ? this.#controls : undefined;
    this.#sendMessage(
      viewer,
      controls === undefined ? answer(false, "That takes the token of an admin.") : carryOut(request, controls),
    );
  }

  #onSample(sample: Sample, stats: RunnerStats): void {
    if (this.#viewers.size === 0) return;
    const snapshot = this.#snapshot(sample, stats);
    const count = this.#metrics.failureCount;
    const withoutFailures = JSON.stringify(snapshot);
    const withFailures = JSON.stringify({ ...snapshot, failures: this.#metrics.failures });
    for (const [viewer, known] of this.#viewers) {
      known.requests = 0;
      this.#send(viewer, known.failures === count ? withoutFailures : withFailures);
      known.failures = count;
    }
  }

  #snapshot(sample: Sample, stats: RunnerStats): Snapshot {
    const { state, succeeded, failed, backoff, retries, capacity, workers } = stats;
    return {
      type: "snapshot",
      sample,
      state,
      note: this.#note(),
      why: explain(stats),
      succeeded,
      failed,
      backoff,
      retries,
      capacity,
      registered: workers.length,
      workers: workers.slice(0, MAX_ROWS).map((worker) => this.#metrics.row(worker)),
    };
  }

  /** An error in the owner's function must not end the feed. */
  #note(): string {
    try {
      return safeText(this.#options.note() ?? "", MAX_NOTE_LENGTH);
    } catch {
      return "";
    }
  }

  #sendMessage(viewer: Viewer, message: DashboardMessage): void {
    this.#send(viewer, JSON.stringify(message));
  }

  #send(viewer: Viewer, text: string): void {
    if (viewer.bufferedBytes > MAX_BUFFERED_BYTES) this.#end(viewer, "slow");
    else viewer.send(text);
  }

  #end(viewer: Viewer, reason: "violation" | "slow"): void {
    this.#viewers.delete(viewer);
    viewer.end(reason);
  }
}

function answer(ok: boolean, text: string): Answer {
  return { type: "answer", ok, text };
}

function carryOut(request: DashboardRequest, controls: RunnerControls): Answer {
  if (request.type === "drain") {
    controls.drain();
    return answer(true, "The runner drains: it finishes what it has and takes nothing new.");
  }
  const identity = safeText(request.identity);
  if (!controls.removeWorker(request.identity, { drain: request.drain }))
    return answer(false, `There is no worker ${identity}.`);
  return answer(true, request.drain ? `${identity} finishes what it has and leaves.` : `${identity} was cut off.`);
}
