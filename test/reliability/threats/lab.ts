/** A second process with runners to be attacked, seen from the first. What runs in it is lab-host.ts. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Figures, LabAnswer, LabRequest, VictimOptions } from "./lab-talk.ts";

const HOST = fileURLToPath(new URL("lab-host.ts", import.meta.url));
const TYPESCRIPT = new URL("../../support/typescript.js", import.meta.url).href;

interface Asked {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** One runner in the lab. */
export class Victim {
  readonly port: number;
  readonly #lab: Lab;
  readonly #id: number;

  constructor(lab: Lab, id: number, port: number) {
    this.#lab = lab;
    this.#id = id;
    this.port = port;
  }

  /** What it looks like now. */
  async figures(): Promise<Figures> {
    return (await this.#lab.ask({ do: "figures", id: this.#id })) as Figures;
  }

  /** Runs so many jobs that are to be echoed; resolves to how many came back right, rejects when one failed. */
  async run(count: number): Promise<number> {
    return Number(await this.#lab.ask({ do: "run", id: this.#id, count }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lab.ask({ do: "stop", id: this.#id });
  }
}

/** The process. */
export class Lab {
  readonly #child: ChildProcess;
  readonly #asked = new Map<number, Asked>();
  #number = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (message) => this.#answered(message as LabAnswer));
    child.once("exit", (code) => this.#ended(code));
  }

  /** Starts the process. */
  static async open(): Promise<Lab> {
    const child = fork(HOST, { execArgv: ["--expose-gc", "--import", TYPESCRIPT], serialization: "advanced" });
    await Promise.race([once(child, "message"), once(child, "exit")]);
    return new Lab(child);
  }

  /** Opens a runner that listens on WebSocket. */
  async victim(options: VictimOptions = {}): Promise<Victim> {
    const id = ++this.#number;
    return new Victim(this, id, Number(await this.ask({ do: "open", id, options })));
  }

  /** Asks the process for something. Rejects when it fails, or when the process has died. */
  ask(request: LabRequest): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (!this.#child.connected) return reject(new Error("the process with the runners has died"));
      const number = ++this.#number;
      this.#asked.set(number, { resolve, reject });
      this.#child.send({ number, request });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.disconnect();
    await once(this.#child, "exit");
  }

  #answered({ number, value, error }: LabAnswer): void {
    const asked = this.#asked.get(number);
    this.#asked.delete(number);
    if (error === undefined) asked?.resolve(value);
    else asked?.reject(new Error(error));
  }

  #ended(code: number | null): void {
    for (const { reject } of this.#asked.values())
      reject(new Error(`the process with the runners exited with ${code}`));
    this.#asked.clear();
  }
}
