/**
 * Whoever watches the page: what each is told, second by second, and what admins may ask for. A watcher is an open
 * connection of any make; how many may come, and who is an admin, is decided before they get here.
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

/** One page that is open somewhere. */
export interface Viewer {
  /** Whether it may act. */
  readonly admin: boolean;
  /** Bytes it was sent that have not left yet. */
  readonly bufferedBytes: number;
  /** Sends one message. */
  send(text: string): void;
  /** Ends the connection: it broke the protocol, asks too often, or does not read. */
  end(why: "violation" | "slow"): void;
}

/** What the page says of its owner's. */
export interface DashboardFeedOptions extends MetricsOptions {
  /** The heading. */
  readonly title: string;
  /** Words of the owner's for this moment. */
  readonly note: () => string | undefined;
  /** The tokens of admins; here only whether there are any. */
  readonly admins: readonly string[];
  /** Where the module is that tabs can be lent to run; null when there is none. */
  readonly lend: string | null;
}

/** Workers that are listed; of more only the number is told. */
const MAX_ROWS = 200;
/** What may wait for a watcher, in bytes: some seconds of a large fleet. */
const MAX_BUFFERED_BYTES = 1_048_576;
/** Requests a watcher may make in a second. */
const MAX_REQUESTS = 5;
const LONGEST_NOTE = 500;
/** The number of failures that a watcher knows of who was told nothing yet. */
const UNHEARD = -1;

/** The feed of one listener's page. */
export class DashboardFeed {
  readonly #options: DashboardFeedOptions;
  readonly #metrics: Metrics;
  readonly #controls: RunnerControls | undefined;
  /** With how many requests each has made in this second, and which failures it has seen. */
  readonly #watchers = new Map<Viewer, { requests: number; failures: number }>();

  /** @param controls - What admins act by; without it nobody can. */
  constructor(options: DashboardFeedOptions, view: RunnerView, controls: RunnerControls | undefined) {
    this.#options = options;
    this.#controls = controls;
    this.#metrics = new Metrics(view, options, (sample, stats) => this.#ticked(sample, stats));
  }

  /** How many watch. */
  get size(): number {
    return this.#watchers.size;
  }

  /** Begins to watch the runner. */
  start(): void {
    this.#metrics.start();
  }

  /** Ends that. Connections are ended by whoever opened them. May be called twice. */
  stop(): void {
    this.#metrics.stop();
    this.#watchers.clear();
  }

  /** Takes a watcher in and tells it what was so far; the next moment follows within a second. */
  add(watcher: Viewer): void {
    const { title, lend, history, admins } = this.#options;
    // It hears of the failures first, also when there are none: it may show those of a listener that was here before.
    this.#watchers.set(watcher, { requests: 0, failures: UNHEARD });
    const samples = this.#metrics.samples;
    const admin = watcher.admin && this.#controls !== undefined;
    const { length } = admins;
    this.#tell(watcher, { type: "welcome", title: safeText(title), admin, admins: length > 0, lend, history, samples });
  }

  /** Its connection is gone. */
  delete(watcher: Viewer): void {
    this.#watchers.delete(watcher);
  }

  /** A message came from it. Whatever is no request, or one too many, ends the connection. */
  received(watcher: Viewer, text: string): void {
    const known = this.#watchers.get(watcher);
    if (known === undefined) return;
    const request = readRequest(text);
    if (request === undefined || ++known.requests > MAX_REQUESTS) return this.#end(watcher, "violation");
    const controls = watcher.admin ? this.#controls : undefined;
    this.#tell(
      watcher,
      controls === undefined ? answer(false, "That takes the token of an admin.") : carryOut(request, controls),
    );
  }

  #ticked(sample: Sample, stats: RunnerStats): void {
    if (this.#watchers.size === 0) return;
    const moment = this.#moment(sample, stats);
    const count = this.#metrics.failureCount;
    const same = JSON.stringify(moment);
    const changed = JSON.stringify({ ...moment, failures: this.#metrics.failures });
    for (const [watcher, known] of this.#watchers) {
      known.requests = 0;
      this.#send(watcher, known.failures === count ? same : changed);
      known.failures = count;
    }
  }

  #moment(sample: Sample, stats: RunnerStats): Snapshot {
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

  /** A fault of the owner's words must not end what they are about. */
  #note(): string {
    try {
      return safeText(this.#options.note() ?? "", LONGEST_NOTE);
    } catch {
      return "";
    }
  }

  #tell(watcher: Viewer, message: DashboardMessage): void {
    this.#send(watcher, JSON.stringify(message));
  }

  #send(watcher: Viewer, text: string): void {
    if (watcher.bufferedBytes > MAX_BUFFERED_BYTES) this.#end(watcher, "slow");
    else watcher.send(text);
  }

  #end(watcher: Viewer, why: "violation" | "slow"): void {
    this.#watchers.delete(watcher);
    watcher.end(why);
  }
}

function answer(ok: boolean, words: string): Answer {
  return { type: "answer", ok, text: words };
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
