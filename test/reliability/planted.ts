/** Whether the simulation finds bugs: some are planted in the real core, one at a time, and looked for. */
import { runTypeScript } from "../support/run-typescript.ts";
import { PLANTED_BUGS, type PlantedBug } from "./planted/bugs.ts";
import type { Finding, Findings, Scale, Section } from "./section.ts";

/** Seeds a bug may take to be found; each is one world of each kind that the bug is looked for in. */
const MOST_SEEDS = 3_000;
/** A world with a bug in it may go on for ever; real ms, far more than a process that stops itself can take. */
const MAX_WAIT_MS = 400_000;
const CHILD = "test/reliability/planted/child.ts";

interface Caught {
  readonly seeds: number;
  readonly found?: string;
}

function neverEnded(error: unknown): boolean {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  if (typeof cause !== "object" || cause === null || !("signal" in cause)) return false;
  return cause.signal === "SIGKILL" || cause.signal === "SIGABRT";
}

/** Plants a bug in a process of its own, and looks for it there. */
export async function lookFor(bug: PlantedBug, mostSeeds: number = MOST_SEEDS): Promise<Caught> {
  const plant = JSON.stringify({ file: `src/core/${bug.file}.ts`, from: bug.from, to: bug.to });
  const args = [String(mostSeeds), ...(bug.worlds ?? [])];
  const env = { POWERHOSE_PLANT: plant };
  try {
    const out = await runTypeScript(CHILD, { args, env, flags: ["--max-old-space-size=400"], timeout: MAX_WAIT_MS });
    return JSON.parse(out) as Caught;
  } catch (error) {
    // A step that never ends cannot be seen from inside of the process that takes it. One that only tries for long stops itself.
    if (!neverEnded(error)) throw error;
    return { seeds: 1, found: "a step of the world never ended: out of memory or time" };
  }
}

function finding(bug: PlantedBug, { seeds, found }: Caught): Finding {
  const caught = (found ?? "").replace(/seed \d+ .*?\)?\s*(?=[A-Z]\w*Error: )/, "").replace(/InvariantError: /, "");
  return {
    what: `${bug.name} (${bug.file}.ts)`,
    figure: found === undefined ? `not found in ${seeds} seeds` : `seed ${seeds}: ${caught.slice(0, 100)}`,
    wanted: "found",
    ok: found !== undefined,
  };
}

async function run(_scale: Scale, say: (line: string) => void): Promise<Findings> {
  const findings: Finding[] = [];
  for (const bug of PLANTED_BUGS) {
    const made = finding(bug, await lookFor(bug));
    say(`${made.ok ? "found" : "NOT FOUND"}  ${made.what}: ${made.figure}`);
    findings.push(made);
  }
  return { findings, counts: { "planted bugs": findings.length } };
}

export const planted: Section = {
  name: "planted",
  title: "Planted bugs",
  about:
    "Each of these bugs is a change of one line in the real core, made while the file is read. Worlds are then simulated, " +
    "seed by seed, until one fails. A bug that is not found would mean that the simulation does not prove what it seems to.",
  run,
};
