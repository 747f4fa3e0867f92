/**
 * A handler calls `process.abort`, which ends the whole process it is in: nothing in there can help. So what is shown is what a
 * runner elsewhere makes of it. In a thread Node does not allow that call: see thread-deaths.ts.
 */
import { JobRunner } from "powerhose";
import { listenWebSocket } from "powerhose/websocket/node";
import type { Findings, Scale } from "../section.ts";
import { Audit } from "./audit.ts";
import { Fleet } from "./fleet.ts";
import { eventually, needed } from "./waiting.ts";
import { MAX_LOST, Poison } from "./poison.ts";
import { type ByScale, exactly, holds, type Row } from "./row.ts";

const ABORTS: ByScale<number> = { test: 1, quick: 4, full: 20 };
const PROCESSES = 3;
const LANES = 12;

async function run(scale: Scale): Promise<Findings> {
  const listen = listenWebSocket();
  await using runner = new JobRunner({ listen, heartbeat: 500, acquireTimeout: 30_000 });
  await runner.start();
  const worker = () => ({ capacity: 2 });
  await using fleet = new Fleet({ url: listen.address, processes: PROCESSES, worker });
  const allThere = (): boolean => runner.stats().workers.length === PROCESSES;
  const said = (): string => fleet.said;
  await needed("all workers are registered", allThere, said);
  const innocent = { attempts: 50, maxLost: 50 };
  await using audit = new Audit({ name: "abort", execute: (data) => runner.execute(data, innocent) });
  audit.begin(LANES);
  const poison = new Poison(runner);
  for (let given = 0; given < ABORTS[scale]; given++) await poison.give("abort");
  const back = await eventually(() => fleet.deaths === poison.given * MAX_LOST && allThere());
  await audit.end();
  return {
    findings: [
      ...audit.findings("abort"),
      poison.finding("abort: poisoned jobs given up after two processes"),
      exactly("abort: processes that died, two for each job", fleet.deaths, poison.given * MAX_LOST),
      holds("abort: all workers are there in the end", back),
    ],
    counts: {
      jobs: audit.submitted,
      "worker processes aborted": fleet.deaths,
      "attempts made again": runner.stats().retries,
      ...poison.counts,
    },
  };
}

/** process.abort. */
export const aborting: Row = { name: "process.abort in a worker process", run };
