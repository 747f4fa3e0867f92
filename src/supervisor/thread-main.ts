/**
 * What runs in a thread once it has its init message: loads the handler, and serves it as a Worker over the port. How the
 * message arrives and how a module is found depends on the host: threads/entry.ts, web-workers/serve-scope.ts.
 */
import { describeError, errorLine } from "../core/describe-error.ts";
import { type Dialer, type Handler, Worker } from "../index.ts";
import { likeHandler } from "../core/worker/handler-lifecycle.ts";
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
  reportLoaded(): void {
    this.#post({ step: "loaded" });
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
    return likeHandler(followed, handler);
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

function makeWorker(init: ThreadInit, handler: Handler): Worker {
  const { port, claims, module: _module, exportName: _exportName, nonce: _nonce, ...options } = init;
  // A thread ends with its supervisor, which ends it when it wants to: that it is busy for long says nothing.
  const dialer = dialMessagePort(port, {}, { reportsPeerExit: true, claims });
  // A port carries one connection: once it is gone, nothing keeps the thread, which ends by itself.
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
    const worker = makeWorker(init, handler);
    reporter.reportLoaded();
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
