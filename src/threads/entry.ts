/**
 * The script of a worker thread of Node: takes its init message and runs supervisor/thread-main.ts. Takes nothing from the
 * user's module: `workerData` is theirs, and `parentPort` is left alone after the init message.
 */
import { parentPort } from "node:worker_threads";
import { type ThreadInit, wrapMessage } from "../supervisor/thread-protocol.ts";
import { type StartupReporter, serveThread } from "../supervisor/thread-main.ts";
import type { Handler } from "../index.ts";
import { loadHandler } from "./load.ts";

/** A thread that has nothing left to wait for ends in silence, also in the middle of loading its module. */
async function loadInTime({ module, exportName }: ThreadInit, reporter: StartupReporter): Promise<Handler> {
  const onStuck = (): void =>
    reporter.reportFailure(`${module} never finishes loading: its top-level await does not settle`, undefined);
  process.once("beforeExit", onStuck);
  try {
    return await loadHandler(module, exportName);
  } finally {
    process.off("beforeExit", onStuck);
  }
}

if (parentPort === null) throw new Error("this module is what a thread of `threads()` runs, and nothing else");
const parent = parentPort;
parent.once(
  "message",
  (init: ThreadInit) =>
    void serveThread(init, (message) => parent.postMessage(wrapMessage(message, init.nonce)), loadInTime),
);
