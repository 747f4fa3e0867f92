/** A process that plays simulated worlds: `child.ts KIND FROM COUNT TWICE`. Prints what they came to as one line of JSON. */
import { playWorlds, WORLDS } from "./worlds.ts";

// Errors are many here, and nobody looks where they were made: the log of a world says what happened.
Error.stackTraceLimit = 0;

const [name = "", from = "1", count = "1", twice = "100"] = process.argv.slice(2);
const kind = WORLDS[name];
if (kind === undefined) throw new Error(`no kind of world is called ${name}`);
process.stdout.write(`${JSON.stringify(await playWorlds(kind, Number(from), Number(count), Number(twice)))}\n`);
