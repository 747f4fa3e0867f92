/** Simulated worlds, as many as `npm test` can afford: a few of each kind, in this process. The long test plays thousands. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { GOLDEN } from "./simulation.ts";
import { playWorlds, WORLDS } from "./simulated/worlds.ts";

/** How many seeds of a kind. */
const SEEDS: Readonly<Record<string, number>> = {
  drawn: 3,
  short: 20,
  cuts: 4,
  stalls: 4,
  lies: 4,
  slow: 4,
  relays: 4,
  turns: 2,
  streams: 3,
  inputs: 3,
};
/** Every how many seeds one is played twice. */
const TWICE = 3;

it.each(Object.entries(SEEDS))("no promise is broken in a world of the kind %s", async (name, count) => {
  const kind = WORLDS[name];
  if (kind === undefined) throw new Error(`no kind of world is called ${name}`);
  const { seeds, jobs, failures, hashes } = await playWorlds(kind, 1, count, TWICE);
  expect(failures).toEqual([]);
  expect(seeds).toBe(count);
  expect(jobs).toBeGreaterThan(seeds);
  // The long test compares the others that are recorded.
  const recorded: unknown = name === "drawn" ? JSON.parse(readFileSync(GOLDEN, "utf8")) : hashes;
  expect(recorded).toMatchObject(hashes);
});
