/** Writes the hashes of the first worlds down: `node --import ./test/support/typescript.js test/reliability/simulated/golden.ts`. To be run when the protocol or the order of events is meant to change. */
import { writeFileSync } from "node:fs";
import { GOLDEN } from "../simulation.ts";
import { playWorlds, WORLDS } from "./worlds.ts";

const SEEDS = 20;

const { drawn } = WORLDS;
if (drawn === undefined) throw new Error("no such kind of world");
const { hashes, failures } = await playWorlds(drawn, 1, SEEDS, 1);
if (failures.length > 0) throw new Error(failures.join("\n"));
writeFileSync(GOLDEN, `${JSON.stringify(hashes, undefined, 2)}\n`);
