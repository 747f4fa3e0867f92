/**
 * A process with a bug planted in its core: plays worlds until one of them finds it, or enough has been tried. Prints
 * `{"seeds": 3, "found": "within-capacity: …"}`, without `found` when nothing was.
 */
import { WORLDS, playWorlds } from "../simulated/worlds.ts";

const KINDS = ["short", "drawn", "cuts", "stalls", "lies", "slow", "memory", "relays"];
/** Processor time after which it is given up, in seconds: the wall's would depend on who else is at work. */
const BUDGET = 100;

const [, , mostSeeds, ...worlds] = process.argv;
const most = Number(mostSeeds);

async function look(seed: number): Promise<string | undefined> {
  for (const name of worlds.length === 0 ? KINDS : worlds) {
    const kind = WORLDS[name];
    if (kind === undefined) throw new Error(`no kind of world is called ${name}`);
    const [found] = (await playWorlds(kind, seed, 1, 1_000_000)).failures;
    if (found !== undefined) return `${name}: ${found.split("\n").slice(0, 2).join(" ")}`;
  }
  return undefined;
}

Error.stackTraceLimit = 0;
let [seeds, found]: [number, string | undefined] = [0, undefined];
while (seeds < most && found === undefined && process.cpuUsage().user < BUDGET * 1e6) found = await look(++seeds);
process.stdout.write(`${JSON.stringify({ seeds, found })}\n`);
process.exit(0);
