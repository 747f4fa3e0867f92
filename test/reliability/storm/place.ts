/** A process of the storm under a supervisor: when it dies it is started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

const living = new Set<ChildProcess>();

// A stopped process would not notice that its parent is gone.
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

/** The last words that are kept, in characters. */
const LAST_WORDS = 2_000;

/** How a process is started. */
export interface PlaceOptions {
  readonly name: string;
  /** Node's arguments. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Whether there is a channel for messages. */
  readonly talks?: boolean;
}

/** What a process holds, as the system sees it; absent where the system does not tell. */
export interface Holding {
  readonly rss: number;
  readonly descriptors: number;
  readonly threads: number;
}

function statusFigure(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? Number.NaN);
}

/** One process, and those that follow it. */
export class Place implements AsyncDisposable {
  readonly name: string;
  readonly #options: PlaceOptions;
  readonly #messages: object[] = [];
  readonly #ended = new Set<Promise<void>>();
  #child: ChildProcess | undefined;
  #wake: () => void = () => undefined;
  #said = "";
  #deaths = 0;
  #closing = false;

  constructor(options: PlaceOptions) {
    this.name = options.name;
    this.#options = options;
    this.#spawn();
  }

  /** How often it has died. */
  get deaths(): number {
    return this.#deaths;
  }

  /** The last it wrote to stderr. */
  get said(): string {
    return this.#said;
  }

  /** Sends it a signal. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** What it holds now. */
  holding(): Holding | undefined {
    const folder = `/proc/${this.#child?.pid}`;
    if (!existsSync(`${folder}/fd`)) return undefined;
    const status = readFileSync(`${folder}/status`, "utf8");
    return {
      rss: statusFigure(status, "VmRSS") * 1_024,
      descriptors: readdirSync(`${folder}/fd`).length,
      threads: statusFigure(status, "Threads"),
    };
  }

  /** Tells it something, and resolves with the message of that type it answers with. */
  async ask<T extends object>(type: string): Promise<T> {
    this.#child?.send({ command: type }, () => undefined);
    return await this.hear<T>(type);
  }

  /** Its next message of a type. */
  async hear<T extends object>(type: string): Promise<T> {
    const deaths = this.#deaths;
    for (;;) {
      const index = this.#messages.findIndex((message) => "type" in message && message.type === type);
      if (index >= 0) return this.#messages.splice(index, 1)[0] as T;
      if (this.#deaths > deaths) throw new Error(`${this.name} has died: ${this.#said}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Kills it, for good. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    this.signal("SIGKILL");
    await Promise.all(this.#ended);
  }

  #spawn(): void {
    const { args, env = {}, talks = false } = this.#options;
    const kept = Object.entries(process.env).filter(([name]) => !/^(NODE_OPTIONS|VITEST|POWERHOSE)/.test(name));
    const child = spawn(process.execPath, [...args], {
      env: { ...Object.fromEntries(kept), ...env },
      stdio: talks ? ["ignore", "ignore", "pipe", "ipc"] : ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    living.add(child);
    child.on("error", (error) => (this.#said += String(error))); // of the channel, when it dies with the process
    child.on("message", (message) => this.#hear(message));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#said = (this.#said + text).slice(-LAST_WORDS);
    });
    const ended = new Promise<void>((resolve) => void child.once("close", resolve)).then(() => {
      living.delete(child);
      this.#ended.delete(ended);
      if (this.#closing) return;
      this.#deaths++;
      this.#wake();
      this.#spawn();
    });
    this.#ended.add(ended);
  }

  #hear(message: unknown): void {
    if (typeof message === "object" && message !== null) this.#messages.push(message);
    this.#wake();
  }
}
