/** Peers that do not read, in simulated worlds: the checkers watch what waits, and here is what becomes of the jobs. */
import { describe, it } from "vitest";
import { simulate } from "../../../src/testing/simulation/simulate.ts";
import type { Simulation } from "../../../src/testing/simulation/simulation.ts";

const LIMITS = { maxPayload: 2_000, highWater: 1_000, maxBuffered: 8_000, stallTimeout: 300, timeout: 60_000 } as const;

function work(sim: Simulation, bytes: number) {
  return async (_job: unknown, { signal }: { readonly signal: AbortSignal }): Promise<string> => {
    await sim.sleep(sim.random() * 20, signal);
    return "y".repeat(bytes);
  };
}

/** All jobs of one runner. Throws when one of them was lost or made again. */
async function allAtOnce(sim: Simulation, jobs: number): Promise<void> {
  const [runner] = sim.runners;
  if (runner === undefined) throw new Error("no runner");
  const gone: string[] = [];
  runner.on((event) => {
    if (event.type === "worker-gone") gone.push(`${event.identity}: ${event.reason}`);
  });
  await Promise.all(Array.from({ length: jobs }, () => runner.execute("x".repeat(1_500))));
  const { retries, succeeded } = runner.stats();
  if (retries > 0 || succeeded !== jobs || gone.length > 0)
    throw new Error(`${retries} retries, ${succeeded} of ${jobs} succeeded, gone: ${gone.join()}`);
}

/** Plays each of them with so many seeds. */
export function describeBacklogs(seeds: number): void {
  describe("a peer that reads nothing for longer than the stall timeout loses nothing", () => {
    it("on a port", async () => {
      await simulate({ seeds, network: { faults: "port", window: 0 } }, async (sim) => {
        sim.runner(LIMITS);
        const workers = [1, 2, 3].map((n) => sim.worker(`w${n}`, work(sim, 1_500), { capacity: 4, blocking: false }));
        sim.at(50, () => workers[0]?.stall(3_000));
        sim.at(300, () => workers[1]?.stall(2_000));
        await allAtOnce(sim, 60);
      });
    });

    it("when it may be computing", async () => {
      await simulate({ seeds, network: { window: 0 } }, async (sim) => {
        sim.runner(LIMITS);
        const workers = [1, 2].map((n) => sim.worker(`w${n}`, work(sim, 10), { capacity: 4, blocking: true }));
        // With jobs in flight: an idle one that stands still is judged by its silence.
        sim.at(5, () => workers[0]?.stall(3_000));
        await allAtOnce(sim, 40);
      });
    });

    it("when it is the runner", async () => {
      await simulate({ seeds, network: { window: 0 } }, async (sim) => {
        const runner = sim.runner(LIMITS);
        for (const n of [1, 2, 3])
          sim.worker(`w${n}`, work(sim, 1_900), { capacity: 4, blocking: false, highWater: 1_000, maxPayload: 2_000 });
        for (const at of [30, 12_000]) sim.at(at, () => runner.stall(10_000));
        await allAtOnce(sim, 60);
      });
    });
  });

  describe("all workers of a runner together", () => {
    it("hold a budget, and serve all jobs once they read", async () => {
      const network = { window: 0 };
      await simulate({ seeds, network }, async (sim) => {
        sim.runner({ ...LIMITS, maxBufferedTotal: 3_000, stallTimeout: 10_000, highWater: 5_000 });
        for (const n of [1, 2, 3, 4, 5]) {
          sim.worker(`w${n}`, work(sim, 10), { capacity: 4, blocking: false });
          sim.network.throttle(`w${n}`, 20_000);
        }
        await allAtOnce(sim, 80);
      });
    });

    it("lose those that read nothing, and no job with them", async () => {
      await simulate({ seeds, network: { window: 0 } }, async (sim) => {
        const runner = sim.runner({ ...LIMITS, maxBufferedTotal: 3_000, stallTimeout: 400, maxLost: 20, attempts: 20 });
        const workers = [1, 2, 3, 4, 5, 6].map((n) =>
          sim.worker(`w${n}`, work(sim, 10), { capacity: 4, blocking: false }),
        );
        for (const worker of workers.slice(0, 4)) sim.at(20, () => worker.stall(4_000));
        await Promise.all(Array.from({ length: 80 }, () => runner.execute("x".repeat(1_500))));
      });
    });
  });
}
