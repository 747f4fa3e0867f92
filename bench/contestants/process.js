/** A worker process that never outlives whoever started it: it ends when the channel between the two does. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/**
 * @param {URL} module
 * @param {...string} args - What it dials, and what else it has to know.
 * @returns {{ stop(): Promise<void> }}
 */
export function startProcess(module, ...args) {
  const child = fork(fileURLToPath(module), args, { execArgv: [] });
  const ended = once(child, "exit");
  return {
    async stop() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
