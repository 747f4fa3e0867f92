/**
 * What happened at a runner over the last while: a sample a second, latencies, what each worker did, the last failures. All
 * of it is bounded. Looks through a RunnerView and changes nothing; who is shown what is feed.ts.
 */
import type {
  Clock,
  JobSettledEvent,
  RunnerEvent,
  RunnerStats,
  RunnerView,
  TimerHandle,
  WorkerStats,
} from "../index.ts";
import { Failures } from "./failures.ts";
import { Histogram } from "./histogram.ts";
import type { FailureRow, Sample, WorkerRow } from "./protocol.ts";
import { safeText } from "./safe-text.ts";
import { Ring } from "./ring.ts";
import { WorkerCounters } from "./worker-counters.ts";

/** What metrics are made of. */
export interface MetricsOptions {
  /** How many seconds are kept. */
  readonly history: number;
  /** Whether the beginning of a failed job's data is kept. */
  readonly payloads: boolean;
  /** Where time comes from. */
  readonly clock: Clock;
}

const SECOND = 1_000;
const LONGEST_ADDRESS = 100;

/** The numbers of one runner, from start to stop. */
export class Metrics {
  readonly #view: RunnerView;
  readonly #clock: Clock;
  readonly #samples: Ring<Sample>;
  readonly #latency = new Histogram();
  readonly #tallies: WorkerCounters;
  readonly #failures: Failures;
  readonly #ticked: (sample: Sample, stats: RunnerStats) => void;
  #startedAt = 0;
  /** When the last second ended, and what had been counted by then. */
  #last = { at: 0, succeeded: 0, failed: 0 };
  #timer: TimerHandle;
  #unsubscribe: (() => void) | undefined;

  /** @param ticked - Called for each sample once it is taken, with the numbers it was made of. */
  constructor(view: RunnerView, options: MetricsOptions, ticked: (sample: Sample, stats: RunnerStats) => void) {
    this.#view = view;
    this.#clock = options.clock;
    this.#tallies = new WorkerCounters(options.clock);
    this.#samples = new Ring(options.history);
    this.#failures = new Failures(options.payloads);
    this.#ticked = ticked;
  }

  /** The samples that are kept, oldest first. */
  get samples(): readonly Sample[] {
    return this.#samples.toArray();
  }

  /** The newest of them, if there is one. */
  get latest(): Sample | undefined {
    return this.#samples.last;
  }

  /** The last failures, newest first. */
  get failures(): readonly FailureRow[] {
    return this.#failures.rows;
  }

  /** How many failures there were in all: the list has changed when this has. */
  get failureCount(): number {
    return this.#failures.count;
  }

  /** Begins to listen and to take samples. */
  start(): void {
    const { succeeded, failed } = this.#view.stats();
    this.#startedAt = this.#clock.now();
    this.#last = { at: this.#startedAt, succeeded, failed };
    this.#unsubscribe = this.#view.on((event) => this.#note(event));
    this.#wait();
  }

  /** Ends both. May be called twice. */
  stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#clock.clear(this.#timer);
  }

  /** A worker as it is shown. */
  row({ identity, peer, state, labels, capacity, inFlight, waiting, age }: WorkerStats): WorkerRow {
    return {
      identity: safeText(identity),
      address: safeText(peer.address, LONGEST_ADDRESS),
      transport: safeText(peer.transport, LONGEST_ADDRESS),
      state,
      labels: labels.map((label) => safeText(label)),
      capacity,
      inFlight,
      waiting,
      ...this.#tallies.of(identity),
      age,
    };
  }

  #wait(): void {
    this.#timer = this.#clock.set(SECOND, () => this.#tick(), false);
  }

  #note(event: RunnerEvent): void {
    if (event.type === "job-settled") this.#settled(event);
    this.#tallies.note(event);
  }

  #settled(event: JobSettledEvent): void {
    if (event.ok) this.#latency.add(event.ms);
    else this.#failures.add(event, this.#clock.now() - this.#startedAt, this.#tallies.holder(event.jobId) ?? "");
  }

  #tick(): void {
    this.#wait();
    const stats = this.#view.stats();
    const now = this.#clock.now();
    const seconds = (now - this.#last.at) / SECOND;
    const sample: Sample = {
      at: now - this.#startedAt,
      queued: stats.queued,
      running: stats.running,
      done: (stats.succeeded - this.#last.succeeded) / seconds,
      failed: (stats.failed - this.#last.failed) / seconds,
      p50: this.#latency.quantile(0.5),
      p99: this.#latency.quantile(0.99),
    };
    this.#last = { at: now, succeeded: stats.succeeded, failed: stats.failed };
    this.#latency.clear();
    this.#tallies.tick();
    this.#samples.push(sample);
    this.#ticked(sample, stats);
  }
}
