/** The script of a Web Worker that runs handlers: imports the user's module and serves it over a port. */
import { errorLine } from "../core/describe-error.ts";
import { type ThreadInit, wrapMessage } from "../supervisor/thread-protocol.ts";
import { handlerAmong } from "../supervisor/handler-export.ts";
import { serveThread } from "../supervisor/thread-main.ts";
import { type Handler, WorkerStartError } from "../index.ts";

/** The part of a dedicated worker's global scope that is used. */
interface WorkerScope {
  postMessage(message: unknown): void;
  addEventListener(
    type: "message",
    listener: (event: MessageEvent<ThreadInit>) => void,
    options: { once: boolean },
  ): void;
  close(): void;
  reportError(error: unknown): void;
}

const scope = globalThis as WorkerScope;

async function load({ module, exportName }: ThreadInit): Promise<Handler> {
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = (await import(/* webpackIgnore: true */ /* @vite-ignore */ module)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new WorkerStartError(`${module} could not be loaded: ${errorLine(error)}`, { cause: error });
  }
  return handlerAmong(exported, exportName, module);
}

// A Web Worker that closes itself fires no event: its job would hang until it times out.
scope.close = (): void => scope.reportError(new Error("the handler closed its Web Worker"));
// Once: all further messages belong to the user's module.
scope.addEventListener(
  "message",
  ({ data: init }) => void serveThread(init, (message) => scope.postMessage(wrapMessage(message, init.nonce)), load),
  { once: true },
);
