/** What a run has counted so far, and where its time went. The words about it are summary.ts's and progress.ts's. */
import type { AttemptRecord } from "../../index.ts";

/** The numbers of one run. */
export class RunCounters {
  /** Jobs that succeeded. */
  ok = 0;
  /** Jobs that failed. */
  failed = 0;
  /** Attempts that local threads answered. */
  localAttempts = 0;
  /** From handing those over to their answers, in ms. */
  localMs = 0;
  /** Attempts that remote workers answered. */
  remoteAttempts = 0;
  /** From handing those over to their answers, in ms. */
  remoteMs = 0;

  /** Jobs that settled. */
  get done(): number {
    return this.ok + this.failed;
  }

  /** Counts a job and its attempts. Who is remote is known by their connections, as names are anybody's to choose. */
  count(ok: boolean, attempts: readonly AttemptRecord[], isRemote: (identity: string) => boolean): void {
    if (ok) this.ok++;
    else this.failed++;
    for (const { identity, outcome, ms } of attempts) {
      if (outcome !== "ok" && outcome !== "error") continue;
      if (isRemote(identity)) {
        this.remoteAttempts++;
        this.remoteMs += ms;
      } else {
        this.localAttempts++;
        this.localMs += ms;
      }
    }
  }
}
