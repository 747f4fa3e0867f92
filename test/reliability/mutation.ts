/**
 * Mutation testing: is every line of the core held in place by a test? StrykerJS plants small bugs, one at a time, and the
 * tests of the core have to fail. It works in a copy of the repository, where it is installed for the occasion: it is far
 * too much to come along with every `npm ci`. How the tests are run is in mutation/runner.js, what the figures mean in
 * mutation/report.ts.
 */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Equivalent, judged, type Report, type Score, scores } from "./mutation/report.ts";
import type { Findings, Section } from "./section.ts";

/** The last one that runs on Node 20. */
const STRYKER = "@stryker-mutator/core@9.6.1";
/** What the copy needs. */
const COPIED = ["package.json", "package-lock.json", "tsconfig.json", "docs", "src", "test"];
/** Files mutated together: mutants slow down the code around them, and each group costs a run of all tests. */
const GROUP = 4;

const EQUIVALENT = "test/reliability/mutation/equivalent.json";

const run = promisify(execFile);

async function node(cwd: string, args: readonly string[]): Promise<void> {
  await run(process.execPath, args, { cwd, maxBuffer: 64 * 1024 * 1024 });
}

/** A copy of the repository with Stryker in it. */
async function workshop(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "powerhose-mutation-"));
  for (const name of COPIED) await cp(name, join(root, name), { recursive: true });
  const install = ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", STRYKER];
  await run("npm", install, { cwd: root, shell: process.platform === "win32" });
  return root;
}

/** What runs made earlier have found: `MUTATION_REPORT` names Stryker's report of them. */
async function readScores(report: string): Promise<Score[]> {
  const known = JSON.parse(await readFile(EQUIVALENT, "utf8")) as Equivalent[];
  return scores(JSON.parse(await readFile(report, "utf8")) as Report, known);
}

/** Mutates these files and runs the tests against each mutant. */
async function mutate(root: string, files: readonly string[]): Promise<Score[]> {
  const config = "test/reliability/mutation/stryker.json";
  const how = ["--mutate", files.join(","), "--concurrency", String(availableParallelism())];
  await node(root, ["node_modules/@stryker-mutator/core/bin/stryker.js", "run", config, ...how]);
  return readScores(join(root, "mutation.json"));
}

async function everything(say: (line: string) => void): Promise<Score[]> {
  const root = await workshop();
  try {
    const below = await readdir("src/core", { recursive: true });
    const files = below
      .filter((name) => name.endsWith(".ts"))
      .toSorted()
      .map((name) => `src/core/${name}`);
    const all: Score[] = [];
    for (let at = 0; at < files.length; at += GROUP) {
      const found = await mutate(root, files.slice(at, at + GROUP));
      for (const { file, caught, mutants } of found) say(`${file}: ${caught} of ${mutants} mutants caught`);
      all.push(...found);
    }
    return all;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** The section of the report. Has nothing to say below full scale: it takes a download and a quarter of an hour. */
export const mutation: Section = {
  name: "mutation",
  title: "Mutation testing of the core",
  about:
    "StrykerJS changes the source of the core in one place at a time: a condition that is always true, a boundary off by " +
    "one, a call or a block that is gone, a constant that is another. For each change the tests under test/core that come by " +
    "the place are run, on virtual time, until one fails; the random ones with fewer runs than usual, so the figures are " +
    "lower bounds. Texts for people are left alone. What nothing caught was read by hand; what makes no difference is listed with the reason, and not counted.",
  async run(scale, say): Promise<Findings> {
    if (scale !== "full") return { findings: [], counts: {} };
    const report = process.env["MUTATION_REPORT"];
    const all = report === undefined ? await everything(say) : await readScores(report);
    const mutants = all.reduce((sum, score) => sum + score.mutants, 0);
    const read = report === undefined ? {} : { "reports read of runs made earlier, a few files at a time": 1 };
    return { findings: judged(all), counts: { mutants, ...read } };
  },
};
