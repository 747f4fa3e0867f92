/** R1: worker processes are killed while they work. */
import { JobRunner } from "powerhose";
import { listenWebSocket } from "powerhose/websocket/node";
import { setTimeout as sleep } from "node:timers/promises";
import type { Findings, Scale } from "../section.ts";
import { Audit } from "./audit.ts";
import { Chance } from "./chance.ts";
import { Fleet } from "./fleet.ts";
import { eventually, needed } from "./waiting.ts";
import { DURATION, holds, type Row, some } from "./row.ts";

const PROCESSES = 4;
const PERIOD = 1_000; // ms
const LANES = 32; // more than there are slots, so that each kill hits jobs

/** Kills for as long as the scale says, and says how often. */
async function killFor(scale: Scale, fleet: Fleet): Promise<number> {
  const chance = new Chance(1);
  let kills = 0;
  for (let past = PERIOD / 2; past < DURATION[scale]; past += PERIOD) {
    await sleep(kills === 0 ? PERIOD / 2 : PERIOD);
    fleet.at(chance.between(0, PROCESSES - 1)).kill();
    kills++;
  }
  return kills;
}

async function run(scale: Scale): Promise<Findings> {
  const listen = listenWebSocket();
  await using runner = new JobRunner({ listen, heartbeat: 500, attempts: 5, maxLost: 5, acquireTimeout: 30_000 });
  let lost = 0;
  runner.on((event) => {
    if (event.type === "job-retried" && event.outcome === "lost") lost++;
  });
  await runner.start();
  await using fleet = new Fleet({ url: listen.address, processes: PROCESSES, worker: () => ({ capacity: 2 }) });
  const allThere = (): boolean => runner.stats().workers.length === PROCESSES;
  const said = (): string => fleet.said;
  await needed("all workers are registered", allThere, said);
  await using audit = new Audit({ name: "R1", execute: (data) => runner.execute(data) });
  audit.begin(LANES);
  const kills = await killFor(scale, fleet);
  const back = await eventually(allThere);
  await audit.end();
  return {
    findings: [
      ...audit.findings("R1"),
      some("R1: attempts that died with their worker and were made again elsewhere", lost),
      holds("R1: all workers are there in the end", back),
    ],
    counts: { jobs: audit.submitted, "worker processes killed": kills, "attempts lost and made again": lost },
  };
}

/** Kill -9, once a second. */
export const killing: Row = { name: "R1: kill -9 a worker process every second", run };
