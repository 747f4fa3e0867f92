/**
 * How code under simulation waits: on virtual time, or for ever. What waits on a machine that crashes does not go on. The waits
 * are counted. Why: a world in which nothing waits for the simulation may be stuck.
 */
import type { HandlerMonitor } from "./handler-monitor.ts";
import type { Machine, ActiveMachine } from "./machine.ts";
import type { VirtualClock } from "../time/virtual-clock.ts";

/** One wait. Without a machine it is in the test itself. */
interface Wait {
  readonly machine: Machine | undefined;
  /** Whether its end is certain: it sleeps. */
  readonly sleeps: boolean;
}

/** The waits of one simulation. */
export class Waits {
  readonly #clock: VirtualClock;
  readonly #active: ActiveMachine;
  readonly #handlers: HandlerMonitor;
  /** Called when a wait ends. */
  readonly #progress: () => void;
  readonly #waiting = new Set<Wait>();
  #over = false;

  constructor(clock: VirtualClock, active: ActiveMachine, handlers: HandlerMonitor, progress: () => void) {
    this.#clock = clock;
    this.#active = active;
    this.#handlers = handlers;
    this.#progress = progress;
  }

  /** How many waits there are. */
  get count(): number {
    return this.#waiting.size;
  }

  /** Whether a wait is a sleep, and so will end. */
  get sleeping(): boolean {
    for (const { sleeps } of this.#waiting) if (sleeps) return true;
    return false;
  }

  /** A machine has crashed: what waits there waits for nothing any more. */
  forget(machine: Machine): void {
    for (const wait of this.#waiting) if (wait.machine === machine) this.#waiting.delete(wait);
  }

  /** The world is over: further waits are rejected. */
  end(): void {
    this.#over = true;
  }

  /** Resolves after `ms`; rejects with the signal's reason when that aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (!(ms >= 0 && ms < Number.POSITIVE_INFINITY))
      return Promise.reject(new RangeError(`sleep takes a number of ms from 0, not ${ms}`));
    return this.#wait(signal, true, (wake) => {
      const timer = this.#clock.set(ms, wake);
      return () => this.#clock.clear(timer);
    });
  }

  /** Never resolves; rejects with the signal's reason when that aborts. */
  async forever(signal?: AbortSignal): Promise<never> {
    await this.#wait(signal, false, () => () => undefined);
    throw new Error("for ever is over");
  }

  /** Waits for a promise that something in the simulation will settle. */
  for<T>(promise: Promise<T>): Promise<T> {
    const machine = this.#owner(undefined);
    return new Promise((resolve, reject: (error: unknown) => void) => {
      const wait = this.#begin(machine, false);
      // It settles within another event: on a machine it goes on in an event of that machine.
      const end = (settle: () => void): void => {
        if (machine === undefined) this.#goOn(wait, settle);
        else machine.nextTurn(() => this.#goOn(wait, settle));
      };
      promise.then(
        (value) => end(() => resolve(value)),
        (error: unknown) => end(() => reject(error)),
      );
    });
  }

  #wait(signal: AbortSignal | undefined, sleeps: boolean, begin: (wake: () => void) => () => void): Promise<void> {
    const machine = this.#owner(signal);
    return new Promise((resolve, reject: (reason: unknown) => void) => {
      if (signal?.aborted === true) return reject(signal.reason);
      if (this.#over) return reject(new Error("this simulation is over: nothing happens in it any more"));
      const wait = this.#begin(machine, sleeps);
      const end = (settle: () => void): void => {
        signal?.removeEventListener("abort", aborted);
        if (machine === undefined) this.#goOn(wait, settle);
        else machine.run(() => this.#goOn(wait, settle));
      };
      const forget = begin(() => end(resolve));
      const aborted = (): void => {
        forget();
        end(() => reject(signal?.reason));
      };
      signal?.addEventListener("abort", aborted);
    });
  }

  #begin(machine: Machine | undefined, sleeps: boolean): Wait {
    const wait = { machine, sleeps };
    if (machine?.state !== "down") this.#waiting.add(wait);
    return wait;
  }

  #goOn(wait: Wait, settle: () => void): void {
    this.#waiting.delete(wait);
    this.#progress();
    settle();
  }

  /** The machine of the wait: that of the handler with this signal, else of the present event. Callers of a runner belong to the test. */
  #owner(signal: AbortSignal | undefined): Machine | undefined {
    const owner = signal === undefined ? undefined : this.#handlers.ownerOf(signal);
    if (owner !== undefined) return owner;
    const { actor } = this.#active;
    return actor?.role === "worker" ? actor : undefined;
  }
}
