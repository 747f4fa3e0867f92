/**
 * A worker's side of the heartbeat: asks when nothing was said or heard for an interval, and gives the runner up after three. What
 * the runner does is in ../health/heartbeat-monitor.ts.
 */
import type { Clock } from "../time/clock.ts";
import { FailureDetector } from "../health/failure-detector.ts";
import { Timer } from "../time/timer.ts";

/** How long a runner may take to answer HELLO, in ms. */
const HELLO_TIMEOUT_MS = 10_000;
/** How long a worker that leaves waits for it, in ms. */
const LEAVE_TIMEOUT_MS = 1_000;

/** What a heartbeat calls, and asks. */
export interface RunnerHeartbeatOwner {
  /** Whether silence says nothing now. */
  readonly hidesSilence: boolean;
  sendPing(nonce: number): void;
  /** The runner was silent for too long. */
  onSilent(message: string): void;
}

/** The heartbeat of one session. */
export class RunnerHeartbeat {
  /** When anything was heard of the runner. */
  heardAt = 0;
  readonly #clock: Clock;
  readonly #owner: RunnerHeartbeatOwner;
  /** Not a reason for the process to stay. */
  readonly #timer: Timer;
  #detector: FailureDetector;
  /** In ms; `undefined` until WELCOME names it. */
  #interval: number | undefined;
  #sentAt = 0;
  #nonce = 0;

  constructor(clock: Clock, owner: RunnerHeartbeatOwner) {
    this.#clock = clock;
    this.#owner = owner;
    this.#timer = new Timer(clock, false, (lateBy) => this.#onBeat(lateBy));
    this.#detector = new FailureDetector(HELLO_TIMEOUT_MS, clock.now());
  }

  /** HELLO is about to be sent. */
  expectWelcome(): void {
    this.#timer.set(HELLO_TIMEOUT_MS);
  }

  /** The worker leaves, and WELCOME has not come. */
  expectWelcomeSoon(): void {
    this.#timer.set(LEAVE_TIMEOUT_MS);
  }

  /** WELCOME has come. `grace`: what a frame that is on its way may take, in ms. */
  onWelcome(interval: number, grace: number): void {
    this.#interval = interval;
    this.#detector = new FailureDetector(interval, this.#clock.now(), grace);
    this.#timer.set(interval);
  }

  /** Something was heard. */
  onHeard(): void {
    this.heardAt = this.#clock.now();
    this.#detector.onHeard(this.heardAt);
  }

  /** Something was sent. */
  onSent(): void {
    this.#sentAt = this.#clock.now();
  }

  /** The session is over. */
  stop(): void {
    this.#timer.drop();
  }

  #onBeat(lateBy: number): void {
    const now = this.#clock.now();
    const isExcused = this.#detector.stalled(lateBy) || this.#owner.hidesSilence;
    if (isExcused) this.#detector.extend(now);
    const heartbeat = this.#interval;
    if (heartbeat === undefined) {
      if (isExcused) return this.#timer.set(HELLO_TIMEOUT_MS);
      return this.#owner.onSilent("the runner does not answer HELLO");
    }
    if (this.#detector.health(now) === "dead")
      return this.#owner.onSilent(`nothing heard from the runner for ${this.#detector.longestSilence} ms`);
    const asks = this.#detector.quiet(now) || now - this.#sentAt >= heartbeat;
    if (asks) this.#owner.sendPing(this.#nonce++ % 0x1_0000_0000);
    // Only what is left of the interval: a PING leaves a moment after its beat, and would make the next beat skip one.
    const left = heartbeat - (now - Math.min(this.#sentAt, this.heardAt));
    this.#timer.set(asks ? heartbeat : Math.max(1, left));
  }
}
