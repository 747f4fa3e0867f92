/**
 * The recent past of a runner: a sample a second, latencies, the counts of each worker, the last failures. All of it is
 * bounded. Reads a RunnerView and changes nothing. See feed.ts for what viewers get.
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

/** Options of the metrics. */
export interface MetricsOptions {
  /** How many seconds are kept. */
  readonly history: number;
  /** Whether the beginning of a failed job's data is kept. */
  readonly payloads: boolean;
  /** Where time comes from. */
  readonly clock: Clock;
}

const SECOND_MS = 1_000;
const MAX_ADDRESS_LENGTH = 100;

/** The numbers of one runner, from start to stop. */
export class Metrics {
  readonly #view: RunnerView;
  readonly #clock: Clock;
  readonly #samples: Ring<Sample>;
  readonly #latency = new Histogram();
  readonly #counters: WorkerCounters;
  readonly #failures: Failures;
  readonly #onSample: (sample: Sample, stats: RunnerStats) => void;
  #startedAt = 0;
  /** The end of the last second, and the counts at that time. */
  #last = { at: 0, succeeded: 0, failed: 0 };
  #timer: TimerHandle;
  #unsubscribe: (() => void) | undefined;

  /** @param onSample - Called for each sample once it is taken, with the numbers it was made of. */
  constructor(view: RunnerView, options: MetricsOptions, onSample: (sample: Sample, stats: RunnerStats) => void) {
    this.#view = view;
    this.#clock = options.clock;
    this.#counters = new WorkerCounters(options.clock);
    this.#samples = new Ring(options.history);
    this.#failures = new Failures(options.payloads);
    this.#onSample = onSample;
  }

  /** The samples that are kept, oldest first. */
  get samples(): readonly Sample[] {
    return this.#samples.toArray();
  }

  /** The newest sample. */
  get latest(): Sample | undefined {
    return this.#samples.last;
  }

  /** The last failures, newest first. */
  get failures(): readonly FailureRow[] {
    return this.#failures.rows;
  }

  /** How many failures there were in all. The list changes whenever this does. */
  get failureCount(): number {
    return this.#failures.count;
  }

  /** Starts to listen and to take samples. */
  start(): void {
    const { succeeded, failed } = this.#view.stats();
    this.#startedAt = this.#clock.now();
    this.#last = { at: this.#startedAt, succeeded, failed };
    this.#unsubscribe = this.#view.on((event) => this.#onEvent(event));
    this.#scheduleTick();
  }

  /** Stops both. May be called twice. */
  stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#clock.clear(this.#timer);
  }

  /** A worker as it is shown. */
  row({ identity, peer, state, labels, capacity, inFlight, waiting, age }: WorkerStats): WorkerRow {
    return {
      identity: safeText(identity),
      address: safeText(peer.address, MAX_ADDRESS_LENGTH),
      transport: safeText(peer.transport, MAX_ADDRESS_LENGTH),
      state,
      labels: labels.map((label) => safeText(label)),
      capacity,
      inFlight,
      waiting,
      ...this.#counters.of(identity),
      age,
    };
  }

  #scheduleTick(): void {
    this.#timer = this.#clock.set(SECOND_MS, () => this.#tick(), false);
  }

  #onEvent(event: RunnerEvent): void {
    if (event.type === "job-settled") this.#onSettled(event);
    this.#counters.record(event);
  }

  #onSettled(event: JobSettledEvent): void {
    if (event.ok) this.#latency.add(event.ms);
    else this.#failures.add(event, this.#clock.now() - this.#startedAt);
  }

  #tick(): void {
    this.#scheduleTick();
    const stats = this.#view.stats();
    const now = this.#clock.now();
    const seconds = (now - this.#last.at) / SECOND_MS;
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
    this.#counters.tick();
    this.#samples.push(sample);
    this.#onSample(sample, stats);
  }
}
