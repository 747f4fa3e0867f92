/** R2: worker processes are stopped while they work, and go on later as if nothing had been. */
import { type GoneReason, JobRunner } from "powerhose";
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
const LANES = 32;

/** A worker that is silent is gone after 1.5 s; one that may be busy, after its attempt's timeout and the grace: 2.3 s. */
const TIMES = { heartbeat: 500, timeout: 2_000, cancelGrace: 300 };
/** How long a worker stands still, in ms: every other time too long, and every other time too short for anybody to mind. */
const SHORT = [100, 800] as const;
const LONG = [2_600, 3_200] as const;
/** So that there is always somebody to do the work. */
const AT_ONCE = 2;

/** Stops workers and lets them go on. The long stops take turns between the two kinds of workers. */
class Stopper {
  readonly #fleet: Fleet;
  readonly #chance = new Chance(2);
  readonly #still = new Map<number, Promise<void>>();
  #stops = 0;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  /** How often so far. */
  get stops(): number {
    return this.#stops;
  }

  /** Stops one, unless as many as may be stand still. */
  next(): void {
    if (this.#still.size >= AT_ONCE) return;
    const [low, high] = this.#stops % 2 === 0 ? LONG : SHORT;
    const kind = Math.floor(this.#stops / 2) % 2;
    const running = [kind, kind + 2].filter((index) => !this.#still.has(index));
    if (running.length === 0) return;
    this.#stops++;
    const index = this.#chance.pick(running);
    this.#still.set(index, this.#stand(index, this.#chance.between(low, high)));
  }

  /** Resolves once none stands still any more. */
  async over(): Promise<void> {
    await Promise.all(this.#still.values());
  }

  async #stand(index: number, ms: number): Promise<void> {
    this.#fleet.at(index).stop();
    await sleep(ms);
    this.#fleet.at(index).go();
    this.#still.delete(index);
  }
}

async function stopFor(scale: Scale, fleet: Fleet): Promise<number> {
  const stopper = new Stopper(fleet);
  for (let past = PERIOD / 2; past < DURATION[scale]; past += PERIOD) {
    await sleep(past < PERIOD ? PERIOD / 2 : PERIOD);
    stopper.next();
  }
  await stopper.over();
  return stopper.stops;
}

async function run(scale: Scale): Promise<Findings> {
  const listen = listenWebSocket();
  await using runner = new JobRunner({ listen, ...TIMES, attempts: 10, maxLost: 10, acquireTimeout: 30_000 });
  const gone = new Map<GoneReason, number>();
  runner.on((event) => {
    if (event.type === "worker-gone") gone.set(event.reason, (gone.get(event.reason) ?? 0) + 1);
  });
  await runner.start();
  // Worker 0 and 2 say that their handlers may block them, which is why their silence alone does not count while they work.
  const worker = (index: number) => ({ capacity: 2, blocking: index % 2 === 0, reconnectMax: 500 });
  await using fleet = new Fleet({ url: listen.address, processes: PROCESSES, worker });
  const allThere = (): boolean => runner.stats().workers.length === PROCESSES;
  const said = (): string => fleet.said;
  await needed("all workers are registered", allThere, said);
  await using audit = new Audit({ name: "R2", execute: (data) => runner.execute(data) });
  audit.begin(LANES);
  const stops = await stopFor(scale, fleet);
  const back = await eventually(allThere);
  await audit.end();
  const { retries, strikes } = runner.stats();
  return {
    findings: [
      ...audit.findings("R2"),
      some("R2: sessions ended for silence", gone.get("silent") ?? 0),
      some("R2: sessions ended for no answer to a CANCEL", gone.get("unresponsive") ?? 0),
      holds("R2: all workers are there in the end, the same processes as before", back && fleet.deaths === 0),
    ],
    counts: {
      jobs: audit.submitted,
      "worker processes stopped": stops,
      "attempts made again": retries,
      "late answers dropped": strikes,
    },
  };
}

/** SIGSTOP and SIGCONT, once a second. */
export const stopping: Row = { name: "R2: SIGSTOP and SIGCONT a worker process every second", run };
