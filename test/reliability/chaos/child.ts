/** A real Node process that can be killed, stopped and continued, and of which nothing stays, whatever becomes of the run. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const living = new Set<ChildProcess>();

// A stopped process would not notice that its parent is gone.
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

/** The last words that are kept, in characters. */
const LAST_WORDS = 2_000;

/** Starts Node in place of the shell, and without leave to write a core file for each process that is aborted. */
const SHELL = 'ulimit -c 0; exec "$0" "$@"';

/** A running process. */
export class Child implements AsyncDisposable {
  /** Fulfils once it is gone. */
  readonly ended: Promise<void>;
  readonly #process: ChildProcess;
  #said = "";
  #isGone = false;

  /**
   * @param fixture - The name of a module in `fixtures`.
   * @param settings - Its settings; travel as JSON.
   * @param heard - Is called with what it tells.
   */
  constructor(fixture: string, settings: unknown, heard: (message: unknown) => void) {
    const path = fileURLToPath(new URL(`../fixtures/${fixture}`, import.meta.url));
    const args = ["-c", SHELL, process.execPath, path, JSON.stringify(settings)];
    // Neither this process's flags nor the test runner's marks.
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(NODE_OPTIONS|VITEST)/.test(name)),
    );
    this.#process = spawn("sh", args, { env, stdio: ["ignore", "ignore", "pipe", "ipc"] });
    living.add(this.#process);
    this.#process.on("message", heard);
    this.#process.on("error", (error) => (this.#said += String(error))); // of the channel, when it dies with the process
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#said = (this.#said + text).slice(-LAST_WORDS);
    });
    this.ended = new Promise((resolve) => {
      this.#process.once("close", () => {
        living.delete(this.#process);
        this.#isGone = true;
        resolve();
      });
    });
  }

  /** Whether it has ended. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** The last it wrote to stderr. */
  get said(): string {
    return this.#said;
  }

  /** Tells it something. Nothing happens when it is gone. */
  tell(message: object): void {
    if (this.#process.connected) this.#process.send(message, () => undefined);
  }

  /** SIGKILL: gone, without a word to anybody. */
  kill(): void {
    this.#process.kill("SIGKILL");
  }

  /** SIGSTOP: stands still, its connections stay open. */
  stop(): void {
    this.#process.kill("SIGSTOP");
  }

  /** SIGCONT: goes on as if nothing had been. */
  go(): void {
    this.#process.kill("SIGCONT");
  }

  /** Kills what is left of it. */
  [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    return this.ended;
  }
}
