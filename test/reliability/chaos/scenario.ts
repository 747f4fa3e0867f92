/**
 * One short scenario of network faults, drawn from a seed: a runner and workers of this process, each worker behind a fault
 * proxy of its own, jobs that flow, and a fault every now and then. What happens is the seed's; when exactly, the machine's.
 */
import { JobRunner, type RunnerEvent, Worker } from "powerhose";
import { dialWebSocket, listenWebSocket } from "powerhose/websocket/node";
import { setTimeout as sleep } from "node:timers/promises";
import type { Finding } from "../section.ts";
import answer from "../fixtures/chaos-handler.js";
import { Audit } from "./audit.ts";
import { Chance } from "./chance.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { CALM, type Direction, type Weather } from "./faulty-wire.ts";
import { eventually, needed } from "./waiting.ts";
import { holds } from "./row.ts";

/** What can go wrong. */
export type FaultKind = "delayed" | "throttled" | "cut by FIN" | "cut by RST" | HalfOpenKind;
type HalfOpenKind = "half-open to the runner" | "half-open to the worker" | "half-open both ways";

const HALF_OPEN: Readonly<Record<HalfOpenKind, readonly Direction[]>> = {
  "half-open to the runner": ["up"],
  "half-open to the worker": ["down"],
  "half-open both ways": ["up", "down"],
};

/** All of them. */
export const FAULT_KINDS: readonly FaultKind[] = [
  "half-open to the runner",
  "cut by FIN",
  "throttled",
  "half-open both ways",
  "cut by RST",
  "half-open to the worker",
  "delayed",
];

/** The heartbeat of the scenarios, in ms. Short, so that silence is noticed within the time a scenario has. */
export const HEARTBEAT = 250;
const WORKERS = 3;
const LANES = 12;
const FAULTS = [2, 3] as const;
const PAUSE = [100, 400] as const; // ms between faults
const MISSING_AFTER = 20_000; // ms

/** What a scenario showed. */
export interface ScenarioResult {
  readonly findings: readonly Finding[];
  readonly jobs: number;
  readonly retries: number;
  readonly faults: readonly FaultKind[];
  /** Sessions that the runner ended because it heard nothing. */
  readonly silent: number;
  /** How long it took the runner to be rid of a dead connection, each time, in ms. */
  readonly noticedByRunner: readonly number[];
  /** How long it took the worker. */
  readonly noticedByWorker: readonly number[];
}

/** A worker behind its proxy. */
class ProxiedWorker implements AsyncDisposable {
  readonly proxy: FaultProxy;
  readonly worker: Worker;
  /** When the runner was last rid of a session of this worker, and the worker of a connection; on this process's clock. */
  goneAt = 0;
  leftAt = 0;

