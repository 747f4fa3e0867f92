/** Every statement of test/properties, tried many times: the long form of what the tests try a little. */
import * as fc from "fast-check";
import { type Statement, Tally } from "../properties/statement.ts";
import { STATEMENTS } from "../properties/statements.ts";
import type { Finding, Findings, Scale, Section } from "./section.ts";

/** So many inputs are tried between two reports of progress, each lot with a seed of its own. */
const LOT = 10_000;

/** The tests beside the statements try them already; here it is only to show that this works. */
const TEST_SHARE = 0.02;

function runsAt(statement: Statement, scale: Scale): number {
  if (scale === "full") return statement.fullRuns;
  return scale === "quick" ? statement.runs : Math.ceil(statement.runs * TEST_SHARE);
}

/** What trying one statement came to. */
interface Attempted {
  readonly finding: Finding;
  readonly runs: number;
  readonly tally: Tally;
}

async function attempt(statement: Statement, scale: Scale, say: (line: string) => void): Promise<Attempted> {
  const tally = new Tally();
  const property = statement.property(tally);
  const wanted = runsAt(statement, scale);
  const seed = Math.floor(Math.random() * 2 ** 31);
  let runs = 0;
  let fault: string | undefined;
  for (let lot = 0; runs < wanted && fault === undefined; lot++) {
    const details = await fc.check(property, { seed: seed + lot, numRuns: Math.min(LOT, wanted - runs) });
    runs += details.numRuns;
    if (!details.failed) continue;
    fault = `fails with seed ${details.seed}, path ${String(details.counterexamplePath)}`;
    say(`${statement.name}\n${(await fc.asyncDefaultReportMessage(details)) ?? fault}`);
  }
  const missing = scale === "test" ? [] : statement.meets.filter((what) => tally.count(what) === 0);
  const lack = missing.length > 0 ? `, never met: ${missing.join(", ")}` : "";
  const figure = fault ?? `0 of ${runs.toLocaleString("en")} (from seed ${seed}${lack})`;
  say(`${statement.name}: ${figure}`);
  const ok = fault === undefined && missing.length === 0;
  return { finding: { what: statement.name, figure, wanted: "0 counterexamples", ok }, runs, tally };
}

/** The properties at any scale. */
export const properties: Section = {
  name: "properties",
  title: "Properties",
  about:
    "Statements that hold for all inputs, tried with inputs drawn by fast-check: the pool against its model (P1), everything " +
    "a caller can do overlapping in any order on virtual time (P2), the text form of jobs (P3) and where the Python original " +
    "was right the same as there (P4), the data structures of the core against plain ones (P5), and frames (P6). A failure " +
    "is shrunk, and names the seed and the path that repeat it.",
  async run(scale, say): Promise<Findings> {
    const findings: Finding[] = [];
    const counts: Record<string, number> = {};
    for (const statement of STATEMENTS) {
      const { finding, runs, tally } = await attempt(statement, scale, say);
      const row = statement.name.slice(0, statement.name.indexOf(":"));
      findings.push(finding);
      counts[`${row} inputs`] = (counts[`${row} inputs`] ?? 0) + runs;
      for (const [what, count] of Object.entries(tally.counts)) {
        counts[`${row} ${what}`] = (counts[`${row} ${what}`] ?? 0) + count;
      }
    }
    return { findings, counts };
  },
};
