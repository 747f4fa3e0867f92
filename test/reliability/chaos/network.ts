/** Network faults: many short scenarios, each drawn from a seed. */
import type { Finding, Findings, Scale } from "../section.ts";
import { type ByScale, figure, none, type Row, some } from "./row.ts";
import { FAULT_KINDS, HEARTBEAT, Scenario, type ScenarioResult } from "./scenario.ts";

const SCENARIOS: ByScale<number> = { test: 7, quick: 20, full: 500 };
/** Scenarios under way at a time: they mostly wait. */
const AT_ONCE = 4;
/** Silence ends a session after three intervals, at the worker with the next beat after that; twice as much is let pass. */
const BOUND = 8;

/** Plays the seeds from 1 on. */
async function play(count: number, say: (line: string) => void): Promise<readonly ScenarioResult[]> {
  const results: ScenarioResult[] = [];
  let seed = 0;
  const player = async (): Promise<void> => {
    while (seed < count) {
      results.push(await new Scenario(++seed).run());
      if (results.length % 50 === 0) say(`${results.length} of ${count} scenarios of network faults`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, player));
  return results;
}

function sum(results: readonly ScenarioResult[], what: "jobs" | "retries" | "silent"): number {
  return results.reduce((total, one) => total + one[what], 0);
}

function inTime(end: string, figures: readonly number[]): Finding {
  const longest = Math.max(0, ...figures) / HEARTBEAT;
  return {
    what: `network: from a connection's death to the moment the ${end} knows, longest of ${figure(figures.length)}`,
    figure: `${longest.toFixed(1)} heartbeats`,
    wanted: `three or four, and at most ${BOUND} on a busy machine`,
    ok: figures.length > 0 && longest <= BOUND,
  };
}

/** One finding for each promise, over all scenarios; those that broke one are named. */
function summed(results: readonly ScenarioResult[], jobs: number): readonly Finding[] {
  const bad = results.flatMap(({ findings }) => findings.filter(({ ok }) => !ok));
  return [
    none("network: promises broken (a job lost, wrong or pending; a worker missing)", bad.length, results.length * 5),
    ...bad,
    some("network: jobs that were run", jobs),
    // Else it was the worker that noticed, came back, and pushed out its dead session.
    some("network: sessions the runner ended because it heard nothing", sum(results, "silent")),
    inTime(
      "runner",
      results.flatMap(({ noticedByRunner }) => noticedByRunner),
    ),
    inTime(
      "worker",
      results.flatMap(({ noticedByWorker }) => noticedByWorker),
    ),
  ];
}

async function run(scale: Scale, say: (line: string) => void): Promise<Findings> {
  const results = await play(SCENARIOS[scale], say);
  const jobs = sum(results, "jobs");
  const faults = results.flatMap((one) => one.faults);
  const kinds = FAULT_KINDS.map(
    (kind) => [`connections ${kind}`, faults.filter((one) => one === kind).length] as const,
  );
  return {
    findings: [...summed(results, jobs), ...kinds.map(([name, count]) => some(`network: ${name}`, count))],
    counts: {
      jobs,
      "network scenarios": results.length,
      "attempts made again": sum(results, "retries"),
      ...Object.fromEntries(kinds),
    },
  };
}

/** Delays, cuts, throttles and half-open connections. */
export const network: Row = { name: "network faults between runner and workers, by seed", run };
