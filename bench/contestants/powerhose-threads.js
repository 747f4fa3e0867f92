/** A JobRunner with worker threads, that are given many jobs at a time or, by default, one. */
import { JobRunner } from "powerhose";
import { threads } from "powerhose/threads";
import { sendAhead } from "./ahead.js";

/**
 * @param {{ threads?: object, runner?: object, ahead?: number, handler?: string }} options - Those of `threads` and of the
 * runner, all defaults but for the number of threads, which is one; and the handler's module, an echo unless said otherwise.
 */
export async function open({ threads: options, runner: others, ahead, handler = "./echo.js" }) {
  const listen = threads(new URL(handler, import.meta.url), { size: 1, ...options });
  const runner = new JobRunner({ listen, acquireTimeout: 30_000, ...sendAhead(ahead), ...others });
  await runner.start();
  return { echo: (payload) => runner.execute(payload), close: () => runner.stop() };
}
