/** R3: the runner process is killed and started again in the same place; its workers come back by themselves. */
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Findings, Scale } from "../section.ts";
import { Audit } from "./audit.ts";
import { Chance } from "./chance.ts";
import { Fleet } from "./fleet.ts";
import { eventually, needed } from "./waiting.ts";
import { type ByScale, exactly, figure, holds, type Row } from "./row.ts";
import { RunnerKilled, RunnerProcess } from "./runner-process.ts";

const TIMES_KILLED: ByScale<number> = { test: 2, quick: 5, full: 100 };
const PROCESSES = 3;
const LANES = 32;
const HEARTBEAT = 500; // ms
/** The longest pause before a worker dials again, in ms. */
const CAP = 1_000;
/** Beyond the pause: for a connection, a handshake, and a machine that is busy with other things. */
const SLACK = 3 * HEARTBEAT;

/**
 * A port nobody listens at. Not one that the system hands to clients: a worker that dials a dead port of that kind can be given
 * the very same port for its own end, and is then connected to itself.
 */
export async function fixedPort(): Promise<number> {
  const chance = new Chance(process.pid); // two runs at once must not choose the same
  for (;;) {
    const port = chance.between(20_000, 29_999);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => void server.close(resolve));
    return port;
  }
}

/** The middle one of some figures. */
function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? 0;
}

/** Resolves with true once every worker has answered a job since now. */
export async function allServe(audit: Audit, fleet: Fleet): Promise<boolean> {
  audit.servedBy.clear();
  return eventually(() => fleet.identities.every((identity) => audit.servedBy.has(identity)));
}

async function run(scale: Scale, say: (line: string) => void): Promise<Findings> {
  const chance = new Chance(3);
  const times = TIMES_KILLED[scale];
  const options = { heartbeat: HEARTBEAT, attempts: 5, maxLost: 5, acquireTimeout: 30_000 };
  await using runner = new RunnerProcess(await fixedPort(), options);
  const worker = () => ({ capacity: 2, reconnectMax: CAP });
  await using fleet = new Fleet({ url: runner.url, processes: PROCESSES, worker });
  await runner.start();
  const allThere = (): boolean => runner.registered.size === PROCESSES;
  const said = (): string => fleet.said;
  await needed("all workers are registered", allThere, said);
  const excuse = (error: unknown): boolean => error instanceof RunnerKilled;
  await using audit = new Audit({ name: "R3", execute: (data) => runner.execute(data), excuse });
  audit.begin(LANES);
  const rejoins: number[] = [];
  let served = 0;
  for (let kill = 1; kill <= times; kill++) {
    await sleep(chance.between(100, 500));
    await runner.kill();
    await sleep(chance.between(0, CAP));
    await runner.start();
    if (!(await eventually(allThere))) break;
    rejoins.push(runner.lastJoin);
    if (await allServe(audit, fleet)) served++;
    if (kill % 10 === 0) say(`${kill} of ${times} restarts of the runner`);
  }
  await audit.end();
  const max = Math.max(...rejoins);
  const seen = `median ${figure(Math.round(median(rejoins)))} ms, longest ${figure(Math.round(max))} ms`;
  return {
    findings: [
      ...audit.findings("R3"),
      exactly("R3: restarts after which all workers were back", rejoins.length, times),
      exactly("R3: restarts after which every worker answered jobs again", served, times),
      {
        what: "R3: from the runner's listening to the last worker's return",
        figure: seen,
        wanted: `at most the reconnect cap, ${figure(CAP)} ms, and three heartbeats of ${HEARTBEAT} ms`,
        ok: max <= CAP + SLACK,
      },
      holds("R3: the worker processes are the same as before", fleet.deaths === 0),
    ],
    counts: { jobs: audit.submitted, "runner killed": times, "calls gone with the runner": audit.excused },
  };
}

/** Kill -9 of the runner. */
export const restarting: Row = { name: "R3: kill -9 the runner process and start it again", run };
