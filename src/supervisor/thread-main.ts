/**
 * What runs in a thread once it has its init message: loads the handler, and serves it as a Worker over the port. How the
 * message arrives and how a module is found depends on the host: threads/entry.ts, web-workers/serve-scope.ts.
 */
import { describeError, errorLine } from "../core/describe-error.ts";
import { type Dialer, type Handler, systemClock, Worker } from "../index.ts";
import { likeHandler, tasksOf, withTasks } from "../core/worker/handler-lifecycle.ts";
import { dialMessagePort } from "../transports/message-port.ts";
import type { ThreadInit, ThreadMessage } from "./thread-protocol.ts";
import { scarcityOf } from "./scarcity.ts";

/** Reports to the supervisor how far the thread has come, each step once. */
export class StartupReporter {
  readonly #post: (message: ThreadMessage) => void;
  #registered = false;
  #begun = false;

  constructor(post: (message: ThreadMessage) => void) {
    this.#post = post;
  }

  /** The handler is loaded. */
  reportLoaded(handler: Handler): void {
    this.#post({ step: "loaded", closes: tasksOf(handler)?.close !== undefined });
  }

  /** The worker has stopped. */
  reportClosed(): void {
    this.#post({ step: "closed" });
  }

  /** The runner has registered the worker. */
  reportRegistered(): void {
    if (this.#registered) return;
    this.#registered = true;
    this.#post({ step: "registered" });
  }

  /** Returns the handler, wrapped until its first call: a message for each job would cost more than many a job. */
  follow(handler: Handler): Handler {
    const followed: Handler = (job, context) => {
      if (!this.#begun) this.#reportBegun();
      return handler(job, context);
    };
    const tasks = tasksOf(handler);
    if (tasks?.close === undefined) return likeHandler(followed, handler);
    const { close } = tasks;
    const followedClose = (): unknown => {
      this.#post({ step: "closing" });
      return close();
    };
    return withTasks(followed, { ...tasks, close: followedClose });
  }

  /** The thread will never serve. */
  reportFailure(message: string, cause: unknown, error: unknown = cause): void {
    const scarce = scarcityOf(error);
    try {
      this.#post({ step: "failed", message, cause, scarce });
    } catch {
      // The cause cannot be cloned.
      this.#post({ step: "failed", message, cause: errorLine(cause), scarce });
    }
  }

  #reportBegun(): void {
    this.#begun = true;
    // The first job may come along with the welcome and never let go of the event loop, or end the thread.
    this.reportRegistered();
    this.#post({ step: "begun" });
  }
}

/** @param onClosed - Called once its connection is gone: a port carries one. */
function makeWorker(init: ThreadInit, handler: Handler, onClosed: () => void): Worker {
  const { port, claims, module: _module, exportName: _exportName, nonce: _nonce, ...options } = init;
  // A thread ends with its supervisor, which ends it when it wants to: that it is busy for long says nothing.
  const dialer = dialMessagePort(port, {}, { reportsPeerExit: true, claims, onClosed });
  // While the tasks' `init` runs there is no socket on the port, which hosts other than browsers close all the same.
  port.addEventListener("close", onClosed);
  const dial: Dialer = { sameProcess: true, dial: (signal, limits) => dialer.dial(signal, limits) };
  // Stacks stay inside the process; whether they are shown is up to the runner.
  return new Worker({ ...options, dial, handler, blocking: true, afterRetirement: "stop", remoteStacks: true });
}

/** Loads the handler and serves it. Never rejects: what goes wrong is reported. */
export async function serveThread(
  init: ThreadInit,
  post: (message: ThreadMessage) => void,
  load: (init: ThreadInit, reporter: StartupReporter) => Promise<Handler>,
): Promise<void> {
  const reporter = new StartupReporter(post);
  try {
    const handler = reporter.follow(await load(init, reporter));
    // In a turn of its own, once the worker has seen the end of its connection.
    const worker: Worker = makeWorker(init, handler, () => systemClock.nextTurn(() => void worker.stop()));
    void worker.closed.then(() => reporter.reportClosed());
    reporter.reportLoaded(handler);
    // Only while it starts, as events cost something for every job. The port is its only way to the runner.
    const unwatch = worker.on((event) => {
      if (event.type !== "disconnected") return;
      reporter.reportFailure(event.message, event.error);
      void worker.stop();
    });
    await worker.start();
    unwatch();
    reporter.reportRegistered();
  } catch (error) {
    init.port.close();
    reporter.reportFailure(describeError(error), error instanceof Error ? error.cause : error, error);
  }
}
