/** The built `powerhose` as a child process: starts it, waits for what it says, and leaves nothing of it behind. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "../support/package-files.ts";

/** The command under test: what `npm test` has built, unless another build is named. */
const MAIN = process.env["POWERHOSE_MAIN"] ?? join(root, "dist/cli/main.js");

/** A module of handlers for the tests; see fixtures/jobs.js. */
export function jobs(exportName: string = "default"): string {
  return `${fileURLToPath(new URL("fixtures/jobs.js", import.meta.url))}#${exportName}`;
}

/** How a command ended. */
export interface Ended {
  /** The exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command is given. */
export interface Given {
  /** All of stdin; without it, stdin stays open until the test closes it. */
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** A shell script to start it by, in which `"$@"` is the command: for limits and redirections. */
  readonly shell?: string;
  /** Leaves stdout alone: nobody reads it until the test does. */
  readonly unread?: boolean;
}

function environment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(POWERHOSE_|NO_COLOR|FORCE_COLOR|NODE_)/.test(name));
  return { ...(Object.fromEntries(kept) as Record<string, string>), ...extra };
}

/** A running command. */
export class Command {
  readonly child: ChildProcessWithoutNullStreams;
  /** Resolves once it has ended and all it wrote has arrived. */
  readonly ended: Promise<Ended>;
  readonly #waiting = new Set<() => void>();
  #stdout = "";
  #stderr = "";
  #over = false;

  constructor(args: readonly string[], { input, env, shell, unread = false }: Given = {}) {
    const own = [process.execPath, MAIN, ...args];
    const [file = "", ...rest] = shell === undefined ? own : ["sh", "-c", shell, "sh", ...own];
    this.child = spawn(file, rest, { env: environment(env) });
    const { stdin, stdout, stderr } = this.child;
    stdin.on("error", () => undefined); // it may end before it has read all
    if (!unread) stdout.setEncoding("utf8").on("data", (text: string) => this.#note(() => (this.#stdout += text)));
    stderr.setEncoding("utf8").on("data", (text: string) => this.#note(() => (this.#stderr += text)));
    if (input !== undefined) stdin.end(input);
    this.ended = new Promise((resolve) => {
      this.child.once(unread ? "exit" : "close", (code: number | null) => {
        this.#over = true;
        resolve({ code, stdout: this.#stdout, stderr: this.#stderr });
        this.#note(() => undefined);
      });
    });
  }

  /** What it has written so far. */
  get stdout(): string {
    return this.#stdout;
  }

  /** What it has said so far. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Resolves once `look` finds something; rejects when the command ends first. */
  async until<T>(look: (command: this) => T | null | undefined | false): Promise<T> {
    for (;;) {
      const found = look(this);
      if (found !== null && found !== undefined && found !== false) return found;
      if (this.#over) throw new Error(`the command ended without it; it said:\n${this.#stderr}`);
      await new Promise<void>((resolve) => void this.#waiting.add(resolve));
    }
  }

  /** Resolves with the match once stderr holds the pattern. */
  says(pattern: RegExp): Promise<RegExpExecArray> {
    return this.until(() => pattern.exec(this.#stderr));
  }

  /** Sends a signal over and over until it ends: the second one counts only after a while. */
  insist(signal: NodeJS.Signals): void {
    const timer = setInterval(() => this.child.kill(signal), 100);
    this.child.once("exit", () => clearInterval(timer));
  }

  /** Kills what is left of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    this.child.stdout.destroy();
    await this.ended;
  }

  #note(change: () => void): void {
    change();
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** Runs a command to its end. */
export async function powerhose(args: readonly string[], given: Given = {}): Promise<Ended> {
  await using command = new Command(args, { input: "", ...given });
  return await command.ended;
}

/**
 * Runs commands that end by themselves at once, such as those that are wrong, one after the other in one process: starting
 * a process for each takes a hundred times longer than the commands do.
 */
export async function powerhoseEach(commands: readonly (readonly string[])[]): Promise<readonly Ended[]> {
  const script = fileURLToPath(new URL("fixtures/each.js", import.meta.url));
  const child = spawn(process.execPath, [script, MAIN], { env: environment(), stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(JSON.stringify(commands));
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (more: string) => (text += more));
  await new Promise((resolve) => void child.once("close", resolve));
  return JSON.parse(text) as readonly Ended[];
}

/** `1\n2\n…`: what `seq` prints. */
export function seq(last: number): string {
  return Array.from({ length: last }, (_, index) => `${index + 1}\n`).join("");
}

/** The lines of a text whose last line has its newline. */
export function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

/** A run that waits for workers on a free port, and where it listens. */
export async function listening(args: readonly string[], given = {}): Promise<{ run: Command; url: string }> {
  const run = new Command(["run", "--listen", "0", ...args], given);
  const [, url = ""] = await run.says(/listening on (ws:\S+);/);
  return { run, url };
}
