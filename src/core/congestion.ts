/**
 * Watches whether the worker of one session reads what it is sent, as judged by backlog.ts: polls while there is a backlog,
 * as a socket tells how much waits but not when it has left. What follows is in session.ts.
 */
import { Backlog, type BacklogRules } from "./backlog.ts";
import type { Clock } from "./clock.ts";
import { Alarm, type DeadlineQueue } from "./deadline.ts";

const POLL = 5; // ms

/** Whoever keeps the sessions. */
export interface CongestionKeeper {
  readonly clock: Clock;
  readonly timers: DeadlineQueue;
  readonly rules: BacklogRules;
}

/** Whose worker it is. */
export interface CongestionOwner {
  /** Bytes that have not left yet. */
  readonly bufferedBytes: number;
  /** It was looked at while there was a backlog, and this is how it stands. */
  congested(congested: boolean): void;
  /** It does not read. The owner calls {@link Congestion.stop}. */
  tooSlow(message: string): void;
}

/** The backlog of one worker. */
export class Congestion {
  readonly #keeper: CongestionKeeper;
  readonly #owner: CongestionOwner;
  readonly #backlog: Backlog;
  readonly #alarm: Alarm = new Alarm(() => this.#poll());

  constructor(keeper: CongestionKeeper, owner: CongestionOwner) {
    this.#keeper = keeper;
    this.#owner = owner;
    this.#backlog = new Backlog(keeper.rules);
  }

  /** Whether more waited than may when it was last looked at. */
  get isCongested(): boolean {
    return this.#backlog.congested;
  }

  /** Something was sent. */
  sent(): void {
    const { clock, rules, timers } = this.#keeper;
    const { bufferedBytes } = this.#owner;
    if (this.#backlog.congested || bufferedBytes <= rules.highWater) return;
    this.#backlog.look(bufferedBytes, clock.now());
    // The verdict waits a step: this runs inside the hand-over of a job, which must not find its session gone.
    timers.set(this.#alarm, 0);
    this.#owner.congested(true);
  }

  /** Watches no longer. */
  stop(): void {
    this.#keeper.timers.drop(this.#alarm);
  }

  #poll(): void {
    const { clock, timers } = this.#keeper;
    const bytes = this.#owner.bufferedBytes;
    const verdict = this.#backlog.look(bytes, clock.now());
    if (verdict === "overflow" || verdict === "stuck")
      return this.#owner.tooSlow(`it does not read: ${bytes} bytes wait`);
    if (verdict === "congested") timers.set(this.#alarm, POLL);
    this.#owner.congested(verdict === "congested");
  }
}
