/**
 * Watches whether the worker of one session is alive: the HELLO that must come, then the silence that must not last, judged
 * by failure-detector.ts. What follows from a verdict is in session.ts.
 */
import type { Clock } from "../time/clock.ts";
import { Alarm, type DeadlineQueue } from "../time/timer-queue.ts";
import { Pulse } from "./failure-detector.ts";

/** How long is too long, in ms. */
export interface LivenessRules {
  readonly helloTimeout: number;
  readonly heartbeat: number;
}

/** Whoever keeps the sessions. */
export interface LivenessKeeper {
  readonly clock: Clock;
  readonly timers: DeadlineQueue;
  readonly rules: LivenessRules;
  /** This process stood still. */
  stalled(): void;
}

/** Whose worker it is. */
export interface LivenessOwner {
  /** Whether its silence means nothing now. */
  readonly exempt: boolean;
  /** Send a PING. */
  ask(nonce: number): void;
  /** Its silence looks like death. Called again at each look while it lasts. */
  suspicious(): void;
  /** It is dead; `message` says why. The owner calls {@link Liveness.stop}. */
  silent(message: string): void;
  /** It never said HELLO; `message` says so. The owner calls {@link Liveness.stop}. */
  mute(message: string): void;
}

/** One worker's signs of life. */
export class Liveness {
  readonly #keeper: LivenessKeeper;
  readonly #owner: LivenessOwner;
  readonly #alarm: Alarm = new Alarm((lateBy) => this.#look(lateBy));
  readonly #pulse: Pulse;
  #introduced = false;
  /** PINGs sent that were not answered. */
  #asked = 0;

  constructor(keeper: LivenessKeeper, owner: LivenessOwner, now: number) {
    this.#keeper = keeper;
    this.#owner = owner;
    this.#pulse = new Pulse(keeper.rules.heartbeat, now);
    keeper.timers.set(this.#alarm, keeper.rules.helloTimeout);
  }

  /** It said HELLO and was let in. */
  introduced(now: number): void {
    this.#introduced = true;
    this.#keeper.timers.set(this.#alarm, this.#pulse.untilNext(now));
  }

  /** A byte arrived. */
  heard(now: number): void {
    this.#pulse.heard(now);
  }

  /** A PONG arrived. `false` when nobody had asked. */
  answered(): boolean {
    if (this.#asked === 0) return false;
    this.#asked--;
    return true;
  }

  /** Grants one more interval before silence counts. */
  forgive(now: number): void {
    this.#pulse.forgive(now);
  }

  /** Watches no longer. */
  stop(): void {
    this.#keeper.timers.drop(this.#alarm);
  }

  /** Judges the silence, unless this process has no right to. */
  #look(lateBy: number): void {
    const { clock, rules, timers } = this.#keeper;
    const now = clock.now();
    const stalled = this.#pulse.stalled(lateBy);
    if (stalled) this.#keeper.stalled();
    if (!this.#introduced) {
      if (stalled) timers.set(this.#alarm, rules.heartbeat);
      else this.#owner.mute(`no HELLO in ${rules.helloTimeout} ms`);
      return;
    }
    const { exempt } = this.#owner;
    // Set before the owner is told, which may stop it.
    timers.set(this.#alarm, exempt ? rules.heartbeat : this.#pulse.untilNext(now));
    if (!exempt) this.#judge(now);
  }

  #judge(now: number): void {
    const verdict = this.#pulse.verdict(now);
    if (verdict === "dead") return this.#owner.silent(`nothing heard for ${3 * this.#keeper.rules.heartbeat} ms`);
    if (verdict !== "suspect") return;
    this.#owner.suspicious();
    this.#owner.ask(this.#asked++);
  }
}
