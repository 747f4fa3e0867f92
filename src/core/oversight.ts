/** What listeners may see and ask of the runner they serve: the little of it that socket.ts promises them, and no more. */
import type { JobRunner } from "./runner.ts";
import type { Session } from "./session.ts";
import type { ListenerContext } from "./socket.ts";

/** How long a worker that was let go stays away, in ms. */
const LET_GO_FOR = 60_000;

/** @internal The runner as its listeners have it. */
export function oversight(
  runner: Pick<JobRunner, "stats" | "on" | "drain">,
  sessions: () => Iterable<Session>,
): Required<Pick<ListenerContext, "runner" | "controls">> {
  return {
    runner: { stats: () => runner.stats(), on: (listener) => runner.on(listener) },
    controls: {
      letGo: (identity, gently) => letGo(sessions(), identity, gently),
      // What goes wrong with the end is for whoever else drains or stops the runner.
      drain: () => void runner.drain().catch(() => undefined),
    },
  };
}

function letGo(sessions: Iterable<Session>, identity: string, gently: boolean): boolean {
  for (const session of sessions) {
    if (session.identity !== identity) continue;
    if (gently) session.dismiss("draining", LET_GO_FOR);
    else session.close();
    return true;
  }
  return false;
}
