/** Picks the handler among a module's exports, or says why there is none. How the module is loaded depends on the host. */
import { type Handler, WorkerStartError } from "../index.ts";

/**
 * The export of that name.
 * @param shown - What the module is called in messages.
 * @throws WorkerStartError when there is none, or it is not a function.
 */
export function handlerAmong(exported: Readonly<Record<string, unknown>>, name: string, shown: string): Handler {
  const handler = exported[name];
  if (typeof handler === "function") return handler as Handler;
  if (Object.hasOwn(exported, name))
    throw new WorkerStartError(`the export \`${name}\` of ${shown} is not a function but ${kindOf(handler)}`);
  const names = Object.keys(exported);
  const others = names.length === 0 ? "it exports nothing" : `it exports: ${names.join(", ")}`;
  throw new WorkerStartError(`${shown} has no export \`${name}\`; ${others}`);
}

function kindOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}
