/**
 * What a thread runs: takes its orders, loads the user's module and serves it as a Worker over the port it was handed.
 * Takes nothing from the user's module: `workerData` is theirs, and `parentPort` is left alone once the orders are in.
 */
import { parentPort } from "node:worker_threads";
import { type Dialer, type Handler, Worker } from "../index.ts";
import { dialMessagePort } from "../transports/message-port.ts";
import { type Boot, oneLine, sealed, type ThreadNote } from "./boot.ts";
import { loadHandler } from "./load.ts";

/** Tells the supervisor how far the thread has come, each step once. */
class Progress {
  readonly #tell: (note: ThreadNote) => void;
  #registered = false;
  #begun = false;

  constructor(tell: (note: ThreadNote) => void) {
    this.#tell = tell;
  }

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

  failed(message: string, cause: unknown): void {
    try {
      this.#tell({ step: "failed", message, cause });
    } catch {
      // What was thrown cannot be cloned.
      this.#tell({ step: "failed", message, cause: oneLine(cause) });
    }
  }

  #begin(): void {
    this.#begun = true;
    // The first job may come along with the welcome and never let go of the event loop, or end the thread.
    this.registered();
    this.#tell({ step: "begun" });
  }
}

function makeWorker(boot: Boot, handler: Handler): Worker {
  const { port, module: _module, exportName: _exportName, seal: _seal, ...options } = boot;
  const dialer = dialMessagePort(port);
  // A port carries one connection, so that nothing is to be waited for once it is gone: the thread ends by itself.
  const dial: Dialer = { sameProcess: true, dial: (signal, limits) => dialer.dial(signal, limits) };
  // Stacks stay inside the process; whether they are shown is up to the runner.
  return new Worker({ ...options, dial, handler, blocking: true, afterRetirement: "stop", remoteStacks: true });
}

/** A thread that has nothing left to wait for ends in silence, also in the middle of loading its module. */
async function loadInTime({ module, exportName }: Boot, progress: Progress): Promise<Handler> {
  const ranDry = (): void =>
    progress.failed(`${module} never finishes loading: its top-level await does not settle`, undefined);
  process.once("beforeExit", ranDry);
  try {
    return await loadHandler(module, exportName);
  } finally {
    process.off("beforeExit", ranDry);
  }
}

async function serve(boot: Boot, tell: (note: ThreadNote) => void): Promise<void> {
  const progress = new Progress(tell);
  try {
    const handler = progress.follow(await loadInTime(boot, progress));
    const worker = makeWorker(boot, handler);
    tell({ step: "loaded" });
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
    boot.port.close();
    progress.failed(
      error instanceof Error ? error.message : String(error),
      error instanceof Error ? error.cause : error,
    );
  }
}

if (parentPort === null) throw new Error("this module is what a thread of `threads()` runs, and nothing else");
const parent = parentPort;
parent.once("message", (boot: Boot) => void serve(boot, (note) => parent.postMessage(sealed(note, boot.seal))));
