/**
 * The timers of one session's heartbeat at the runner: first for the HELLO, then for a silence that lasts too long, by the rule
 * of failure-detector.ts. session.ts acts on it.
 */
import type { Clock } from "../time/clock.ts";
import { CallbackEntry, type TimerQueue } from "../time/timer-queue.ts";
import { FailureDetector } from "./failure-detector.ts";

/** The limits, in ms. */
export interface HeartbeatRules {
  readonly helloTimeout: number;
  readonly heartbeat: number;
}

/** What the monitors of all sessions are given. */
export interface HeartbeatContext {
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly rules: HeartbeatRules;
  /** This process stood still. */
  stalled(): void;
}

/** What a monitor calls. */
export interface HeartbeatOwner {
  /** Whether its silence means nothing now. */
  readonly isExempt: boolean;
  /** Whether it is not read now, and so gets no answer to its PINGs. */
  readonly isPaused: boolean;
  /** Send a PING. */
  sendPing(nonce: number): void;
  /** Its silence looks like death. Called again at each check while it lasts. */
  onSuspect(): void;
  /** It is dead; `message` says why. The owner calls {@link HeartbeatMonitor.stop}. */
  onTimeout(message: string): void;
  /** HELLO never came; `message` says so. The owner calls {@link HeartbeatMonitor.stop}. */
  onHelloTimeout(message: string): void;
}

/** One worker's signs of life. */
export class HeartbeatMonitor {
  readonly #context: HeartbeatContext;
  readonly #owner: HeartbeatOwner;
  readonly #timer: CallbackEntry = new CallbackEntry((lateBy) => this.#check(lateBy));
  readonly #detector: FailureDetector;
  #hasHello = false;
  #pings = 0;
  #pongs = 0;
  /** When the last whole frame arrived, or the last PING was sent because of part of one. */
  #answeredAt: number;

  /** @param grace - How much longer a silence may be, in ms. */
  constructor(context: HeartbeatContext, owner: HeartbeatOwner, now: number, grace: number) {
    this.#context = context;
    this.#owner = owner;
    this.#detector = new FailureDetector(context.rules.heartbeat, now, grace);
    this.#answeredAt = now;
    context.timers.set(this.#timer, context.rules.helloTimeout);
  }

  /** HELLO came, and the worker is registered. */
  onHello(now: number): void {
    this.#hasHello = true;
    this.#context.timers.set(this.#timer, this.#detector.untilNext(now));
  }

  /** A frame arrived. */
  onHeard(now: number): void {
    this.#detector.onHeard(now);
    this.#answeredAt = now;
  }

  /**
   * Part of a frame arrived. Its PINGs stand behind the rest: without their answers a worker on a slow line would hear nothing
   * for as long as its result takes, and leave.
   */
  onPartHeard(now: number): void {
    this.#detector.onHeard(now);
    if (!this.#hasHello || now - this.#answeredAt < this.#context.rules.heartbeat) return;
    this.#answeredAt = now;
    this.ping();
  }

  /** A PONG arrived. `false` when no PING is unanswered. */
  onPong(): boolean {
    if (this.#pongs === this.#pings) return false;
    this.#pongs++;
    return true;
  }

  /** Sends a PING. Returns its number, for {@link HeartbeatMonitor.hasPong}. */
  ping(): number {
    this.#owner.sendPing(this.#pings - this.#pongs);
    return ++this.#pings;
  }

  /** The number of the next PING. */
  get nextPing(): number {
    return this.#pings + 1;
  }

  /** Whether the PING of that number was answered: frames keep their order, so PONGs do. */
  hasPong(ping: number): boolean {
    return this.#pongs >= ping;
  }

  /** Grants one more interval before silence counts. */
  extend(now: number): void {
    this.#detector.extend(now);
  }

  /** Watches no longer. */
  stop(): void {
    this.#context.timers.drop(this.#timer);
  }

  /** Checks the silence, unless this process stood still. */
  #check(lateBy: number): void {
    const { clock, rules, timers } = this.#context;
    const now = clock.now();
    const stalled = this.#detector.stalled(lateBy);
    if (stalled) this.#context.stalled();
    if (!this.#hasHello) {
      if (stalled) timers.set(this.#timer, rules.heartbeat);
      else this.#owner.onHelloTimeout(`no HELLO in ${rules.helloTimeout} ms`);
      return;
    }
    const { isExempt: exempt, isPaused } = this.#owner;
    // Set before the owner is called, which may stop it.
    timers.set(this.#timer, exempt ? rules.heartbeat : this.#detector.untilNext(now));
    if (isPaused) this.ping();
    else if (!exempt) this.#checkSilence(now);
  }

  #checkSilence(now: number): void {
    const health = this.#detector.health(now);
    if (health === "dead") return this.#owner.onTimeout(`nothing heard for ${this.#detector.longestSilence} ms`);
    if (health !== "suspect") return;
    this.#owner.onSuspect();
    this.ping();
  }
}
