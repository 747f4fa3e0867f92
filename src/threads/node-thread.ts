/** A worker thread of Node, as the supervisor of supervisor/thread-instance.ts wants to see it. */
import { type MessagePort, Worker as NodeWorker, type WorkerOptions } from "node:worker_threads";
import type { HostedEvents, HostedThread } from "../supervisor/thread-instance.ts";

const ENTRY = new URL("./entry.js", import.meta.url);

/**
 * Threads inherit this process's options, and with the `--input-type` of a script from the command line Node runs no file:
 * there the entry is imported by a script too.
 */
function start(host: WorkerOptions): NodeWorker {
  const inherited = host.execArgv ?? process.execArgv;
  if (!inherited.some((option) => option.startsWith("--input-type"))) return new NodeWorker(ENTRY, host);
  return new NodeWorker(`import(${JSON.stringify(ENTRY.href)})`, { ...host, eval: true });
}

/** Starts a thread; `host` is handed to Node as it is. Throws what Node throws. */
export function spawnThread(host: WorkerOptions, events: HostedEvents): HostedThread {
  const worker = start(host);
  worker.on("message", (message: unknown) => events.message(message));
  worker.on("error", (error: unknown) => events.error(error));
  worker.once("exit", (code) => events.exited(`exited with code ${code}`));
  // Nobody else can read what was asked to be kept from this process's own streams.
  if (host.stdout === true) worker.stdout.resume();
  if (host.stderr === true) worker.stderr.resume();
  return {
    portCloses: true,
    // The global MessageChannel, which made the port, is that of `node:worker_threads`.
    post: (boot, port) => worker.postMessage(boot, [port as MessagePort]),
    terminate: () => void worker.terminate(),
  };
}
