/** Runs a TypeScript file of this repository in a process of its own, and gives back what it printed. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MOST_OUTPUT = 64 * 1024 * 1024;

/** What a run can be given. */
export interface RunOptions {
  /** Arguments after the file's name. */
  readonly args?: readonly string[] | undefined;
  /** Variables of its environment, besides this process's own. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Flags of Node itself. */
  readonly flags?: readonly string[] | undefined;
  /** It is killed after so many ms. */
  readonly timeout: number;
}

/** Resolves to its standard output. Rejects with an Error that shows its standard error when it fails or takes too long. */
export function runTypeScript(file: string, options: RunOptions): Promise<string> {
  const { args = [], env = {}, flags = [], timeout } = options;
  const loader = new URL("typescript.js", import.meta.url).href;
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [...flags, "--import", loader, file, ...args],
      { cwd: ROOT, timeout, killSignal: "SIGKILL", maxBuffer: MOST_OUTPUT, env: { ...process.env, ...env } },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${file} ${args.join(" ")} failed: ${error.message}\n${stderr}`, { cause: error }));
      },
    );
  });
}
