/** The counts of a run, and where its time went. See summary.ts and progress.ts for their texts. */
import type { AttemptRecord } from "../../index.ts";

/** The numbers of one run. */
export class RunCounters {
  /** Jobs that succeeded. */
  ok = 0;
  /** Jobs that failed. */
  failed = 0;
  /** Items of streams that were written. */
  items = 0;
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

  /** Counts a job and its attempts. `isRemote` goes by the connection, as a remote worker chooses its own name. */
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
