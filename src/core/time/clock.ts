/**
 * Time and random numbers as the core sees them. The real ones are in system.ts; a test passes its own. Nothing else in the core
 * may name a timer, a date or a random source. Waits are in timer.ts and timer-queue.ts.
 */

/** What `Clock.set` returned. Opaque to all but the clock that made it. */
export type TimerHandle = unknown;

/** The core's only source of time. All durations are milliseconds. */
export interface Clock {
  /** A monotonic reading in milliseconds, from an arbitrary start. */
  now(): number;
  /** Calls `fn` once, not before `delay` ms have passed. `keepAlive` says whether waiting for it is a reason for the process to stay. */
  set(delay: number, fn: () => void, keepAlive: boolean): TimerHandle;
  /** Forgets a timer. Harmless when it has fired. */
  clear(handle: TimerHandle): void;
  /** Calls `fn` once when the code that runs now, and what follows from it at once, is done: where a batch is sent. */
  endOfTurn(fn: () => void): void;
  /** Calls `fn` once in a later turn of the event loop, after pending input: how frames move inside one process. */
  nextTurn(fn: () => void): void;
}

/** The core's only source of chance. */
export interface Random {
  /** A uniform integer from 0 to 2^32 - 1. */
  u32(): number;
  /** A fresh random name of 128 bits: 32 hexadecimal digits. */
  id(): string;
}

/** A uniform number from 0 (included) to `limit` (excluded): the "full jitter" of a backoff. */
export function jitter(random: Random, limit: number): number {
  return (random.u32() / 0x1_0000_0000) * limit;
}

/** The longest timer a host can set, in ms: beyond it `setTimeout` fires at once. */
export const MAX_DURATION = 0x7fff_ffff;
