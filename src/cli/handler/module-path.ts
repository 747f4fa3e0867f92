/** Where a handler's module is and which export is the handler: `./mine.js`, `./jobs.js#square`. Loads nothing. */
import { type Stats, statSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { codeOf, usage } from "../terminal/errors.ts";

/** A handler, named. */
export interface ModuleName {
  /** As it was typed. */
  readonly typed: string;
  /** The same without its export. */
  readonly path: string;
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
  if (isFile(typed)) return { typed, path: typed, url: pathToFileURL(resolve(typed)), exportName: "default" };
  const hash = typed.lastIndexOf("#");
  const path = hash < 0 ? typed : typed.slice(0, hash);
  const exportName = hash < 0 ? "default" : typed.slice(hash + 1);
  if (!isFile(path)) throw usage(`cannot load ${path === "" ? typed : path}: ${describeMissing(path)}`);
  if (exportName === "") throw usage(`${typed}: name an export after the #, or leave the # out`);
  return { typed, path, url: pathToFileURL(resolve(path)), exportName };
}

/** The stats of a path, or the host's error code. */
function statsOrCode(path: string): Stats | string {
  try {
    return statSync(path);
  } catch (error) {
    return codeOf(error);
  }
}

function isFile(path: string): boolean {
  if (path === "") return false;
  const found = statsOrCode(path);
  return typeof found !== "string" && found.isFile();
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  ELOOP: "its links lead in a circle",
  ENAMETOOLONG: "the name is too long",
  ENOTDIR: "a part of the path is not a folder",
};

function describeMissing(path: string): string {
  const found = statsOrCode(path);
  if (typeof found === "string") return REASONS[found] ?? "there is no such file";
  return found.isDirectory() ? "it is a folder; name the file in it" : "it is not a file";
}