  constructor(proxy: FaultProxy, identity: string) {
    this.proxy = proxy;
    // Not blocking: the handlers only wait, and then silence counts at any time.
    const dial = dialWebSocket(proxy.url, { handshakeTimeout: 2_000 });
    const pauses = { reconnectMin: 20, reconnectMax: 200 };
    this.worker = new Worker({
      dial,
      identity,
      handler: answer,
      capacity: 2,
      blocking: false,
      onWarning: false,
      ...pauses,
    });
    this.worker.on((event) => {
      if (event.type === "disconnected") this.leftAt = performance.now();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.worker.stop();
    await this.proxy[Symbol.asyncDispose]();
  }
}

/** One scenario from start to end. */
export class Scenario {
  readonly #seed: number;
  readonly #chance: Chance;
  readonly #workers: ProxiedWorker[] = [];
  readonly #faults: FaultKind[] = [];
  readonly #noticing: Promise<void>[] = [];
  readonly #noticedByRunner: number[] = [];
  readonly #noticedByWorker: number[] = [];
  #unnoticed = 0;
  #silent = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#chance = new Chance(seed);
  }

  /** Plays it. */
  async run(): Promise<ScenarioResult> {
    const listen = listenWebSocket();
    await using runner = new JobRunner({
      listen,
      heartbeat: HEARTBEAT,
      attempts: 20,
      maxLost: 20,
      acquireTimeout: 30_000,
    });
    runner.on((event) => this.#heard(event));
    await runner.start();
    await using audit = new Audit({
      name: `seed${this.#seed}`,
      seed: this.#seed,
      filler: this.#chance.pick([20, 2_000, 20_000]),
      execute: (data) => runner.execute(data),
    });
    const port = Number(new URL(listen.address).port);
    try {
      for (let index = 0; index < WORKERS; index++) await this.#addWorker(port, `worker-${index}`);
      audit.begin(LANES);
      await this.#doHarm();
      const all = await eventually(() => runner.stats().workers.length === WORKERS);
      await Promise.all(this.#noticing);
      await audit.end();
      return this.#result(audit, runner.stats().retries, all);
    } finally {
      await audit.end();
      await Promise.all(this.#workers.map((proxied) => proxied[Symbol.asyncDispose]()));
    }
  }

  async #addWorker(port: number, identity: string): Promise<void> {
    const proxied = new ProxiedWorker(await FaultProxy.start(port, () => this.#chance.fraction()), identity);
    this.#workers.push(proxied);
    await proxied.worker.start();
  }

  /** The first fault goes round with the seeds, so that a few seeds have seen all kinds; the others are up to chance. */
  async #doHarm(): Promise<void> {
    const count = this.#chance.between(...FAULTS);
    for (let number = 0; number < count; number++) {
      await sleep(this.#chance.between(...PAUSE));
      const kind = number === 0 ? FAULT_KINDS[this.#seed % FAULT_KINDS.length] : undefined;
      await this.#inflict(kind ?? this.#chance.pick(FAULT_KINDS), this.#chance.pick(this.#workers));
    }
    await sleep(this.#chance.between(...PAUSE));
    for (const { proxy } of this.#workers) proxy.weather = CALM;
  }

  async #inflict(kind: FaultKind, proxied: ProxiedWorker): Promise<void> {
    this.#faults.push(kind);
    switch (kind) {
      case "delayed":
      case "throttled":
        proxied.proxy.weather = this.#weather(kind);
        return;
      case "cut by FIN":
      case "cut by RST":
        proxied.proxy.cut(kind === "cut by FIN" ? "fin" : "rst");
        return;
      default:
        // A connection that has not registered is no heartbeat's business.
        await needed("the worker is registered", () => proxied.worker.state === "registered");
        if (proxied.proxy.halfOpen(HALF_OPEN[kind]) > 0) this.#noticing.push(this.#notice(proxied, performance.now()));
    }
  }

  #weather(kind: "delayed" | "throttled"): Weather {
    if (kind === "throttled") return { ...CALM, rate: this.#chance.between(20_000, 200_000) };
    const least = this.#chance.between(0, HEARTBEAT);
    return { ...CALM, delay: [least, least + this.#chance.between(0, HEARTBEAT)] };
  }

  /** Waits until both ends know that a connection is dead. */
  async #notice(proxied: ProxiedWorker, since: number): Promise<void> {
    const noticed = await eventually(() => proxied.goneAt >= since && proxied.leftAt >= since, MISSING_AFTER);
    if (!noticed) this.#unnoticed++;
    else {
      this.#noticedByRunner.push(proxied.goneAt - since);
      this.#noticedByWorker.push(proxied.leftAt - since);
    }
  }

  #heard(event: RunnerEvent): void {
    if (event.type !== "worker-gone") return;
    if (event.reason === "silent") this.#silent++;
    const proxied = this.#workers.find(({ worker }) => worker.identity === event.identity);
    if (proxied !== undefined) proxied.goneAt = performance.now();
  }

  #result(audit: Audit, retries: number, all: boolean): ScenarioResult {
    const about = `seed ${this.#seed} (${this.#faults.join(", ")})`;
    return {
      findings: [
        ...audit.findings(about),
        holds(`${about}: all workers are there in the end`, all),
        holds(`${about}: every dead connection was noticed at both ends`, this.#unnoticed === 0),
      ],
      jobs: audit.submitted,
      retries,
      faults: this.#faults,
      silent: this.#silent,
      noticedByRunner: this.#noticedByRunner,
      noticedByWorker: this.#noticedByWorker,
    };
  }
}
