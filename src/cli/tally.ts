/** What a run has counted so far, and where its time went. The words about it are summary.ts's and progress.ts's. */
import type { AttemptRecord } from "../index.ts";

/** What local threads are called; whoever else answers came over the network. */
export const THREAD_NAME = "thread";

const LOCAL = new RegExp(`^${THREAD_NAME}-`);

/** The numbers of one run. */
export class Tally {
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

  /** Counts a job and its attempts. */
  count(ok: boolean, attempts: readonly AttemptRecord[]): void {
    if (ok) this.ok++;
    else this.failed++;
    for (const { identity, outcome, ms } of attempts) {
      if (outcome !== "ok" && outcome !== "error") continue;
      if (LOCAL.test(identity)) {
        this.localAttempts++;
        this.localMs += ms;
      } else {
        this.remoteAttempts++;
        this.remoteMs += ms;
      }
    }
  }
}
