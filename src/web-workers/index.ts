/**
 * The public door of `powerhose/web-workers`: a listener that starts Web Workers of its own, each serving one handler, so that
 * a page runs jobs on all cores. What their script calls is in serve.ts, their replacement in supervisor/supervised-thread.ts.
 */
import { WebWorkersListener } from "./listener.ts";
import type { WebWorkersOptions } from "./options.ts";
import type { WebWorkerLike } from "./web-thread.ts";

export type { WebWorkersListener } from "./listener.ts";
export type { WebWorkersDefaults, WebWorkersOptions } from "./options.ts";
export { WEB_WORKERS_DEFAULTS } from "./options.ts";
export type { WebWorkerEvent, WebWorkerLike } from "./web-thread.ts";

/**
 * Runs a handler in Web Workers of this page, which are started and stopped with the runner that listens. One that dies is
 * replaced; one that hangs past its job's timeout is terminated.
 *
 * ```ts
 * const runner = new JobRunner({
 *   listen: webWorkers(() => new Worker(new URL("./images-worker.ts", import.meta.url), { type: "module" })),
 * });
 * ```
 *
 * @param module - A function that returns a new Web Worker, whose script calls `serve` of `powerhose/web-workers/serve`: what
 *   bundlers understand. Or the URL of an ES module whose export is the handler, as the browser loads it; a text is relative to
 *   the page.
 * @param options - See {@link WebWorkersOptions}.
 * @throws TypeError or RangeError when the module or an option is wrong.
 */
export function webWorkers(
  module: string | URL | (() => WebWorkerLike),
  options: WebWorkersOptions = {},
): WebWorkersListener {
  return new WebWorkersListener(module, options);
}
