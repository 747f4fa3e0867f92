/** Fault schedules: every kind of fault comes, by the seed alone, and at the end everything is healed and up. */
import { describe, expect, it } from "vitest";
import { simulate } from "../../../src/testing/simulation/simulate.ts";
import type { Simulation } from "../../../src/testing/simulation/simulation.ts";
import {
  INJECTED_FAULTS,
  type InjectedFault,
  type InjectFaultsOptions,
} from "../../../src/testing/simulation/fault-schedule.ts";

const END = 20_000;

/** Three workers in a fault schedule; gives back the lines of the log that tell of faults. */
async function scheduled(options: Partial<InjectFaultsOptions> = {}, from = 1, seeds = 1): Promise<string[][]> {
  const runs: string[][] = [];
  await simulate({ from, seeds, verify: 0 }, async (sim) => {
    crew(sim);
    sim.injectFaults({ until: END, every: 200, ...options });
    await sim.sleep(END + 1);
    runs.push(sim.trace.lines(400).filter((line) => line.includes("***")));
  });
  return runs;
}

function crew(sim: Simulation): void {
  sim.runner();
  for (const name of ["w1", "w2", "w3"]) sim.worker(name, () => "done");
}

/** What the log calls a kind of fault. */
const WORDS: Readonly<Record<InjectedFault, string>> = {
  cut: "cut: w",
  "half-open": "half-open:",
  partition: "partition:",
  "slow-reader": "throttle:",
  latency: "",
  crash: "crash: w",
  "stall-worker": "stall: w",
  "stall-runner": "stall: runner",
  "worker-clock": "clock-jump: w",
  "runner-clock": "clock-jump: runner",
};

describe("a fault schedule", () => {
  it.each(INJECTED_FAULTS.filter((fault) => WORDS[fault] !== ""))(
    "of %s alone brings that, and no other",
    async (fault) => {
      const [lines = []] = await scheduled({ faults: [fault] });
      const faults = lines.filter((line) => !line.includes("heal:") && !line.includes("restart:"));
      expect(faults.length).toBeGreaterThan(0);
      expect(faults.filter((line) => !line.includes(WORDS[fault]))).toEqual([]);
    },
  );

  it("of latency makes frames slow", async () => {
    const longest = async (faults: readonly InjectedFault[]): Promise<number> => {
      let most = 0;
      await simulate({ seeds: 1, verify: 0 }, async (sim) => {
        crew(sim);
        sim.injectFaults({ until: END, every: 200, faults });
        for (let i = 0; i < 100; i++) {
          const began = sim.now();
          await sim.runners[0]?.execute("job");
          most = Math.max(most, sim.now() - began);
          await sim.sleep(100);
        }
      });
      return most;
    };
    expect(await longest(["latency"])).toBeGreaterThan(50);
    expect(await longest([])).toBeLessThan(10);
  });

  it("is the same for the same seed, and another for another", async () => {
    const [one, same, other] = [await scheduled({}, 7), await scheduled({}, 7), await scheduled({}, 8)];
    expect(one[0]?.length).toBeGreaterThan(20);
    expect(same).toEqual(one);
    expect(other).not.toEqual(one);
  });

  it("does not depend on what else is drawn", async () => {
    const times: string[][] = [];
    for (const draws of [0, 50]) {
      await simulate({ seeds: 1, verify: 0 }, async (sim) => {
        crew(sim);
        for (let i = 0; i < draws; i++) sim.random();
        sim.injectFaults({ until: END, faults: ["cut"] });
        await sim.sleep(END + 1);
        times.push(sim.trace.lines(400).filter((line) => line.includes("cut:")));
      });
    }
    expect(times[0]).toEqual(times[1]);
  });

  it("stays within its times", async () => {
    const lines = (await scheduled({ from: 5_000, until: 9_000 }, 1, 10)).flat();
    const times = lines.map((line) => Number(line.slice(0, 12).replaceAll(",", "")));
    expect(Math.min(...times)).toBeGreaterThanOrEqual(5_000);
    expect(Math.max(...times)).toBe(9_000);
  });

  it("leaves everything healed, and every worker that crashed up again and back at work", async () => {
    await simulate({ seeds: 20 }, async (sim) => {
      crew(sim);
      sim.injectFaults({
        until: END,
        every: 100,
        faults: ["crash", "partition", "half-open", "slow-reader"],
        lasts: 60_000,
      });
      await sim.sleep(END + 1);
      expect(sim.workers.map(({ machineState }) => machineState)).toEqual(["up", "up", "up"]);
      await sim.sleep(120_000);
      expect(sim.runners[0]?.stats().workers).toHaveLength(3);
    });
  });

  it("without workers, or without a runner, does no harm", async () => {
    await simulate({ seeds: 3 }, async (sim) => {
      sim.injectFaults({ until: 5_000, every: 50 });
      await sim.sleep(2_000);
      sim.worker("w1", () => "done");
      await sim.sleep(4_000);
    });
  });

  it("is one fault after the other, not a timer for each", async () => {
    await simulate({ seeds: 1 }, (sim) => {
      crew(sim);
      const before = sim.clock.pending;
      sim.injectFaults({ until: 1e9, every: 10 });
      expect(sim.clock.pending - before).toBe(2); // the first, and the end
    });
  });

  it.each([
    [{}, "`until` is missing"],
    [undefined, "expected an options object"],
    [{ until: 100, evry: 5 }, "unknown option `evry`"],
    [{ until: 100, faults: ["nonsense"] }, "expected `faults` to be an array of cut, half-open"],
    [{ until: 100, faults: "cut" }, "expected `faults` to be an array of"],
    [{ until: "soon" }, "expected `until` to be a number of ms"],
  ])("of options that are wrong is refused: %j", async (options, words) => {
    await simulate({ seeds: 1 }, (sim) => {
      const inject = (): void => sim.injectFaults(options as InjectFaultsOptions);
      expect(inject).toThrow(TypeError);
      expect(inject).toThrow(words);
    });
  });

  it.each([
    { until: Number.NaN },
    { until: Number.POSITIVE_INFINITY },
    { until: 5, from: 6 },
    { until: 5, every: 0 },
    { until: 5, every: Number.NaN },
    { until: 5, lasts: 0 },
    { until: 5, lasts: Number.POSITIVE_INFINITY },
  ])("of times that make no sense is refused: %j", async (options) => {
    await simulate({ seeds: 1 }, (sim) => {
      expect(() => sim.injectFaults(options)).toThrow(RangeError);
    });
  });
});
