/** A worker thread of Node, as supervisor/thread-instance.ts sees it. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
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

/** A bundler that takes this file in leaves the script out. */
function checkEntry(): void {
  const path = fileURLToPath(ENTRY);
  if (existsSync(path)) return;
  throw new Error(
    `the script of the threads is not at ${path}: this program was bundled; leave the package \`powerhose\` out of the bundle (esbuild: --external:powerhose)`,
  );
}

/** Starts a thread; `host` is handed to Node as it is. Throws what Node throws. */
export function spawnThread(host: WorkerOptions, events: HostedEvents): HostedThread {
  checkEntry();
  const worker = start(host);
  worker.on("message", (message: unknown) => events.onMessage(message));
  worker.on("error", (error: unknown) => events.onError(error));
  worker.once("exit", (code) => events.onExit(`exited with code ${code}`));
  // Nothing else reads the output that is kept from this process's streams, and unread output would fill up.
  if (host.stdout === true) worker.stdout.resume();
  if (host.stderr === true) worker.stderr.resume();
  return {
    portCloses: true,
    // The global MessageChannel, which made the port, is that of `node:worker_threads`.
    post: (init, port) => worker.postMessage(init, [port as MessagePort]),
    terminate: () => void worker.terminate(),
  };
}
