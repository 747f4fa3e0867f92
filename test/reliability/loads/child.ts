/** One child process that carries a load, so that its memory and its processor time are its own. What it does is its fixture's. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** What a child tells: figures by name. */
export type Report = Readonly<Record<string, number>>;

/** What a child is told. */
export type Task = Readonly<Record<string, number | string>>;

/** How long a child may take before it counts as stuck, in ms. */
const MAX_WAIT_MS = 3_600_000;

function isReport(message: unknown): message is Report {
  return typeof message === "object" && message !== null && Object.values(message).every(Number.isFinite);
}

/** A running fixture. Reads its reports in the order they were sent. */
export class Child {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #reports: Report[] = [];
  #wake: () => void = () => undefined;
  #err = "";
  #over = false;

  /**
   * Starts a fixture.
   * @param fixture - Its file under `test/reliability/fixtures`.
   * @param task - What it is told.
   * @param flags - More of Node's.
   */
  constructor(fixture: string, task: Task, flags: readonly string[] = []) {
    const path = fileURLToPath(new URL(`../fixtures/${fixture}`, import.meta.url));
    this.#process = fork(path, [JSON.stringify(task)], {
      execArgv: ["--expose-gc", ...flags],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      timeout: MAX_WAIT_MS,
    });
    this.#process.stderr?.on("data", (chunk: Buffer) => (this.#err = (this.#err + chunk.toString()).slice(-4_000)));
    this.#process.on("message", (message) => this.#told(message));
    this.#ended = once(this.#process, "close").then(() => this.#end());
  }

  /** What a figure of a report is. Throws when the report has none of that name. */
  static figure(report: Report, name: string): number {
    const figure = report[name];
    if (figure === undefined) throw new Error(`no figure named ${name} in ${JSON.stringify(report)}`);
    return figure;
  }

  /** The next report. Throws when the child ends without one. */
  async report(): Promise<Report> {
    for (;;) {
      const report = this.#reports.shift();
      if (report !== undefined) return report;
      if (this.#over) throw new Error(`a child ended (${this.#exit()}) before it was done: ${this.#err}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Tells it to go on. */
  goOn(): void {
    this.#process.send({});
  }

  /** Resolves once it has ended by itself. Throws when it failed, or complained. */
  async ended(): Promise<void> {
    const complaints = await this.complaints();
    if (complaints !== "") throw new Error(`a child complained: ${complaints}`);
  }

  /** What it wrote to standard error, once it has ended by itself. Throws when it failed. */
  async complaints(): Promise<string> {
    await this.#ended;
    if (this.#process.exitCode !== 0) throw new Error(`a child ended (${this.#exit()}): ${this.#err}`);
    return this.#err;
  }

  /** Ends it, if it has not ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over) this.#process.kill("SIGKILL");
    await this.#ended;
  }

  #told(message: unknown): void {
    if (!isReport(message)) throw new Error(`a child told ${JSON.stringify(message)}, which are not figures`);
    this.#reports.push(message);
    this.#wake();
  }

  #end(): void {
    this.#over = true;
    this.#wake();
  }

  #exit(): string {
    return `code ${this.#process.exitCode}, signal ${this.#process.signalCode}`;
  }
}
