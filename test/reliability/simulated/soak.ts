/** A long life: fifty workers, a few jobs a minute, and faults all along. For what only shows after hours. */
import type { Simulation } from "../../../src/testing/simulation.ts";

const HOUR = 3_600_000;
const WORKERS = 50;
/** Virtual ms from one job to the next, on average. */
const EVERY = 4_000;

/** Lives so many virtual hours. Throws when a job came to anything but its value: there is always a worker to try it again. */
export async function soak(sim: Simulation, hours: number): Promise<void> {
  const runner = sim.runner({ attempts: 10, maxLost: 10, acquireTimeout: 600_000 });
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
  sim.storm({ until: end, every: 30_000, lasts: 60_000 });
  const calls: Promise<void>[] = [];
  for (let job = 0; sim.now() < end; job++) {
    await sim.sleep(sim.random() * 2 * EVERY);
    calls.push(
      runner.execute(`job ${job}`).then((value) => {
        if (value !== `job ${job} done`) throw new Error(`job ${job} was given ${String(value)}`);
      }),
    );
  }
  await Promise.all(calls);
}
