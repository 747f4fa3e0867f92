/** What waits for the real world is named at once and never waited for; what waits for a reason is left alone. */
import { readFile } from "node:fs/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Handler } from "../../../src/core/worker/execution.ts";
import { simulate, SimulationError } from "../../../src/testing/simulation/simulate.ts";
import { StuckError } from "../../../src/testing/simulation/simulation-errors.ts";
import type { Simulation } from "../../../src/testing/simulation/simulation.ts";

/** A wait for real time, far longer than any test. */
function realTime(): Promise<string> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve("done"), 600_000);
    onTestFinished(() => clearTimeout(timer));
  });
}

async function immediates(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => void setImmediate(resolve));
}

/** What the simulation got stuck on, as its message says it, and when. */
async function stuck(
  scenario: (sim: Simulation) => unknown,
  stuckAfter?: number,
): Promise<{ why: string; at: number }> {
  const error: unknown = await simulate({ seeds: 1, stuckAfter }, scenario).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof SimulationError) || !(error.cause instanceof StuckError))
    throw new Error("it was not stuck", { cause: error });
  return {
    why: error.cause.message,
    at: Number(/failed at ([\d.,]+) ms/.exec(error.message)?.[1]?.replaceAll(",", "")),
  };
}

function handled(handler: Handler): (sim: Simulation) => Promise<void> {
  return async (sim) => {
    const runner = sim.runner();
    sim.worker("w1", handler);
    await runner.execute("hello");
  };
}

describe("a handler that waits for", () => {
  it.each<[string, Handler]>([
    ["a real timer", realTime],
    ["a file", async () => (await readFile(new URL(import.meta.url), "utf8")).slice(0, 5)],
    ["turns of the host", () => immediates(500).then(() => "done")],
    ["a promise nobody settles", () => new Promise<string>(() => undefined)],
    ["a signal that has aborted already", (_job, context) => new Promise<string>(() => void context.signal)],
  ])("%s is named", async (_what, handler) => {
    const { why, at } = await stuck(handled(handler));
    expect(why).toContain('the handler of w1 that was given "hello" at ');
    expect(why).toContain("waits for something outside of the simulation");
    expect(at).toBeLessThan(31_000); // at most when the job has timed out, and not after an hour without progress
    await immediates(1_000); // what was left behind ends in vain
  });

  it("a promise of the test's own can say so", async () => {
    await simulate({ seeds: 3 }, async (sim) => {
      const runner = sim.runner();
      let ring: () => void = () => undefined;
      const bell = new Promise<void>((resolve) => (ring = resolve));
      sim.worker("w1", () => sim.waitFor(bell).then(() => "done"));
      sim.at(500, ring);
      expect(await runner.execute("job")).toBe("done");
    });
  });

  it("its signal alone is legitimate, and so is one that waits to be shut down", async () => {
    await simulate({ seeds: 3 }, async (sim) => {
      const runner = sim.runner();
      const aborted = (signal: AbortSignal): Promise<string> =>
        new Promise((resolve) => signal.addEventListener("abort", () => resolve("aborted")));
      const worker = sim.worker("w1", (job, context) =>
        aborted(job.data === "leave" ? context.shuttingDown : context.signal),
      );
      await expect(runner.execute("stay", { timeout: 100, attempts: 1 })).rejects.toThrow("100 ms");
      const left = runner.execute("leave", { timeout: 20_000 });
      sim.at(sim.now() + 100, () => void worker.drain());
      expect(await left).toBe("aborted");
    });
  });

  it("another runner is legitimate: a relay", async () => {
    await simulate({ seeds: 10 }, async (sim) => {
      const inner = sim.runner({ name: "inner" });
      const outer = sim.runner();
      sim.worker(
        "w1",
        async (job, { signal }) => {
          await sim.sleep(20, signal);
          return `${String(job.data)}!`;
        },
        { to: "inner" },
      );
      sim.worker("relay", (job) => inner.execute(job));
      expect(await outer.execute("hello")).toBe("hello!");
    });
  });
});

describe("no progress", () => {
  it("without progress for `stuckAfter` fails, and names the handlers that have not ended", async () => {
    const { why, at } = await stuck(async (sim) => {
      const runner = sim.runner();
      sim.worker("w1", (_job, { signal }) => sim.forever(signal));
      await runner.execute("hello", { timeout: Number.POSITIVE_INFINITY });
    }, 5_000);
    expect(why).toContain("no progress for 5000 ms of virtual time, and these have not ended:");
    expect(why).toContain('the handler of w1 that was given "hello"');
    expect(at).toBeLessThan(6_000);
  });

  it("of a test that waits for real time beside a fleet fails, too", async () => {
    const { why } = await stuck(async (sim) => {
      sim.runner();
      sim.worker("w1", () => "done");
      await new Promise(() => undefined);
    });
    expect(why).toContain("no progress for 3600000 ms of virtual time, and the test still waits: for real time");
  });

  it("is not seen in what just takes long", async () => {
    await simulate({ seeds: 1, stuckAfter: 5_000 }, async (sim) => {
      sim.runner();
      for (let i = 0; i < 100; i++) await sim.sleep(4_000);
      sim.at(sim.now() + 4_000, () => undefined);
      await sim.sleep(4_900);
    });
  });
});

describe("a test that waits", () => {
  it.each<[string, (sim: Simulation) => unknown]>([
    ["for real time", realTime],
    ["for nothing at all", () => new Promise(() => undefined)],
    ["for ever", (sim) => sim.forever()],
  ])("%s is told so at once", async (_what, scenario) => {
    const { why, at } = await stuck(scenario);
    expect(why).toContain("nothing is left to happen, and the test still waits");
    expect(at).toBe(0);
  });
});

describe("after a crash", () => {
  it("what hung there hides no handler that is stuck", async () => {
    const { why, at } = await stuck(async (sim) => {
      const runner = sim.runner();
      const first = sim.worker("w1", () => sim.forever());
      const lost = runner.execute("first", { attempts: 1 }).catch(() => "lost");
      await sim.sleep(50);
      first.crash();
      await lost;
      sim.worker("w2", () => new Promise<string>(() => undefined));
      await runner.execute("second");
    });
    expect(why).toContain("the handler of w2");
    expect(at).toBeLessThan(1_000);
  });
});
