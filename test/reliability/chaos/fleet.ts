/** Several worker processes under a supervisor: one that dies is started again, by the same name. */
import type { WorkerOptions } from "powerhose";
import { Child } from "./child.ts";

/** What a worker process is told: the options of its `Worker` that are plain data. */
export type WorkerSettings = Pick<
  WorkerOptions,
  "capacity" | "blocking" | "reconnectMin" | "reconnectMax" | "maxPayload" | "highWater"
>;

/** A fleet of processes. */
export interface FleetOptions {
  /** Where the runner listens. */
  readonly url: string;
  /** How many processes. */
  readonly processes: number;
  /** The settings of one, by its number from 0. */
  readonly worker: (index: number) => WorkerSettings;
}

/** Worker processes, `worker-0` and so on. */
export class Fleet implements AsyncDisposable {
  readonly #options: FleetOptions;
  readonly #places: Child[] = [];
  readonly #spawned = new Set<Promise<void>>();
  #deaths = 0;
  #disconnects = 0;
  #closing = false;

  constructor(options: FleetOptions) {
    this.#options = options;
    for (let index = 0; index < options.processes; index++) this.#spawn(index);
  }

  /** Processes that died so far. */
  get deaths(): number {
    return this.#deaths;
  }

  /** How often a worker has lost its connection, as it saw it. */
  get disconnects(): number {
    return this.#disconnects;
  }

  /** The names of all workers. */
  get identities(): readonly string[] {
    return this.#places.map((_, index) => `worker-${index}`);
  }

  /** What the processes complained of. */
  get said(): string {
    return this.#places.map(({ said }) => said).join("");
  }

  /** The process at a place. */
  at(index: number): Child {
    const child = this.#places[index];
    if (child === undefined) throw new RangeError(`no worker ${index}`);
    return child;
  }

  /** Stops all processes in their tracks. */
  stop(): void {
    for (const child of this.#places) child.stop();
  }

  /** Lets all go on. */
  go(): void {
    for (const child of this.#places) child.go();
  }

  /** Kills all, for good. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    for (const child of this.#places) child.kill();
    await Promise.all(this.#spawned);
  }

  #spawn(index: number): void {
    const { url, worker } = this.#options;
    const settings = { url, worker: { identity: `worker-${index}`, ...worker(index) } };
    const child = new Child("chaos-worker.js", settings, (message) => this.#heard(message));
    this.#places[index] = child;
    const ended = child.ended.then(() => {
      this.#spawned.delete(ended);
      if (this.#closing) return;
      this.#deaths++;
      this.#spawn(index);
    });
    this.#spawned.add(ended);
  }

  #heard(message: unknown): void {
    if ((message as { type?: unknown }).type === "disconnected") this.#disconnects++;
  }
}
