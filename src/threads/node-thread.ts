/** A worker thread of Node, as supervisor/thread-instance.ts sees it. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type MessagePort, Worker as NodeWorker, type WorkerOptions } from "node:worker_threads";
import type { HostedEvents, HostedThread } from "../supervisor/thread-instance.ts";
import { moduleUrl } from "./options.ts";

/** Bundled to CommonJS there may be none. */
const HERE: string | undefined = import.meta.url;

const BUNDLED =
  'this program was bundled; leave the package out of the bundle (external: "powerhose"), or build `powerhose/threads/entry` as an entry of its own and give its file as the option `script`: docs/bundlers.md of `powerhose` shows both';

/**
 * The script of this package. A bundler that takes this file in moves it and leaves the script out: a file of that name beside
 * the bundle is not the script.
 */
function packagedScript(): URL {
  if (HERE?.endsWith("/node-thread.js") === true) {
    // Otherwise webpack copies the script without what it imports.
    const script = new URL(/* webpackIgnore: true */ "./entry.js", HERE);
    if (existsSync(fileURLToPath(script))) return script;
  }
  throw new Error(`the script of the threads is not beside ${HERE ?? "its program"}: ${BUNDLED}`);
}

/** The script to run. */
function findScript(given: URL | string | undefined): URL {
  if (given === undefined) return packagedScript();
  const script = new URL(moduleUrl(given));
  if (script.protocol === "file:" && !existsSync(fileURLToPath(script)))
    throw new Error(`\`script\`: ${fileURLToPath(script)} does not exist; build \`powerhose/threads/entry\` to it`);
  return script;
}

/**
 * Threads inherit this process's options, and with the `--input-type` of a script from the command line Node runs no file:
 * there the script is imported by another.
 */
function start(script: URL, host: WorkerOptions): NodeWorker {
  const inherited = host.execArgv ?? process.execArgv;
  if (!inherited.some((option) => option.startsWith("--input-type"))) return new NodeWorker(script, host);
  return new NodeWorker(`import(${JSON.stringify(script.href)})`, { ...host, eval: true });
}

/** Starts a thread; `host` is handed to Node as it is. Throws what Node throws, and when there is no script to run. */
export function spawnThread(given: URL | string | undefined, host: WorkerOptions, events: HostedEvents): HostedThread {
  const worker = start(findScript(given), host);
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
