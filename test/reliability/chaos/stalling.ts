/**
 * R4: the runner process stands still for longer than a worker may be silent, together with all its workers, as on a laptop
 * that sleeps, or alone. It has then no right to judge anybody by a silence that was its own.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Finding, Findings, Scale } from "../section.ts";
import { Audit } from "./audit.ts";
import { Fleet } from "./fleet.ts";
import { eventually, needed } from "./waiting.ts";
import { allServe, fixedPort } from "./restarting.ts";
import { type ByScale, exactly, holds, none, type Row, some } from "./row.ts";
import { RunnerProcess } from "./runner-process.ts";

const TIMES: ByScale<number> = { test: 1, quick: 2, full: 20 };
const PROCESSES = 3;
const LANES = 16;
const HEARTBEAT = 500; // ms
/** How long things stand still, in ms: silence ends a session after three intervals. */
const STILL = 5 * HEARTBEAT;
/** Characters of a large job, at most. */
const LARGE = 200_000;

/** A runner process with its workers and a flow of jobs. */
interface Fixture {
  readonly runner: RunnerProcess;
  readonly fleet: Fleet;
  readonly audit: Audit;
}

/** Lets them stand still again and again; how many times every worker has answered a job after that. */
async function standStill({ runner, fleet, audit }: Fixture, workersToo: boolean, times: number): Promise<number> {
  let served = 0;
  for (let time = 0; time < times; time++) {
    await sleep(HEARTBEAT);
    const { joins } = runner;
    const { disconnects } = fleet;
    runner.stop();
    if (workersToo) fleet.stop();
    await sleep(STILL);
    runner.go();
    if (workersToo) fleet.go();
    // What a worker sent before it hung up is read only now, and is no sign of its being back.
    const back = (): boolean => runner.joins - joins >= fleet.disconnects - disconnects;
    if ((await eventually(back)) && (await allServe(audit, fleet))) served++;
  }
  return served;
}

/** All of them: as neither end may judge the other, nothing happens at all. */
async function sleepTogether(fixture: Fixture, times: number): Promise<readonly Finding[]> {
  const { runner, fleet } = fixture;
  const before = fleet.disconnects; // some dialled before there was a runner
  const served = await standStill(fixture, true, times);
  const ended = runner.sessionsGone() + fleet.disconnects - before;
  const about = "R4, runner and workers stopped for five heartbeats";
  return [
    exactly(`${about}: times after which every worker answered jobs again`, served, times),
    none(`${about}: sessions ended, at either end`, ended),
  ];
}

/** The runner alone. A worker cannot know that a silent runner only stands still: it hangs up, and comes back. */
async function stallAlone(fixture: Fixture, times: number): Promise<readonly Finding[]> {
  const { runner, fleet } = fixture;
  const before = fleet.disconnects;
  const served = await standStill(fixture, false, times);
  const back = await eventually(() => runner.registered.size === PROCESSES);
  const about = "R4, the runner stopped for five heartbeats";
  return [
    exactly(`${about}: times after which every worker answered jobs again`, served, times),
    none(`${about}: workers the runner gave up for silence`, runner.sessionsGone("silent")),
    some(`${about}: workers that hung up on the silent runner and came back`, fleet.disconnects - before),
    holds(`${about}: all workers are there in the end`, back && fleet.deaths === 0),
  ];
}

/**
 * The runner alone, for less than a worker takes for its death, with large jobs and results under way: what its workers send
 * meanwhile waits, and they begin no more. Nothing is lost, and nobody leaves.
 */
async function stallBriefly(times: number): Promise<Findings> {
  const about = "R4, the runner stopped for two heartbeats";
  const options = { heartbeat: HEARTBEAT, highWater: LARGE, acquireTimeout: 30_000 };
  await using runner = new RunnerProcess(await fixedPort(), options);
  const worker = () => ({ capacity: 4, blocking: false, highWater: LARGE });
  await using fleet = new Fleet({ url: runner.url, processes: PROCESSES, worker });
  await runner.start();
  const allThere = (): boolean => runner.registered.size === PROCESSES;
  await needed("all workers are registered", allThere, () => fleet.said);
  const before = fleet.disconnects;
  await using audit = new Audit({ name: "R4b", filler: LARGE, execute: (data) => runner.execute(data) });
  audit.begin(LANES);
  for (let time = 0; time < times; time++) {
    await sleep(HEARTBEAT);
    runner.stop();
    await sleep(2 * HEARTBEAT);
    runner.go();
  }
  await sleep(HEARTBEAT);
  await audit.end();
  const ended = runner.sessionsGone() + fleet.disconnects - before;
  return {
    findings: [
      none(`${about}: sessions ended, at either end`, ended),
      none(`${about}: attempts made again`, runner.retries),
      ...audit.findings(about),
    ],
    counts: { "runner stopped briefly": times, "large jobs": audit.submitted },
  };
}

async function run(scale: Scale): Promise<Findings> {
  const options = { heartbeat: HEARTBEAT, attempts: 10, maxLost: 10, acquireTimeout: 30_000 };
  await using runner = new RunnerProcess(await fixedPort(), options);
  // Not blocking: these are the ones whose silence counts at any time.
  const worker = () => ({ capacity: 2, blocking: false, reconnectMax: HEARTBEAT });
  await using fleet = new Fleet({ url: runner.url, processes: PROCESSES, worker });
  await runner.start();
  const allThere = (): boolean => runner.registered.size === PROCESSES;
  const said = (): string => fleet.said;
  await needed("all workers are registered", allThere, said);
  await using audit = new Audit({ name: "R4", execute: (data) => runner.execute(data) });
  audit.begin(LANES);
  const fixture = { runner, fleet, audit };
  const times = TIMES[scale];
  const together = await sleepTogether(fixture, times);
  const alone = await stallAlone(fixture, times);
  await audit.end();
  const brief = await stallBriefly(times);
  return {
    findings: [...together, ...alone, ...audit.findings("R4"), ...brief.findings],
    counts: {
      ...brief.counts,
      jobs: audit.submitted,
      "runner and workers stopped": times,
      "runner stopped": times,
      "attempts made again": runner.retries,
    },
  };
}

/** SIGSTOP of the runner, with its workers and without. */
export const stalling: Row = { name: "R4: SIGSTOP the runner for longer than a worker may be silent", run };
