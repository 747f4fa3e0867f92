/** The fleet behind a relay in one simulated process: a runner, and workers that dial it there. See simulated-worker.ts. */
import { relay } from "../../core/relay.ts";
import { JobRunner } from "../../core/runner/runner.ts";
import type { JobRelay } from "../../core/worker/job-relay.ts";
import { Worker } from "../../core/worker/worker.ts";
import type { WorkerOptions } from "../../core/worker/worker-options.ts";

/** A started fleet. */
export class RelayedFleet {
  /** What stands for it. */
  readonly relay: JobRelay;
  readonly #runner: JobRunner;
  readonly #workers: readonly Worker[];

  /** @param options - Of each worker, its clock and its chance included. */
  constructor(size: number, options: Pick<WorkerOptions, "handler" | "capacity" | "clock" | "random">) {
    const { clock, random } = options;
    this.#runner = new JobRunner({ clock, random });
    this.relay = relay(this.#runner);
    void this.#runner.start();
    this.#workers = Array.from(
      { length: size },
      (_, i) => new Worker({ ...options, dial: this.#runner, identity: `thread-${i + 1}`, blocking: false }),
    );
    // One that is stopped before it has registered rejects.
    for (const worker of this.#workers) worker.start().catch(() => undefined);
  }

  /** Cuts the connection of the busiest worker. */
  crashOne(): void {
    const busiest = this.#runner.stats().workers.toSorted((one, other) => other.inFlight - one.inFlight)[0];
    if (busiest !== undefined) this.#runner.workers.delete(busiest.identity);
  }

  /** Ends the fleet. */
  readonly stop = async (): Promise<void> => {
    await Promise.all(this.#workers.map((worker) => worker.stop()));
    await this.#runner.stop();
  };
}
