/** The end of a command. */
import { liveThreads } from "../../supervisor/live-threads.ts";

/** How long threads may take to end, in ms, before the process is killed with them. */
const THREADS_END_MS = 1_000;

/**
 * Ends the process, also while a handle keeps it alive: a terminal on stdin, a connection that lingers. `process.exit` waits for
 * every thread, for ever for one in a call of the system that does not return: then SIGKILL ends all, with status 137.
 */
export async function endProcess(code: number): Promise<never> {
  if (!(await liveThreads.endAll(THREADS_END_MS))) process.kill(process.pid, "SIGKILL");
  process.exit(code);
}
