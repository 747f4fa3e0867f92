/**
 * A relay that answers for its slots: a job that was called off counts as running until the Web Worker that had it has let
 * go of it, or was replaced. Else the runner would give the slot away at once, and the next job would wait behind a handler
 * that spins until it timed out as well.
 */
import { type Handler, systemClock, type JobContext, type JobRunner, relay } from "../index.ts";

/**
 * How long a handler whose job was called off may take to return before its Web Worker is terminated, in ms. The tab itself
 * has the runner's `cancelGrace`, 1,000 unless told, to say that a slot is free: another Web Worker is to be up by then.
 */
export const CANCEL_GRACE = 300;
/** How long at most the end of a job is put off, in ms, so that the tab itself keeps within the runner's grace. */
const SETTLE_TIMEOUT_MS = 800;
/** How often to look meanwhile, in ms. */
const POLL_INTERVAL_MS = 20;

/** Whom it tells what became of the jobs. */
export interface RelayOwner {
  /** A job has begun. */
  began(): void;
  /** It has ended: its handler returned or failed, or nobody waits any more. */
  ended(how: "done" | "failed" | "called off"): void;
}

/** Hands the jobs of one tab to its Web Workers. */
export class SlotAccurateRelay {
  readonly #runner: JobRunner;
  readonly #size: number;
  readonly #owner: RelayOwner;
  readonly #relay: Handler;
  /** Jobs that are still wanted. */
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
    this.#owner.began();
    try {
      const value = await this.#relay(job, context);
      this.#end("done");
      return value;
    } catch (error) {
      this.#end(context.signal.aborted ? "called off" : "failed");
      await this.#letGo(context);
      throw error;
    }
  };

  #end(how: "done" | "failed" | "called off"): void {
    this.#wanted--;
    this.#owner.ended(how);
  }

  async #letGo({ signal }: JobContext): Promise<void> {
    const giveUp = systemClock.now() + SETTLE_TIMEOUT_MS;
    while (signal.aborted && !this.#hasSlot() && systemClock.now() < giveUp) {
      await new Promise<void>((resolve) => void systemClock.set(POLL_INTERVAL_MS, resolve, true));
    }
  }

  /** Whether every slot that the tab speaks of is there, and taken only by what is still wanted. */
  #hasSlot(): boolean {
    const { workers } = this.#runner.stats();
    const taken = workers.reduce((sum, { inFlight }) => sum + inFlight, 0);
    return taken <= this.#wanted && workers.length >= this.#size;
  }
}
