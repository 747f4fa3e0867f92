/**
 * The async context of a call, so that a handler in the same process finds its caller's `AsyncLocalStorage`. Frames of several
 * callers travel together, and would all be read in the context of the first. It is captured in system.ts.
 */

/** What a caller's code runs in. An `AsyncResource` of Node is one. */
export interface AsyncContext {
  /** Runs `fn` in it. */
  runInAsyncScope<R>(fn: () => R): R;
}

/** The contexts of jobs that are on their way within this process, by attempt id. */
export type JobContexts = Map<number, AsyncContext>;
