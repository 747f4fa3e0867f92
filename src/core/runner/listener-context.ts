/**
 * What a listener may see and ask of the runner it serves: the view and the controls that transport/listener.ts declares.
 */
import type { ListenerContext, RunnerView } from "../transport/listener.ts";
import type { Session } from "../session/session.ts";

/** How long a removed worker stays away, in ms. */
const REMOVED_FOR_MS = 60_000;

/** @internal The runner as its listeners have it. */
export function listenerContext(
  runner: RunnerView & { drain(): Promise<void> },
  sessions: () => Iterable<Session>,
): Required<Pick<ListenerContext, "runner" | "controls">> {
  return {
    runner: { stats: () => runner.stats(), on: (listener) => runner.on(listener) },
    controls: {
      removeWorker: (identity, { drain }) => removeWorker(sessions(), identity, drain),
      // An error is for the caller that drains or stops the runner.
      drain: () => void runner.drain().catch(() => undefined),
    },
  };
}

function removeWorker(sessions: Iterable<Session>, identity: string, drain: boolean): boolean {
  for (const session of sessions) {
    if (session.identity !== identity) continue;
    if (drain) session.dismiss("draining", REMOVED_FOR_MS);
    else session.close();
    return true;
  }
  return false;
}
