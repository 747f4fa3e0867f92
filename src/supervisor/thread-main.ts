/**
 * What runs in a thread once it has its orders: the handler is loaded, and served as a Worker over the port. How orders
 * come in and how a module is found is the host's business: threads/entry.ts, browser/handler-entry.ts.
 */
import { describeError, errorLine } from "../core/describe-error.ts";
import { type Dialer, type Handler, Worker } from "../index.ts";
import { dialMessagePort } from "../transports/message-port.ts";
import type { ThreadInit, ThreadMessage } from "./thread-protocol.ts";
import { scarcityOf } from "./scarcity.ts";

/** Tells the supervisor how far the thread has come, each step once. */
export class StartupReporter {
  readonly #tell: (note: ThreadMessage) => void;
  #registered = false;
  #begun = false;

  constructor(tell: (note: ThreadMessage) => void) {
    this.#tell = tell;
  }

  /** The handler is there. */
  loaded(): void {
    this.#tell({ step: "loaded" });
  }

  /** The runner has let it in. */
  registered(): void {
    if (this.#registered) return;
    this.#registered = true;
    this.#tell({ step: "registered" });
  }

  /** The handler, followed until it is first called: a note for each job would cost more than many a job. */
  follow(handler: Handler): Handler {
    return (job, context) => {
      if (!this.#begun) this.#begin();
      return handler(job, context);
    };
  }

  /** It will never serve. */
  failed(message: string, cause: unknown, error: unknown = cause): void {
    const scarce = scarcityOf(error);
    try {
      this.#tell({ step: "failed", message, cause, scarce });
    } catch {
      // What was thrown cannot be cloned.
      this.#tell({ step: "failed", message, cause: errorLine(cause), scarce });
    }
  }

  #begin(): void {
    this.#begun = true;
    // The first job may come along with the welcome and never let go of the event loop, or end the thread.
    this.registered();
    this.#tell({ step: "begun" });
  }
}

function makeWorker(init: ThreadInit, handler: Handler): Worker {
  const { port, module: _module, exportName: _exportName, nonce: _seal, ...options } = init;
  const dialer = dialMessagePort(port);
  // A port carries one connection, so that nothing is to be waited for once it is gone: the thread ends by itself.
  const dial: Dialer = { sameProcess: true, dial: (signal, limits) => dialer.dial(signal, limits) };
  // Stacks stay inside the process; whether they are shown is up to the runner.
  return new Worker({ ...options, dial, handler, blocking: true, afterRetirement: "stop", remoteStacks: true });
}

/** Loads the handler and serves it. Never rejects: what goes wrong is told. */
export async function serveThread(
  init: ThreadInit,
  tell: (note: ThreadMessage) => void,
  load: (init: ThreadInit, progress: StartupReporter) => Promise<Handler>,
): Promise<void> {
  const progress = new StartupReporter(tell);
  try {
    const handler = progress.follow(await load(init, progress));
    const worker = makeWorker(init, handler);
    progress.loaded();
    // Only while it starts, as events cost something for every job. The port is its only way to the runner.
    const unwatch = worker.on((event) => {
      if (event.type !== "disconnected") return;
      progress.failed(event.message, event.error);
      void worker.stop();
    });
    await worker.start();
    unwatch();
    progress.registered();
  } catch (error) {
    init.port.close();
    progress.failed(describeError(error), error instanceof Error ? error.cause : error, error);
  }
}
