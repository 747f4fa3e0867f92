/** Threads die of their jobs in every way there is, in the runner's own process, while healthy jobs share them. */
import { JobRunner } from "powerhose";
import { threads } from "powerhose/threads";
import type { Findings, Scale } from "../section.ts";
import { Audit } from "./audit.ts";
import { eventually } from "./waiting.ts";
import { type Death, MAX_LOST, Poison } from "./poison.ts";
import { type ByScale, exactly, holds, type Row, some } from "./row.ts";

const ROUNDS: ByScale<number> = { test: 1, quick: 4, full: 50 };
const DEATHS: readonly Death[] = ["exit", "throw", "reject", "exhaust", "spin"];
const SIZE = 3;
const LANES = 12;
const MEMORY = { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 4 };

async function run(scale: Scale): Promise<Findings> {
  const module = new URL("../fixtures/chaos-handler.js", import.meta.url);
  // Two jobs a thread, so that a healthy one is hit whenever its neighbour kills their thread.
  // Without the flags of this process: a thread that must first load a compiler takes seconds to start.
  const options = { size: SIZE, capacity: 2, restartMin: 10, resourceLimits: MEMORY, execArgv: [] };
  const listen = threads(module, options);
  await using runner = new JobRunner({ listen, cancelGrace: 100, acquireTimeout: 30_000 });
  let gone = 0;
  let lost = 0;
  runner.on((event) => {
    if (event.type === "worker-gone" && event.reason !== "stopped") gone++;
    if (event.type === "job-retried" && event.outcome === "lost") lost++;
  });
  await runner.start();
  const innocent = { attempts: 50, maxLost: 50 };
  await using audit = new Audit({ name: "threads", execute: (data) => runner.execute(data, innocent) });
  audit.begin(LANES);
  const poison = new Poison(runner);
  for (let round = 0; round < ROUNDS[scale]; round++) {
    for (const death of DEATHS) if (poison.isAsPromised) await poison.give(death);
  }
  await poison.give("abort", "thrown"); // Node has no such call in threads, or it would be the end of the process
  const full = await eventually(() => runner.stats().workers.length === SIZE);
  await audit.end();
  const killed = ROUNDS[scale] * ((DEATHS.length - 1) * MAX_LOST + 1);
  return {
    findings: [
      ...audit.findings("threads"),
      poison.finding("threads: poisoned jobs given up after two threads, at their time limit, or for what they threw"),
      exactly("threads: threads that died, two for each job that kills and one for each that spins", gone, killed),
      some("threads: attempts lost and made again", lost, killed / 2),
      holds("threads: the pool has its full size in the end", full),
    ],
    counts: { jobs: audit.submitted, "threads killed": gone, "attempts made again": lost, ...poison.counts },
  };
}

/** process.exit, uncaught errors, no memory left, endless loops. */
export const threadDeaths: Row = { name: "threads that exit, crash, run out of memory and spin", run };
