/** Retirement of a worker: after so many jobs or so long, however many runners it has and however long its jobs take. */
import { describe, expect, it } from "vitest";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import type { WorkerOptions } from "../../../src/core/worker/worker-options.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { MemoryTransport } from "../../../src/transports/memory.ts";
import { Puppet, stage } from "../../support/stage.ts";
import { Scene } from "./worker-scene.ts";

/** Two runners that share one listening worker. */
async function sharedWorker(options: Partial<WorkerOptions>) {
  const clock = new VirtualClock();
  const front = new MemoryTransport({ clock });
  const random = new SeededRandom(11);
  const worker = new Worker({ listen: front, handler: (job) => job.data, clock, random, ...options });
  const runners = [1, 2].map(() => new JobRunner({ dial: front, clock, random }));
  const settle = async (steps: readonly Promise<void>[]): Promise<void> => {
    for (const step of steps) {
      await clock.settle();
      await step;
    }
  };
  await settle([worker.start(), ...runners.map((runner) => runner.start())]);
  await clock.advance(200);
  return {
    clock,
    worker,
    runners,
    end: async (): Promise<void> => {
      await settle([worker.stop(), ...runners.map((runner) => runner.stop())]);
      expect(clock.pending, "timers left").toBe(0);
    },
  };
}

describe("a listening worker with two runners", () => {
  it("retires to stop after its jobs, although each runner comes back before the other has let it go", async () => {
    const { clock, worker, runners, end } = await sharedWorker({ maxJobs: 4, afterRetirement: "stop", capacity: 2 });
    for (let job = 0; job < 101; job++) {
      for (const runner of runners) runner.execute("x", { acquireTimeout: 100 }).catch(() => undefined);
      await clock.advance(job % 2 === 0 ? 0 : 150);
    }
    expect(worker.state).toBe("stopped");
    expect(worker.served).toBe(4);
    await end();
  });

  it("stops although one runner comes back while it waits for the job of the other", async () => {
    const puppet = new Puppet();
    const { clock, worker, runners, end } = await sharedWorker({
      maxJobs: 2,
      afterRetirement: "stop",
      capacity: 2,
      handler: (job, context) => (job.data === "long" ? puppet.handler(job, context) : job.data),
    });
    const long = runners[0]?.execute("long", { timeout: 600_000 });
    await clock.settle();
    runners[1]?.execute("short").catch(() => undefined);
    await clock.advance(60_000);
    expect(runners[1]?.workers.size, "lets no runner in again").toBe(0);
    puppet.runs[0]?.end("done");
    await clock.settle();
    expect(await long).toBe("done");
    await clock.advance(100);
    expect(worker.state).toBe("stopped");
    expect(worker.served).toBe(2);
    await end();
  });

  it("retires by each `maxJobs` jobs as a new instance, at both runners", async () => {
    const { clock, worker, runners, end } = await sharedWorker({ maxJobs: 4, capacity: 2 });
    for (let job = 0; job < 100; job++) {
      for (const runner of runners) runner.execute("x", { acquireTimeout: 60_000 }).catch(() => undefined);
      await clock.advance(11_000);
    }
    expect(worker.state).toBe("registered");
    expect(worker.served).toBe(200);
    // Both leave at each retirement, and it takes 50 of them to serve 200 jobs.
    for (const runner of runners) expect(runner.stats().registered).toBeGreaterThanOrEqual(50);
    await end();
  });
});

describe("a worker whose job takes longer than its `maxAge`", () => {
  it("retires again at its age after that", async () => {
    await using set = await stage();
    const puppet = new Puppet();
    await set.worker(puppet.handler, { maxAge: 10_000, maxAgeJitter: 1, capacity: 1 });
    const first = await set.execute("long", { timeout: 600_000 });
    await set.clock.advance(275_000);
    puppet.runs[0]?.end("done");
    await set.clock.advance(1_000);
    expect(first.value).toBe("done");
    const registered = set.runner.stats().registered;
    expect(registered).toBe(2);
    await set.clock.advance(100_000);
    const [worker] = set.runner.stats().workers;
    expect(worker?.age).toBeLessThanOrEqual(10_001);
    expect(set.runner.stats().registered).toBeGreaterThanOrEqual(registered + 9);
  });

  it("gives its new instance a whole life from the time it comes back", async () => {
    const puppet = new Puppet();
    await using scene = new Scene(puppet.handler, { maxAge: 10_000, maxAgeJitter: 1 });
    const first = await scene.register({ heartbeat: 600_000 });
    scene.board.job(1);
    await scene.clock.advance(19_000);
    expect(first.all("REMOVE")).toHaveLength(1);
    puppet.runs[0]?.end("done");
    first.send({ type: "REMOVED" });
    await scene.clock.settle();
    const second = await scene.register({ heartbeat: 600_000 });
    await scene.clock.advance(9_990);
    expect(second.all("REMOVE")).toEqual([]);
    await scene.clock.advance(20);
    expect(second.all("REMOVE")).toHaveLength(1);
  });
});
