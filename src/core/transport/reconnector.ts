/**
 * Keeps one connection up: dials, waits longer after each failure, dials again. Its owner speaks over the connection, and
 * decides whether a failure is final: worker.ts for a worker that dials, runner.ts for a runner that does.
 */
import { backoffBound, backoffDelay } from "../time/backoff.ts";
import type { Clock, Random } from "../time/clock.ts";
import type { Dialer } from "./listener.ts";
import type { Socket, SocketLimits } from "./socket.ts";
import { Timer } from "../time/timer.ts";

/** A session that has lived so long, in ms, was no accident of its beginning. */
const STABLE_AFTER_MS = 10_000;
/** So many shorter sessions in a row are a runner that accepts and then kicks, which must not be dialled in a loop. */
const MAX_SHORT_SESSIONS = 3;
/**
 * The longest bound of the pause, in ms, while a runner that has been there is away: its fleet is back within so much of its
 * return. Full jitter spreads the fleet over that time.
 */
const RETURN_MAX_MS = 2_000;

/**
 * The longest that the other end may ask to stay away, in ms: an unknown peer must not keep a worker away for weeks, and a
 * runner that needs longer asks again.
 */
const MAX_STAY_AWAY_MS = 300_000;

/** How a connection ended, as far as the next pause depends on it. */
export interface EndedConnection {
  /** Whether the session was registered. */
  readonly isWelcomed: boolean;
  /** Whether the other end said that it does not want it. */
  readonly isRefused: boolean;
}

/** Whether a dial failed because the other end is there and said no: its dialer gives an AuthError, or `refused: true`. */
function isRefusal(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  return ("refused" in error && error.refused === true) || ("code" in error && error.code === "AUTH");
}

/** What a reconnector is given, and what it calls. */
export interface ReconnectorOptions {
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: SocketLimits;
  /** The first backoff's upper bound in ms; it doubles with each failure. */
  readonly reconnectMin: number;
  /** The upper bound of that bound, in ms. */
  readonly reconnectMax: number;
  /** Whether the connection is awaited: then the process stays for it, wherever the other end is. */
  isAwaited?(): boolean;
  /** Whether to dial now. After `false` the owner calls `dial` later. Absent: always. */
  mayDial?(): boolean;
  /** A socket is open. When it is gone, call `dialAfter`. */
  onConnected(socket: Socket): void;
  /** A dial failed; `false` ends the tries. `retryIn` in ms. */
  onFailed(error: unknown, retryIn: number): boolean;
}

/** Dials until told to stop. */
export class Reconnector {
  readonly #options: ReconnectorOptions;
  /** The first keeps the process alive while it waits, the second does not. */
  readonly #timer: Timer;
  readonly #idleTimer: Timer;
  #dialing: AbortController | undefined;
  #failures = 0;
  #connectedAt = 0;
  /** Sessions in a row that were short. */
  #shortSessions = 0;
  /** Whether the other end has been there, and is expected back: until it refuses, or kicks. */
  #isExpected = false;
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
    this.#dialAsync(dialing.signal).then(
      (open) => this.#onOpen(dialing, open),
      (error: unknown) => this.#onFailed(dialing, error),
    );
  }

  /**
   * How long to wait after a connection has ended: random, so that a fleet does not come back all at once.
   * @param retryAfter - What the other end asked for on top, in ms; cut to five minutes.
   */
  dialLater({ isWelcomed, isRefused }: EndedConnection, retryAfter: number = 0): number {
    const isStable = this.#options.clock.now() - this.#connectedAt >= STABLE_AFTER_MS;
    if (isWelcomed) this.#shortSessions = isStable ? 0 : this.#shortSessions + 1;
    const isKicked = this.#shortSessions >= MAX_SHORT_SESSIONS;
    if (isRefused || isKicked) this.#isExpected = false;
    else if (isWelcomed) this.#isExpected = true;
    if (isStable || (isWelcomed && this.#isExpected)) this.#failures = 0;
    return this.#nextDelay() + Math.min(retryAfter, MAX_STAY_AWAY_MS);
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
  async #dialAsync(signal: AbortSignal): Promise<Socket> {
    return this.#options.dialer.dial(signal, this.#options.limits);
  }

  #onOpen(dialing: AbortController, socket: Socket): void {
    if (this.#dialing !== dialing) return socket.close();
    this.#dialing = undefined;
    this.#connectedAt = this.#options.clock.now();
    this.#options.onConnected(socket);
  }

  #onFailed(dialing: AbortController, error: unknown): void {
    if (this.#dialing !== dialing) return;
    this.#dialing = undefined;
    if (isRefusal(error)) this.#isExpected = false;
    const retryIn = this.#nextDelay();
    if (this.#options.onFailed(error, retryIn)) this.dialAfter(retryIn);
  }

  #nextDelay(): number {
    const { random, reconnectMin, reconnectMax } = this.#options;
    const max = this.#isExpected ? Math.min(reconnectMax, RETURN_MAX_MS) : reconnectMax;
    const delay = backoffDelay(random, reconnectMin, max, this.#failures);
    // However long the other end is away, a first refusal on its return does not cost the longest pause at once.
    if (!this.#isExpected || backoffBound(reconnectMin, max, this.#failures) < max) this.#failures++;
    return delay;
  }
}
