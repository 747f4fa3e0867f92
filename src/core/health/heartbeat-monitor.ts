/**
 * Watches whether the worker of one session is alive: the HELLO that must come, then the silence that must not last, judged
 * by failure-detector.ts. What follows from a verdict is in session.ts.
 */
import type { Clock } from "../time/clock.ts";
import { CallbackEntry, type TimerQueue } from "../time/timer-queue.ts";
import { FailureDetector } from "./failure-detector.ts";

/** How long is too long, in ms. */
export interface HeartbeatRules {
  readonly helloTimeout: number;
  readonly heartbeat: number;
}

/** Whoever keeps the sessions. */
export interface HeartbeatContext {
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly rules: HeartbeatRules;
  /** This process stood still. */
  stalled(): void;
}

/** Whose worker it is. */
export interface HeartbeatOwner {
  /** Whether its silence means nothing now. */
  readonly isExempt: boolean;
  /** Send a PING. */
  sendPing(nonce: number): void;
  /** Its silence looks like death. Called again at each look while it lasts. */
  onSuspect(): void;
  /** It is dead; `message` says why. The owner calls {@link HeartbeatMonitor.stop}. */
  onTimeout(message: string): void;
  /** It never said HELLO; `message` says so. The owner calls {@link HeartbeatMonitor.stop}. */
  onHelloTimeout(message: string): void;
}

/** One worker's signs of life. */
export class HeartbeatMonitor {
  readonly #context: HeartbeatContext;
  readonly #owner: HeartbeatOwner;
  readonly #alarm: CallbackEntry = new CallbackEntry((lateBy) => this.#check(lateBy));
  readonly #detector: FailureDetector;
  #introduced = false;
  /** PINGs sent that were not answered. */
  #asked = 0;

  constructor(context: HeartbeatContext, owner: HeartbeatOwner, now: number) {
    this.#context = context;
    this.#owner = owner;
    this.#detector = new FailureDetector(context.rules.heartbeat, now);
    context.timers.set(this.#alarm, context.rules.helloTimeout);
  }

  /** It said HELLO and was let in. */
  onHello(now: number): void {
    this.#introduced = true;
    this.#context.timers.set(this.#alarm, this.#detector.untilNext(now));
  }

  /** A byte arrived. */
  onHeard(now: number): void {
    this.#detector.onHeard(now);
  }

  /** A PONG arrived. `false` when nobody had asked. */
  onPong(): boolean {
    if (this.#asked === 0) return false;
    this.#asked--;
    return true;
  }

  /** Grants one more interval before silence counts. */
  extend(now: number): void {
    this.#detector.extend(now);
  }

  /** Watches no longer. */
  stop(): void {
    this.#context.timers.drop(this.#alarm);
  }

  /** Judges the silence, unless this process has no right to. */
  #check(lateBy: number): void {
    const { clock, rules, timers } = this.#context;
    const now = clock.now();
    const stalled = this.#detector.stalled(lateBy);
    if (stalled) this.#context.stalled();
    if (!this.#introduced) {
      if (stalled) timers.set(this.#alarm, rules.heartbeat);
      else this.#owner.onHelloTimeout(`no HELLO in ${rules.helloTimeout} ms`);
      return;
    }
    const { isExempt: exempt } = this.#owner;
    // Set before the owner is told, which may stop it.
    timers.set(this.#alarm, exempt ? rules.heartbeat : this.#detector.untilNext(now));
    if (!exempt) this.#judge(now);
  }

  #judge(now: number): void {
    const verdict = this.#detector.health(now);
    if (verdict === "dead") return this.#owner.onTimeout(`nothing heard for ${3 * this.#context.rules.heartbeat} ms`);
    if (verdict !== "suspect") return;
    this.#owner.onSuspect();
    this.#owner.sendPing(this.#asked++);
  }
}
