/** Where a handler's module is and which export is the handler: `./mine.js`, `./jobs.js#square`. Loads nothing. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { usage } from "./faults.ts";

/** A handler, named. */
export interface ModuleName {
  /** As it was typed. */
  readonly typed: string;
  /** What to import. */
  readonly url: URL;
  /** The export that is the handler. */
  readonly exportName: string;
}

/**
 * Reads `module` or `module#export`; a path is relative to the working directory. A `#` that is part of an existing path
 * stays one.
 * @throws CommandError (usage) when there is no such file.
 */
export function readModuleName(typed: string | undefined): ModuleName {
  if (typed === undefined || typed === "") throw usage("name the module that holds the handler, such as ./square.js");
  if (isFile(typed)) return { typed, url: pathToFileURL(resolve(typed)), exportName: "default" };
  const hash = typed.lastIndexOf("#");
  const path = hash < 0 ? typed : typed.slice(0, hash);
  const exportName = hash < 0 ? "default" : typed.slice(hash + 1);
  if (!isFile(path)) throw usage(`cannot load ${path === "" ? typed : path}: there is no such file`);
  if (exportName === "") throw usage(`${typed}: name an export after the #, or leave the # out`);
  return { typed, url: pathToFileURL(resolve(path)), exportName };
}

function isFile(path: string): boolean {
  return path !== "" && (statSync(path, { throwIfNoEntry: false })?.isFile() ?? false);
}
