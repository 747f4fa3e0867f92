/**
 * How the cases wait: for a condition, for a promise, for quiet. In virtual time for what takes a clock, in real time for
 * all that moves by itself. No wait lasts for ever: it ends with an error that says what was lost.
 */
import { type Clock, systemClock } from "../../index.ts";
import { VirtualClock } from "../time/virtual-clock.ts";
import { expectEqual } from "./expectation.ts";

/** The time a harness lives in, and the ways to wait in it. Made by {@link realTime} or {@link virtualTime}. */
export interface TestTime {
  /** The clock of everything on the harness. */
  readonly clock: Clock;
  /** Waits until a condition holds; rejects with an `Error` when it does not come true. */
  readonly until: (condition: () => boolean) => Promise<void>;
  /** Waits for a promise while time goes on, and settles as it does; rejects with an `Error` when it never settles. */
  readonly settle: <T>(promise: Promise<T>) => Promise<T>;
  /** Waits until whatever is on its way has arrived. */
  readonly quiet: () => Promise<void>;
  /** Lets that many ms pass. */
  readonly pass: (ms: number) => Promise<void>;
}

/** {@link TestTime} that stands still unless a case moves it. */
export interface VirtualTime extends TestTime {
  /** To be given to the transport. */
  readonly clock: VirtualClock;
}

/** For transports that take a `Clock` and do nothing without it. Each harness needs its own. */
export function virtualTime(): VirtualTime {
  const clock = new VirtualClock();
  let last = Promise.resolve();
  // A clock is moved by one at a time, and conformance cases wait for two things at once.
  const move = (ms: number): Promise<void> => {
    const moved = last.then(() => clock.advance(ms));
    last = moved.catch(() => undefined);
    return moved;
  };
  return {
    clock,
    until: async (condition) => {
      await move(0);
      if (!condition()) throw new Error(`nothing moves any more, and it is still not so: ${condition.toString()}`);
    },
    settle: async (promise) => {
      let settled = false;
      const note = (): void => void (settled = true);
      promise.then(note, note); // it may fail while the clock moves; the return hands that on
      await move(0);
      if (!settled) throw new Error("nothing moves any more, and the promise has not settled");
      return promise;
    },
    quiet: () => move(0),
    pass: move,
  };
}

/** Throws when timers are still set where that can be known: in virtual time. */
export function expectNoTimers(clock: Clock): void {
  if (clock instanceof VirtualClock) expectEqual(clock.pending, 0, "the number of timers left behind");
}

/** How patient {@link realTime} is. */
export interface RealTimeOptions {
  /** How long a condition or a promise is waited for, in ms. Default: 10,000. Less than your test runner's own limit gives better messages. */
  readonly stuckAfter?: number | undefined;
  /** How long nothing new must come, in ms, until a connection counts as quiet. Default: 5, right for loopback; a network needs more. */
  readonly quiet?: number | undefined;
}

/** Loopback and ports deliver within a turn or two of the event loop; this is far beyond. */
const QUIET_TURNS = 25;

function nextTurn(): Promise<void> {
  return new Promise((resolve) => systemClock.nextTurn(resolve));
}

function sleep(ms: number): Promise<void> {
  return new Promise<void>((resolve) => void systemClock.set(ms, resolve, true));
}

function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject: (reason: unknown) => void) => {
    const giveUp = (): void => reject(new Error(`not settled after ${ms} ms`));
    const timer = systemClock.set(ms, giveUp, true);
    promise.then(resolve, reject).finally(() => systemClock.clear(timer));
  });
}

/** For transports that move by themselves: networks, ports, threads. */
export function realTime(options: RealTimeOptions = {}): TestTime {
  const { stuckAfter = 10_000, quiet = 5 } = options;
  return {
    clock: systemClock,
    until: async (condition) => {
      const giveUp = systemClock.now() + stuckAfter;
      while (!condition()) {
        if (systemClock.now() > giveUp) throw new Error(`still not so after ${stuckAfter} ms: ${condition.toString()}`);
        await nextTurn();
      }
    },
    settle: (promise) => within(promise, stuckAfter),
    quiet: async () => {
      for (let turn = 0; turn < QUIET_TURNS; turn++) await nextTurn();
      await sleep(quiet);
    },
    pass: sleep,
  };
}
