/**
 * A relay with exact slots: a cancelled job counts as running until its Web Worker has ended the handler or was replaced. Why:
 * otherwise the runner reuses the slot at once, and the next job waits behind a handler that spins.
 */
import { type Handler, systemClock, type JobContext, type JobRunner, relay } from "../index.ts";

/**
 * The time in which the handler of a cancelled job may return before its Web Worker is terminated. The tab has the runner's
 * `cancelGrace`, by default 1,000 ms, to report a free slot: a new Web Worker runs by then.
 */
export const CANCEL_GRACE_MS = 300;
/** The longest delay of the end of a job, so that the tab keeps within the runner's grace. */
const SETTLE_TIMEOUT_MS = 800;
const POLL_INTERVAL_MS = 20;

/** What a job ended with. */
export type JobEnd = "done" | "failed" | "cancelled";

/** What the relay calls. */
export interface RelayOwner {
  /** A job has started. */
  onStart(): void;
  /** A job has ended: its handler returned or failed, or it was cancelled. */
  onEnd(end: JobEnd): void;
}

/** Hands the jobs of one tab to its Web Workers. */
export class SlotAccurateRelay {
  readonly #runner: JobRunner;
  readonly #size: number;
  readonly #owner: RelayOwner;
  readonly #relay: Handler;
  /** Jobs that are not cancelled and not ended. */
  #wanted = 0;

  constructor(runner: JobRunner, size: number, owner: RelayOwner) {
    this.#runner = runner;
    this.#size = size;
    this.#owner = owner;
    this.#relay = relay(runner);
  }

  /** The handler of the tab's Worker. */
  readonly handler: Handler = async (job, context) => {
    this.#wanted++;
    this.#owner.onStart();
    try {
      const value = await this.#relay(job, context);
      this.#end("done");
      return value;
    } catch (error) {
      this.#end(context.signal.aborted ? "cancelled" : "failed");
      await this.#whenSlotFree(context);
      throw error;
    }
  };

  #end(end: JobEnd): void {
    this.#wanted--;
    this.#owner.onEnd(end);
  }

  async #whenSlotFree({ signal }: JobContext): Promise<void> {
    const limit = systemClock.now() + SETTLE_TIMEOUT_MS;
    while (signal.aborted && !this.#hasSlot() && systemClock.now() < limit) {
      await new Promise<void>((resolve) => void systemClock.set(POLL_INTERVAL_MS, resolve, true));
    }
  }

  /** Whether all slots of the tab exist, and only wanted jobs take them. */
  #hasSlot(): boolean {
    const { workers } = this.#runner.stats();
    const taken = workers.reduce((sum, { inFlight }) => sum + inFlight, 0);
    return taken <= this.#wanted && workers.length >= this.#size;
  }
}
