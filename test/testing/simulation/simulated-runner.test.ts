/** A runner in a simulation: calls before it has started, calls when it crashes, others of its name, and what it leaves behind. */
import { describe, expect, it } from "vitest";
import { RunnerStoppedError } from "../../../src/core/errors.ts";
import { simulate } from "../../../src/testing/simulation/simulate.ts";
import type { Simulation } from "../../../src/testing/simulation/simulation.ts";
import { watch } from "../../support/stage.ts";

/** Plays a few seeds. */
async function play(scenario: (sim: Simulation) => unknown): Promise<void> {
  await simulate({ seeds: 5 }, scenario);
}

describe("a runner that has not started yet", () => {
  it("takes calls, which wait for that", () =>
    play(async (sim) => {
      sim.worker("w1", (job) => `${String(job.data)}!`);
      const runner = sim.runner();
      expect(runner.state).toBe("starting");
      const outcomes: unknown[] = [];
      const mapping = (async () => {
        for await (const outcome of runner.map(["a", "b"])) outcomes.push(outcome.ok && outcome.value);
      })();
      const held = runner.workers.getContext((worker) => worker.execute("held"));
      expect(await Promise.all([runner.execute("job"), held])).toEqual(["job!", "held!"]);
      await mapping;
      expect(outcomes).toEqual(["a!", "b!"]);
    }));

  it("refuses wrong options, and its name stays free", () =>
    play(async (sim) => {
      expect(() => sim.runner({ timeout: -1 })).toThrow(RangeError);
      const wrong = { timeout: 5, nonsense: true };
      expect(() => sim.runner(wrong)).toThrow(TypeError);
      sim.worker("w1", () => "done");
      expect(await sim.runner().execute("job")).toBe("done");
    }));
});

describe("a runner that crashes", () => {
  it.each(["fin", "rst", "silent"] as const)("by %s rejects what its callers wait for", (how) =>
    play(async (sim) => {
      const runner = sim.runner();
      sim.worker("w1", (_job, { signal }) => sim.forever(signal));
      const call = watch(runner.execute("job"));
      const queued = watch(runner.execute("queued"));
      const held = watch(runner.workers.getContext((worker) => worker.execute("held")));
      const outcomes: unknown[] = [];
      const mapping = watch(
        (async () => {
          for await (const outcome of runner.map(["a"])) outcomes.push(outcome.ok ? outcome.value : outcome.error);
        })(),
      );
      await sim.sleep(100);
      runner.crash(how);
      await sim.sleep(1);
      expect([call.state, queued.state, held.state, mapping.state]).toEqual(["failed", "failed", "failed", "ok"]);
      for (const error of [call.error, queued.error, held.error, ...outcomes])
        expect(error).toBeInstanceOf(RunnerStoppedError);
      expect(outcomes).toHaveLength(1);
      expect(String(call.error)).toContain("runner has crashed");
      await expect(runner.execute("later")).rejects.toThrow("runner has crashed, and its calls with it");
      expect(runner.machineState).toBe("down");
      await runner.stop();
      runner.crash(); // harmless
    }),
  );

  it.each(["fin", "rst", "silent"] as const)(
    "by %s is followed by another of its name, which the workers find",
    (how) =>
      play(async (sim) => {
        const first = sim.runner();
        sim.worker("w1", (job) => `${String(job.data)}!`);
        sim.worker("w2", (job) => `${String(job.data)}!`);
        expect(() => sim.runner()).toThrow("a machine called runner is there already");
        expect(await first.execute("a")).toBe("a!");
        first.crash(how);
        await sim.sleep(sim.random() * 500); // while they redial
        const second = sim.runner();
        expect(await second.execute("b", { acquireTimeout: 120_000 })).toBe("b!");
        await sim.sleep(60_000);
        expect(
          second
            .stats()
            .workers.map(({ identity }) => identity)
            .toSorted(),
        ).toEqual(["w1", "w2"]);
        expect(first.stats().workers).toEqual([]);
        expect(sim.runners).toEqual([first, second]);
      }),
  );

  it("does nothing of what it was about to do", () =>
    play(async (sim) => {
      const runner = sim.runner();
      sim.worker("w1", () => "done");
      await sim.sleep(100);
      const events: string[] = [];
      sim.at(150, () => runner.crash("silent"));
      await sim.sleep(60);
      runner.on(({ type }) => events.push(type));
      await sim.sleep(60_000);
      expect(events).toEqual([]);
    }));
});

