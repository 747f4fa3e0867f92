/** Where this package's files are, for the tests that guard the package itself. Judges nothing. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the repository, without a slash at its end. */
export const root: string = fileURLToPath(new URL("../..", import.meta.url)).replace(/[/\\]$/, "");

/** The parts of package.json the tests read. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly files: readonly string[];
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly [field: string]: unknown;
}

/** One public door of the package. */
export interface Door {
  /** What a user writes: `powerhose/memory`. */
  readonly specifier: string;
  /** The emitted module, from the root: `dist/transports/memory.js`. */
  readonly module: string;
  /** Its declarations. */
  readonly types: string;
  /** Where it comes from: `src/transports/memory.ts`. */
  readonly source: string;
}

/** Reads a file of the repository. */
export function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** package.json. */
export function manifest(): Manifest {
  return JSON.parse(read("package.json")) as Manifest;
}

/** The scripts that npm runs when the package, or one of its dependencies, is installed. */
export const INSTALL_SCRIPTS: readonly string[] = [
  "preinstall",
  "install",
  "postinstall",
  "preprepare",
  "prepare",
  "prepublish",
];

/** A package of the lock file. */
export interface LockedPackage {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
}

/** The packages of package-lock.json by path, without this one. */
export function lockedPackages(): ReadonlyMap<string, LockedPackage> {
  const { packages } = JSON.parse(read("package-lock.json")) as { readonly packages: Record<string, LockedPackage> };
  return new Map(Object.entries(packages).filter(([path]) => path !== ""));
}

/** The doors of package.json, without package.json itself. */
export function doors(): readonly Door[] {
  const { name, exports } = manifest();
  return Object.entries(exports).flatMap(([subpath, target]) => {
    if (typeof target === "string") return [];
    const module = target.default.replace(/^\.\//, "");
    const source = module.replace(/^dist\//, "src/").replace(/\.js$/, ".ts");
    return [{ specifier: name + subpath.slice(1), module, types: target.types.replace(/^\.\//, ""), source }];
  });
}

/** All files below a folder whose name ends so, as sorted paths from the root; none when there is no such folder. */
export function filesBelow(folder: string, ending: string): readonly string[] {
  const start = join(root, folder);
  if (statSync(start, { throwIfNoEntry: false }) === undefined) return [];
  return readdirSync(start, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort();
}

/** The texts of {@link filesBelow}, by path. */
export function textsBelow(folder: string, ending: string): ReadonlyMap<string, string> {
  return new Map(filesBelow(folder, ending).map((path) => [path, read(path)]));
}
