/**
 * Imports the user's module in a thread of Node, and returns its handler; else throws an error of one line. Which export is the
 * handler is decided in supervisor/handler-export.ts.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { errorLine } from "../core/describe-error.ts";
import { handlerAmong } from "../supervisor/handler-export.ts";
import { type Handler, WorkerStartError } from "../index.ts";
import { registerTsx } from "./tsx.ts";

function isMissing(module: string): boolean {
  return module.startsWith("file:") && !existsSync(fileURLToPath(module));
}

/** Node 20 reads no TypeScript, and newer versions not all of it. A module may also fail for one that it imports. */
function aboutTypeScript(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const isUnknown = code === "ERR_UNKNOWN_FILE_EXTENSION" && /"\.[cm]?tsx?"/.test(errorLine(error));
  if (!isUnknown && code !== "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX") return undefined;
  return '; start the process with `node --import tsx`, give the threads `execArgv: ["--import", "tsx"]`, or compile it first';
}

/** The host does not say where in the file a syntax error is; its own check does. */
function whereToLook(error: unknown, module: string): string {
  const isInFile = error instanceof SyntaxError && module.startsWith("file:");
  return isInFile ? `; node --check ${fileURLToPath(module)} shows where` : "";
}

async function load(module: string, shown: string): Promise<Readonly<Record<string, unknown>>> {
  registerTsx();
  try {
    // Bundlers leave this import alone: the module is a file of its own.
    return (await import(/* webpackIgnore: true */ /* @vite-ignore */ module)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    const fault = isMissing(module)
      ? "does not exist; in a bundled program the handler is built as an entry of its own: docs/bundlers.md of `powerhose` shows it"
      : `could not be loaded: ${errorLine(error)}${aboutTypeScript(error) ?? whereToLook(error, module)}`;
    throw new WorkerStartError(`${shown} ${fault}`, { cause: error });
  }
}

/**
 * Imports the module and returns its export.
 * @param shown - What the module is called in messages.
 * @throws WorkerStartError when there is no such module, it does not load, or the export is not a function.
 */
export async function loadHandler(module: string, name: string, shown: string = module): Promise<Handler> {
  return handlerAmong(await load(module, shown), name, shown);
}
