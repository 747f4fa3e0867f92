/** A large fleet: whether anything depends on there being few. */
import type { Simulation } from "../../../src/testing/simulation/simulation.ts";

/** Runs `jobs` jobs on `workers` workers, of which some are lost on the way. */
export async function wide(sim: Simulation, workers: number, jobs: number): Promise<void> {
  const runner = sim.runner({
    maxWorkers: workers,
    maxPending: workers,
    maxQueue: jobs,
    acquireTimeout: 600_000,
    maxLost: 10,
    attempts: 10,
  });
  for (let i = 0; i < workers; i++) sim.worker(`w${i}`, (job) => `${String(job.data)} done`, { capacity: 1 + (i % 8) });
  await sim.sleep(1_000);
  sim.injectFaults({ until: 10_000, every: 100, faults: ["cut", "crash", "stall-worker", "partition"] });
  const call = async (job: number): Promise<void> => {
    await sim.sleep(sim.random() * 9_000);
    const value = await runner.execute(`job ${job}`);
    if (value !== `job ${job} done`) throw new Error(`job ${job} was given ${String(value)}`);
  };
  await Promise.all(Array.from({ length: jobs }, (_, job) => call(job)));
}
