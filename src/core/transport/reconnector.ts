/**
 * Keeps one connection up: dials, waits longer after each failure, dials again. What is said over the connection, and
 * whether a failure is final, is its owner's business.
 */
import { backoffDelay } from "../time/backoff.ts";
import type { Clock, Random } from "../time/clock.ts";
import type { Dialer } from "./listener.ts";
import type { Socket, SocketLimits } from "./socket.ts";
import { Timer } from "../time/timer.ts";

/** A connection that has lived so long resets the backoff: not its mere existence, else being kicked at once would spin. */
const STABLE_AFTER_MS = 10_000;

/**
 * The longest that the other end may ask to stay away, in ms: a stranger's word must not keep a worker away for weeks, and a
 * runner that needs longer says so again.
 */
export const MAX_STAY_AWAY = 300_000;

/** What a redial needs, and whom it tells. */
export interface ReconnectorOptions {
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: SocketLimits;
  /** The first backoff's upper bound in ms; it doubles with each failure. */
  readonly reconnectMin: number;
  /** The upper bound of that bound, in ms. */
  readonly reconnectMax: number;
  /** Whether somebody awaits the connection: then the process stays for it, wherever the other end is. */
  isAwaited?(): boolean;
  /** Whether to dial at all now; when not, whoever said so calls `dial` later. Always, when absent. */
  mayDial?(): boolean;
  /** A socket is there. When it is gone, call `dialIn`. */
  onConnected(socket: Socket): void;
  /** A dial failed; `false` ends the tries. `retryIn` in ms. */
  onFailed(error: unknown, retryIn: number): boolean;
}

/** Dials until told to stop. */
export class Reconnector {
  readonly #options: ReconnectorOptions;
  /** One keeps the process alive while it waits, one does not. */
  readonly #timer: Timer;
  readonly #idleTimer: Timer;
  #dialing: AbortController | undefined;
  #failures = 0;
  #connectedAt = 0;
  #stopped = false;

  constructor(options: ReconnectorOptions) {
    this.#options = options;
    this.#timer = new Timer(options.clock, true, () => this.dial());
    this.#idleTimer = new Timer(options.clock, false, () => this.dial());
  }

  /** Dials now. */
  dial(): void {
    if (this.#stopped || this.#dialing !== undefined) return;
    this.#drop();
    if (this.#options.mayDial?.() === false) return;
    const dialing = new AbortController();
    this.#dialing = dialing;
    this.#dialed(dialing.signal).then(
      (open) => this.#open(dialing, open),
      (error: unknown) => this.#failed(dialing, error),
    );
  }

  /**
   * How long to wait after a connection was lost: random, so that a fleet does not come back all at once.
   * @param retryAfter - What the other end asked for on top, in ms; cut to five minutes.
   */
  dialLater(retryAfter: number = 0): number {
    if (this.#options.clock.now() - this.#connectedAt >= STABLE_AFTER_MS) this.#failures = 0;
    return this.#nextDelay() + Math.min(retryAfter, MAX_STAY_AWAY);
  }

  /** Dials again after `delay` ms. */
  dialAfter(delay: number): void {
    if (this.#stopped) return;
    const idle = this.#options.dialer.sameProcess === true && this.#options.isAwaited?.() !== true;
    this.#drop();
    (idle ? this.#idleTimer : this.#timer).set(delay);
  }

  /** No more tries; a dial under way is aborted. May be called twice. */
  stop(): void {
    this.#stopped = true;
    this.#drop();
    this.#dialing?.abort(new Error("stopped"));
    this.#dialing = undefined;
  }

  #drop(): void {
    this.#timer.drop();
    this.#idleTimer.drop();
  }

  /** Async, so that a dialer that throws at once has failed like any other. */
  async #dialed(signal: AbortSignal): Promise<Socket> {
    return this.#options.dialer.dial(signal, this.#options.limits);
  }

  #open(dialing: AbortController, socket: Socket): void {
    if (this.#dialing !== dialing) return socket.close();
    this.#dialing = undefined;
    this.#connectedAt = this.#options.clock.now();
    this.#options.onConnected(socket);
  }

  #failed(dialing: AbortController, error: unknown): void {
    if (this.#dialing !== dialing) return;
    this.#dialing = undefined;
    const retryIn = this.#nextDelay();
    if (this.#options.onFailed(error, retryIn)) this.dialAfter(retryIn);
  }

  #nextDelay(): number {
    const { random, reconnectMin, reconnectMax } = this.#options;
    return backoffDelay(random, reconnectMin, reconnectMax, this.#failures++);
  }
}
