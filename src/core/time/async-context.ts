/**
 * The async context of a call, so that a handler in the same process finds its caller's `AsyncLocalStorage`. Frames of several
 * callers travel together, and would all be read in the context of the first. It is captured in system.ts.
 */

/** What a caller's code runs in. An `AsyncResource` of Node is one. */
export interface AsyncContext {
  /** Runs `fn` in it, with these arguments. */
  runInAsyncScope<A extends unknown[], R>(fn: (...args: A) => R, thisArg?: unknown, ...args: A): R;
}

/** The contexts of jobs that are on their way within this process, by attempt id. */
export interface JobContexts {
  /** The context of that attempt, if it was captured. */
  get(attemptId: number): AsyncContext | undefined;
  /** Keeps the context of an attempt until it has arrived. */
  set(attemptId: number, context: AsyncContext): void;
  /** Forgets it. */
  delete(attemptId: number): boolean;
}
