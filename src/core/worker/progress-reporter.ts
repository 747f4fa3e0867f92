/** Sends what a handler says of its progress: the latest, and not too often. */
import type { Clock } from "../time/clock.ts";
import type { Payload } from "../peer.ts";
import { Timer } from "../time/timer.ts";

/** Between two reports, in ms. */
const INTERVAL_MS = 100;

/** The progress of one job. */
export class ProgressReporter {
  readonly #clock: Clock;
  readonly #send: (value: Payload) => void;
  readonly #hasBacklog: () => boolean;
  readonly #timer: Timer;
  #sentAt = Number.NEGATIVE_INFINITY;
  #latest: Payload | undefined;

  /** @param hasBacklog - Whether there is one towards the runner: then a report waits. */
  constructor(clock: Clock, send: (value: Payload) => void, hasBacklog: () => boolean) {
    this.#clock = clock;
    this.#send = send;
    this.#hasBacklog = hasBacklog;
    this.#timer = new Timer(clock, false, () => this.#onInterval());
  }

  /** Sends it, or keeps it until the interval is over. */
  report(value: Payload): void {
    // The handler may write into its bytes meanwhile.
    this.#latest = typeof value === "string" ? value : value.slice();
    const left = this.#sentAt + INTERVAL_MS - this.#clock.now();
    if (left <= 0) this.#onInterval();
    else if (this.#timer.due === Number.POSITIVE_INFINITY) this.#timer.set(left);
  }

  /** Nothing is wanted any more. */
  drop(): void {
    this.#latest = undefined;
    this.#timer.drop();
  }

  /** The job is over: what is left is sent first. */
  end(): void {
    this.#timer.drop();
    this.#flush();
  }

  #onInterval(): void {
    if (this.#hasBacklog()) this.#timer.set(INTERVAL_MS);
    else this.#flush();
  }

  #flush(): void {
    const latest = this.#latest;
    if (latest === undefined) return;
    this.#latest = undefined;
    this.#timer.drop();
    this.#sentAt = this.#clock.now();
    this.#send(latest);
  }
}