describe("a runner that stands still", () => {
  it("does nothing meanwhile, and all of it afterwards", () =>
    play(async (sim) => {
      const runner = sim.runner();
      sim.worker("w1", () => "done");
      await runner.execute("first");
      runner.stall(5_000);
      const began = sim.now();
      expect(runner.machineState).toBe("stalled");
      expect(await runner.execute("job")).toBe("done");
      expect(sim.now() - began).toBeGreaterThanOrEqual(5_000);
      expect(runner.machineState).toBe("up");
      for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(() => runner.stall(ms)).toThrow(RangeError);
        expect(() => runner.jumpClock(ms)).toThrow(RangeError);
      }
    }));

  it("is not called so when it is down", async () => {
    const faults: string[] = [];
    await play(async (sim) => {
      const worker = sim.worker("w1", () => "done");
      sim.runner();
      await sim.sleep(50);
      worker.crash();
      worker.stall(100);
      worker.jumpClock(100);
      worker.crash();
      faults.push(...sim.trace.lines(400).filter((line) => line.includes("***")));
    });
    expect(faults.map((line) => line.replace(/.*\*\*\* +/, ""))).toEqual(Array(6).fill("crash: w1 (rst)"));
  });
});

describe("what a scenario leaves behind", () => {
  // The leak test of each test sees the unhandled rejections, of which there are none.
  it("fails it, and says what is missing", async () => {
    const run = play(async (sim) => {
      const runner = sim.runner();
      sim.worker("w1", (_job, { signal }) => sim.forever(signal));
      void runner.execute("running");
      void runner.execute("queued");
      void (async () => {
        await runner.execute("in a function of its own");
      })();
      await sim.sleep(100);
    });
    await expect(run).rejects.toThrow("the scenario returned while 3 calls of execute had not settled");
  });

  it("fails it also when nothing had started", async () => {
    const run = play((sim) => void sim.runner().execute("job"));
    await expect(run).rejects.toThrow("the scenario returned while 1 call of execute had not settled");
  });

  it("is nothing when its calls were rejected by a stop, or ended in good time", () =>
    play(async (sim) => {
      const runner = sim.runner();
      const call = watch(runner.execute("job"));
      await runner.stop();
      await sim.sleep(1);
      expect(call.error).toBeInstanceOf(RunnerStoppedError);
    }));

  it("can be read off when it is over, and answers no more", async () => {
    let left: Simulation | undefined;
    await simulate({ seeds: 1, verify: 0 }, async (sim) => {
      left = sim;
      sim.worker("w1", () => "done");
      await sim.runner().execute("job");
    });
    if (left === undefined) throw new Error("nothing was played");
    const [runner] = left.runners;
    expect(runner?.stats()).toMatchObject({ state: "stopped", submitted: 1, succeeded: 1 });
    await expect(runner?.execute("more")).rejects.toThrow(RunnerStoppedError);
    for (const wait of [left.sleep(5), left.forever()]) await expect(wait).rejects.toThrow("this simulation is over");
    for (const use of [
      (sim: Simulation) => sim.runner(),
      (sim: Simulation) => sim.worker("w2", () => "done"),
      (sim: Simulation) => sim.peer("p"),
      (sim: Simulation) => sim.at(5, () => undefined),
      (sim: Simulation) => sim.injectFaults({ until: sim.now() + 5 }),
      (sim: Simulation) => sim.workers[0]?.restart(),
    ]) {
      const over = left;
      expect(() => use(over)).toThrow("this simulation is over");
    }
  });
});

it("a job with verify keeps the promises: each principal's attempts count from 1", async () => {
  await simulate({ from: 1, seeds: 3 }, async (sim) => {
    const runner = sim.runner();
    let failures = 0;
    const handler = (): string => {
      if (failures++ > 0) return "x";
      throw Object.assign(new Error("once more"), { retryable: true });
    };
    for (const principal of ["p1", "p2"]) sim.worker(principal, handler, { principal });
    expect(await runner.execute("j", { verify: 2 })).toBe("x");
  });
});
