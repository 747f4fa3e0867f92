/** The script of a Web Worker that is given a module: imports it and serves its handler. */
import { errorLine } from "../core/describe-error.ts";
import { handlerAmong } from "../supervisor/handler-export.ts";
import type { ThreadInit } from "../supervisor/thread-protocol.ts";
import { type Handler, WorkerStartError } from "../index.ts";
import { serveScope } from "./serve-scope.ts";

async function load({ module, exportName }: ThreadInit): Promise<Handler> {
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = (await import(/* webpackIgnore: true */ /* @vite-ignore */ module)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new WorkerStartError(`${module} could not be loaded: ${errorLine(error)}`, { cause: error });
  }
  return handlerAmong(exported, exportName, module);
}

serveScope(load);
