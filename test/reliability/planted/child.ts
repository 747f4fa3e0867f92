/** A process with a bug planted in its core: plays worlds until one of them finds it. Prints `{"seeds": 3, "found": "I7: …"}`. */
import { WORLDS, playWorlds } from "../simulated/worlds.ts";

const most = Number(process.argv[2]);
let result: { readonly seeds: number; readonly found: string | undefined } = { seeds: most, found: undefined };
for (let seed = 1; seed <= most && result.found === undefined; seed++) {
  for (const name of ["short", "drawn"]) {
    const kind = WORLDS[name];
    if (kind === undefined) throw new Error(`no kind of world is called ${name}`);
    const { failures } = await playWorlds(kind, seed, 1, 1_000_000);
    const [found] = failures;
    if (found !== undefined && result.found === undefined) result = { seeds: seed, found: found.split("\n")[0] };
  }
}
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);
