/** Waiting under simulation: on time, for ever, for a promise; what an abort ends and what a crash does. */
import { describe, expect, it } from "vitest";
import { simulate } from "../../../src/testing/simulation/simulate.ts";
import type { Simulation } from "../../../src/testing/simulation/simulation.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { watch } from "../../support/stage.ts";

async function play(scenario: (sim: Simulation) => unknown): Promise<void> {
  await simulate({ seeds: 5 }, scenario);
}

describe("sleep", () => {
  it("lasts so long of virtual time", () =>
    play(async (sim) => {
      await sim.sleep(5);
      await sim.sleep(0);
      expect(sim.now()).toBe(5);
      await Promise.all([sim.sleep(1_000), sim.sleep(3_600_000)]);
      expect(sim.now()).toBe(3_600_005);
    }));

  it("ends with the signal's reason", () =>
    play(async (sim) => {
      const controller = new AbortController();
      const slept = watch(sim.sleep(1_000, controller.signal));
      const hung = watch(sim.forever(controller.signal));
      sim.at(20, () => controller.abort("enough"));
      await sim.sleep(21);
      expect([slept.error, hung.error, sim.now()]).toEqual(["enough", "enough", 21]);
      await expect(sim.sleep(5, controller.signal)).rejects.toBe("enough");
      await expect(sim.forever(controller.signal)).rejects.toBe("enough");
      expect(sim.now()).toBe(21);
      await sim.sleep(2_000);
      expect(slept.error).toBe("enough");
    }));

  it("refuses what is no time", () =>
    play(async (sim) => {
      for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY])
        await expect(sim.sleep(ms)).rejects.toThrow(RangeError);
      expect(() => sim.at(Number.NaN, () => undefined)).toThrow(RangeError);
    }));

  it("leaves the clock to the simulation", () =>
    play(async (sim) => {
      if (!(sim.clock instanceof VirtualClock)) throw new Error("another clock");
      await expect(sim.clock.advance(5)).rejects.toThrow("wait with `sleep`");
      await expect(sim.clock.settle()).rejects.toThrow("wait with `sleep`");
    }));
});

/** Begins to wait on a worker in one of many ways; what follows must not happen once the worker has crashed. */
const ways: readonly [name: string, wait: (sim: Simulation, signal: () => AbortSignal) => Promise<unknown>][] = [
  ["sleep with the signal", (sim, signal) => sim.sleep(100, signal())],
  ["sleep without", (sim) => sim.sleep(100)],
  ["two sleeps", (sim) => sim.sleep(50).then(() => sim.sleep(50))],
  [
    "a promise settled elsewhere, then a sleep with the signal",
    async (sim, signal) => {
      const own = signal();
      await new Promise<void>((resolve) => sim.at(sim.now() + 20, resolve));
      await sim.sleep(80, own);
    },
  ],
  [
    "a sleep after promises of its own",
    async (sim, signal) => {
      for (let i = 0; i < 5; i++) await Promise.resolve();
      await sim.sleep(100, signal());
    },
  ],
  [
    "a promise of the simulation",
    (sim) => sim.waitFor(new Promise((resolve) => sim.at(sim.now() + 100, () => resolve(1)))),
  ],
  ["for ever with the signal", (sim, signal) => sim.forever(signal()).catch(() => undefined)],
];

describe.each(ways)("a handler that waits: %s", (_name, wait) => {
  /** A worker of that handler, and when the handler went on. */
  function fleet(sim: Simulation) {
    const after: number[] = [];
    const runner = sim.runner();
    const worker = sim.worker("w1", async (_job, context) => {
      await wait(sim, () => context.signal);
      after.push(sim.now());
      return "done";
    });
    return { runner, worker, after };
  }

  it("does not go on when its machine has crashed", () =>
    play(async (sim) => {
      const { runner, worker, after } = fleet(sim);
      const call = runner.execute("job", { attempts: 1, timeout: 5_000 }).catch(() => "lost");
      sim.at(50, () => worker.crash());
      expect(await call).toBe("lost");
      await sim.sleep(5_000);
      expect(after).toEqual([]);
    }));

  it("goes on late when its machine has stood still", () =>
    play(async (sim) => {
      const { runner, worker, after } = fleet(sim);
      sim.at(50, () => worker.stall(1_000));
      await runner.execute("job", { attempts: 1, timeout: 2_000 }).catch(() => "timed out");
      await sim.sleep(1_000);
      expect(after).toHaveLength(1);
      expect(after[0]).toBeGreaterThanOrEqual(1_050);
    }));
});

describe("what the test itself waits for", () => {
  it("goes on when a machine crashes", () =>
    play(async (sim) => {
      const runner = sim.runner();
      const worker = sim.worker("w1", () => "done");
      await runner.execute("job");
      const slept = sim.sleep(100);
      const awaited = sim.waitFor(sim.sleep(200));
      worker.crash();
      runner.crash();
      await Promise.all([slept, awaited]);
      expect(sim.now()).toBeGreaterThan(200);
    }));

  it("may be any promise the simulation settles, also one that fails", () =>
    play(async (sim) => {
      const failing = sim.sleep(10).then(() => Promise.reject(new Error("as foreseen")));
      await expect(sim.waitFor(failing)).rejects.toThrow("as foreseen");
      expect(await sim.waitFor(Promise.resolve(7))).toBe(7);
    }));
});

describe("a thing to do at a time", () => {
  it("is done then, or now when that is past", () =>
    play(async (sim) => {
      const done: number[] = [];
      await sim.sleep(10);
      sim.at(5, () => done.push(sim.now()));
      sim.at(20, () => done.push(sim.now()));
      await sim.sleep(11);
      expect(done).toEqual([10, 20]);
    }));

  it("is what failed the run when others fail in its wake", async () => {
    const run = simulate({ seeds: 1 }, async (sim) => {
      let failLater: () => void = () => undefined;
      const failed = new Promise((_resolve, reject) => (failLater = (): void => reject(new Error("the second"))));
      sim.at(5, async () => {
        void (async () => {
          for (let i = 0; i < 20; i++) await undefined;
          failLater();
        })();
        throw new Error("the first");
      });
      await failed;
    });
    await expect(run).rejects.toThrow("Error: the first");
  });

  it("fails the run by what it throws, at once or later, before or after the scenario's end", async () => {
    const throwing = (sim: Simulation): never => {
      throw new Error(`bad at ${sim.now()}`);
    };
    const at = (ms: number, fn: (sim: Simulation) => unknown): Promise<unknown> =>
      simulate({ seeds: 1 }, async (sim) => {
        sim.at(5, () => fn(sim));
        await sim.sleep(ms);
      }).then(() => undefined);
    await expect(at(100, throwing)).rejects.toThrow("bad at 5");
    await expect(at(100, (sim) => sim.sleep(10).then(() => throwing(sim)))).rejects.toThrow("bad at 15");
    await expect(at(1, (sim) => sim.sleep(10).then(() => throwing(sim)))).resolves.toBeUndefined();
    await expect(at(6, (sim) => sim.sleep(10).then(() => throwing(sim)))).rejects.toThrow("bad at 15");
    await simulate({ seeds: 1, network: { latency: [50, 50] } }, async (sim) => {
      sim.runner();
      sim.worker("w1", () => "done");
      await sim.sleep(500);
      sim.at(520, () => throwing(sim)); // while everything is being stopped: it is not called
    });
  });
});
