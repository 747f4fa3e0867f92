/**
 * The public door of `powerhose/threads`: a listener that starts worker threads of its own, each serving one handler.
 * A thread's own code is in entry.ts, its life in thread-instance.ts, its replacement in supervised-thread.ts.
 */
import { ThreadsListener } from "./listener.ts";
import type { ThreadsOptions } from "./options.ts";

export type { ThreadsListener } from "./listener.ts";
export type { ThreadsDefaults, ThreadsOptions } from "./options.ts";
export { THREADS_DEFAULTS } from "./options.ts";

/**
 * Runs a module's handler in worker threads of this process, which are started and stopped with the runner that listens:
 * `new JobRunner({ listen: threads(new URL("./square.js", import.meta.url)) })`. A thread that dies is replaced; one that
 * hangs past its job's timeout is killed.
 * @param module - The module whose export is the handler: a URL, the text of one (`file:` or `data:`), or a path, relative
 *   to the working directory unless absolute.
 * @param options - See {@link ThreadsOptions}.
 * @throws TypeError or RangeError when the module or an option is wrong.
 */
export function threads(module: URL | string, options: ThreadsOptions = {}): ThreadsListener {
  return new ThreadsListener(module, options);
}
