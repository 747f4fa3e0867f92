/** The public door of `powerhose/web-workers/serve`: what the script of a Web Worker calls. */
import type { Handler } from "../index.ts";
import { isWorkerScope, serveScope } from "./serve-scope.ts";

const served = new WeakSet<object>();

/**
 * Serves a handler in this Web Worker, which `webWorkers` or `serveFromTab` has started by a function: the one line of its
 * script. `serve(tasks({ … }))` for typed tasks. May be called after an `await`; once.
 * @throws TypeError when the handler is no function.
 * @throws Error when this is no dedicated Web Worker, or when it serves a handler already.
 */
export function serve(handler: Handler): void {
  if (typeof handler !== "function") throw new TypeError("serve: expected the handler to be a function");
  if (!isWorkerScope())
    throw new Error("serve: this is not a Web Worker; `new Worker` of powerhose serves a handler here");
  if (served.has(globalThis)) throw new Error("serve: this Web Worker serves a handler already");
  served.add(globalThis);
  serveScope(() => Promise.resolve(handler));
}
