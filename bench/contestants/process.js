/** A worker process that never outlives whoever started it: it ends when the channel between the two does. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/**
 * @param {string} module - Relative to this file.
 * @param {string} address - What it dials.
 * @returns {{ stop(): Promise<void> }}
 */
export function startProcess(module, address) {
  const child = fork(fileURLToPath(new URL(module, import.meta.url)), [address]);
  const ended = once(child, "exit");
  return {
    async stop() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
