/** A process that plays simulated worlds: `child.ts KIND FROM COUNT TWICE`. Prints what they came to as one line of JSON. */
import { playWorlds, WORLDS } from "./worlds.ts";

const [name = "", from = "1", count = "1", twice = "100"] = process.argv.slice(2);
const kind = WORLDS[name];
if (kind === undefined) throw new Error(`no kind of world is called ${name}`);
process.stdout.write(`${JSON.stringify(await playWorlds(kind, Number(from), Number(count), Number(twice)))}\n`);
