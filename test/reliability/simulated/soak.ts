/** A long life: fifty workers, a few jobs a minute, and faults all along. For what only shows after hours. */
import { PowerhoseError } from "../../../src/core/errors.ts";
import type { JobRunner } from "../../../src/core/runner/runner.ts";
import type { Simulation } from "../../../src/testing/simulation/simulation.ts";

const HOUR = 3_600_000;
const WORKERS = 50;
/** Virtual ms from one job to the next, on average. */
const EVERY = 4_000;

/** Lives so many virtual hours. Throws when a job came to anything but its value or a typed error. */
export async function soak(sim: Simulation, hours: number): Promise<void> {
  const runner = sim.runner({ heartbeat: 15_000, timeout: 120_000, attempts: 10, maxLost: 10 });
  for (let i = 0; i < WORKERS; i++) {
    const work = async (
      job: { readonly data: unknown },
      { signal }: { readonly signal: AbortSignal },
    ): Promise<string> => {
      await sim.sleep(sim.random() * 4_000, signal);
      return `${String(job.data)} done`;
    };
    sim.worker(`w${i}`, work, { capacity: 1 + (i % 4), blocking: i % 2 === 0 });
  }
  const end = hours * HOUR;
  sim.injectFaults({ until: end, every: 30_000, lasts: 60_000 });
  const calls: Promise<string | undefined>[] = [];
  for (let job = 0; sim.now() < end; job++) {
    await sim.sleep(sim.random() * 2 * EVERY);
    calls.push(run(runner, `job ${job}`));
  }
  const wrong = (await Promise.all(calls)).find((complaint) => complaint !== undefined);
  if (wrong !== undefined) throw new Error(wrong);
}

/** What is wrong with a job's outcome, if anything. Under long faults some fail, with a typed error. */
async function run(runner: JobRunner, job: string): Promise<string | undefined> {
  try {
    const value = await runner.execute(job);
    return value === `${job} done` ? undefined : `${job} was given ${String(value)}`;
  } catch (error) {
    return error instanceof PowerhoseError ? undefined : `${job} failed with ${String(error)}`;
  }
}
