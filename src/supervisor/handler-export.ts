/** Picks the handler among a module's exports, or says why there is none. How the module is loaded depends on the host. */
import { type Handler, WorkerStartError } from "../index.ts";

/**
 * The export of that name.
 * @param shown - What the module is called in messages.
 * @throws WorkerStartError when there is none, or it is not a function.
 */
export function handlerAmong(exported: Readonly<Record<string, unknown>>, name: string, shown: string): Handler {
  const handler = valueOf(exported, name);
  if (typeof handler === "function") return handler as Handler;
  if (Object.hasOwn(exported, name))
    throw new WorkerStartError(`the export \`${name}\` of ${shown} is not a function but ${kindOf(handler)}`);
  const names = Object.keys(exported);
  const others = names.length === 0 ? "it exports nothing" : `it exports: ${names.join(", ")}`;
  throw new WorkerStartError(`${shown} has no export \`${name}\`; ${others}`);
}

/**
 * The exports of a CommonJS module are fields of what `import()` calls the default, `export default` compiled to CommonJS among
 * them. The host lists only those it can tell from the source.
 */
function valueOf(exported: Readonly<Record<string, unknown>>, name: string): unknown {
  const value = exported[name];
  const { default: inner } = exported;
  const hasFields = typeof inner === "function" || (typeof inner === "object" && inner !== null);
  if (typeof value === "function" || !hasFields || !Object.hasOwn(inner, name)) return value;
  const field: unknown = Reflect.get(inner, name);
  return typeof field === "function" ? field : value;
}

function kindOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}
