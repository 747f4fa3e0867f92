/** The seed decides everything: in one process, in another, watched or not; and whatever else decides is found out. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { simulate } from "../../../src/testing/simulation/simulate.ts";
import type { Simulation } from "../../../src/testing/simulation/simulation.ts";
import { playWorlds, WORLDS } from "../../reliability/simulated/worlds.ts";
import { runTypeScript } from "../../support/run-typescript.ts";
import { playWorld } from "../fixtures/world.js";

const LIMIT = 100_000;
const SEEDS = 6;

async function hashes(watch?: (sim: Simulation) => void, shuffle = true): Promise<string[]> {
  const report = await playWorld(simulate, { seeds: SEEDS, verify: 0, shuffle }, watch);
  return [...report.hashes.values()];
}

/** The same in another process, with a bug planted in the sources it reads. */
async function elsewhere(plant?: { file: string; from: string; to: string }): Promise<string> {
  const env = { POWERHOSE_SEED: "", ...(plant === undefined ? {} : { POWERHOSE_PLANT: JSON.stringify(plant) }) };
  return (await runTypeScript("test/testing/fixtures/steadiness.ts", { env, timeout: LIMIT })).trim();
}

describe("the same seed", () => {
  it("is the same world each time, and each seed another one", async () => {
    const first = await hashes();
    expect(await hashes()).toEqual(first);
    expect(new Set(first).size).toBe(SEEDS);
  });

  it("is the same world in another process", async () => {
    expect(await elsewhere()).toBe((await hashes()).join(" "));
  });

  it("is the same world when its events are watched", async () => {
    const seen: unknown[] = [];
    const watched = await hashes((sim) => {
      const [runner] = sim.runners;
      runner?.on((event) => seen.push(event, runner.stats()));
      for (const { worker } of sim.workers) worker.on((event) => seen.push(event));
      sim.network.rule((frame) => {
        seen.push(frame, sim.clock.pending, sim.network.connections);
        return sim.pass();
      });
    });
    expect(watched).toEqual(await hashes());
    expect(seen.length).toBeGreaterThan(1_000);
  });

  it("is another world when ties are not shuffled, and that one is the same each time, too", async () => {
    const ordered = await hashes(undefined, false);
    expect(await hashes(undefined, false)).toEqual(ordered);
    expect(ordered).not.toEqual(await hashes());
  });

  it("is the world that was written down", async () => {
    const golden = JSON.parse(readFileSync(new URL("../../golden/simulation.json", import.meta.url), "utf8")) as Record<
      string,
      string
    >;
    const { drawn } = WORLDS;
    if (drawn === undefined) throw new Error("no such kind of world");
    const played = await playWorlds(drawn, 1, SEEDS, 100);
    expect(played.failures).toEqual([]);
    expect(Object.keys(played.hashes)).toHaveLength(SEEDS);
    expect(golden).toMatchObject(played.hashes);
  });
});

describe("something else that decides is found out", () => {
  // Each draws the pauses of backoffs and redials, within their limits, from something of its own.
  it.each([
    ["Math.random()", "Math.random()"],
    ["Date.now()", "((Date.now() * 0.618_034) % 1)"],
    ["performance.now()", "((performance.now() * 618.034) % 1)"],
  ])("when the core asks %s", async (_what, to) => {
    const plant = { file: "src/core/time/clock.ts", from: "(random.u32() / 0x1_0000_0000)", to };
    expect(await elsewhere(plant)).toMatch(/omething other than the seed decides/);
  });
});
