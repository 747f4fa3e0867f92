/** Finds the handler in the user's module, or says in one line why there is none. Runs in the thread. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Handler, WorkerStartError } from "../index.ts";
import { oneLine } from "./boot.ts";

function isMissing(module: string): boolean {
  return module.startsWith("file:") && !existsSync(fileURLToPath(module));
}

async function load(module: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(module)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    const what = isMissing(module) ? "does not exist" : `could not be loaded: ${oneLine(error)}`;
    throw new WorkerStartError(`${module} ${what}`, { cause: error });
  }
}

/** Imports the module and returns its export. Throws WorkerStartError. */
export async function loadHandler(module: string, name: string): Promise<Handler> {
  const exported = await load(module);
  const handler = exported[name];
  if (typeof handler === "function") return handler as Handler;
  if (Object.hasOwn(exported, name))
    throw new WorkerStartError(`the export \`${name}\` of ${module} is not a function but ${kindOf(handler)}`);
  const names = Object.keys(exported);
  const others = names.length === 0 ? "it exports nothing" : `it exports: ${names.join(", ")}`;
  throw new WorkerStartError(`${module} has no export \`${name}\`; ${others}`);
}

function kindOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}
