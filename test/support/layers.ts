/** Which folder of src may import which: the table in layers.json, read, judged and printed. */
import { type Import, readImports, type Sources } from "./import-graph.ts";
import { read } from "./package-files.ts";

/** One row: a folder of src, or a file that is a room of its own. */
export interface Layer {
  readonly folder: string;
  readonly holds: string;
  /** Rows, single files, packages, and trees (`src/core/**`); `(types)` for imports that leave no trace. */
  readonly imports: readonly string[];
}

/** The table. */
export const LAYERS: readonly Layer[] = JSON.parse(read("test/support/layers.json")) as Layer[];

/** The row a file belongs to: the longest that holds it. */
export function layerOf(path: string, layers: readonly Layer[] = LAYERS): Layer | undefined {
  const rows = layers.filter(({ folder }) => path === folder || path.startsWith(`${folder}/`));
  return rows.toSorted((a, b) => b.folder.length - a.folder.length)[0];
}

function admits(entry: string, { to, typeOnly }: Import, layers: readonly Layer[]): boolean {
  if (entry.endsWith(" (types)")) {
    return typeOnly && admits(entry.slice(0, -" (types)".length), { from: "", to, typeOnly }, layers);
  }
  if (entry === "node:") return to.startsWith("node:");
  if (entry.endsWith("/**")) return to.startsWith(entry.slice(0, -2));
  return to === entry || layerOf(to, layers)?.folder === entry;
}

function isAllowed(found: Import, layers: readonly Layer[]): boolean {
  const layer = layerOf(found.from, layers);
  if (layer === undefined) return false;
  return layerOf(found.to, layers) === layer || layer.imports.some((entry) => admits(entry, found, layers));
}

/** Imports that the table does not allow, imports of files that do not exist, files without a row; as sentences. */
export function breaches(sources: Sources, layers: readonly Layer[] = LAYERS): readonly string[] {
  const found: string[] = [];
  for (const one of readImports(sources)) {
    const what = `${one.from} imports ${one.to}${one.typeOnly ? " (types)" : ""}`;
    if (one.to.startsWith("src/") && !sources.has(one.to)) found.push(`${what}, which does not exist`);
    else if (!isAllowed(one, layers)) found.push(what);
  }
  for (const path of sources.keys()) if (layerOf(path, layers) === undefined) found.push(`${path}: no rule for it`);
  return found;
}

/** Circles of folders, as `a > b > a`: imports of types count. */
export function folderCycles(sources: Sources, layers: readonly Layer[] = LAYERS): readonly string[] {
  const graph = new Map<string, Set<string>>();
  for (const { from, to } of readImports(sources)) {
    const [a, b] = [layerOf(from, layers)?.folder, layerOf(to, layers)?.folder];
    if (a === undefined || b === undefined || a === b) continue;
    graph.set(a, (graph.get(a) ?? new Set()).add(b));
  }
  const done = new Set<string>();
  const found: string[] = [];
  const walk = (folder: string, trail: readonly string[]): void => {
    const at = trail.indexOf(folder);
    if (at >= 0) found.push([...trail.slice(at), folder].join(" > "));
    if (at >= 0 || done.has(folder)) return;
    for (const next of graph.get(folder) ?? []) walk(next, [...trail, folder]);
    done.add(folder);
  };
  for (const folder of graph.keys()) walk(folder, []);
  return found;
}

/** What a row may import, in short: `core/{job,time}` stands for two folders of `core`. */
function shortened(entries: readonly string[]): string {
  const groups = new Map<string, string[]>();
  for (const entry of entries) {
    const [, head = "", rest = ""] = /^(?:src\/)?(core\/(?!\*))?(.*)$/.exec(entry) ?? [];
    groups.set(head, [...(groups.get(head) ?? []), rest.replace(/\.ts$/, "")]);
  }
  const texts = [...groups].flatMap(([head, rest]) => {
    if (head === "" || rest.length === 1) return rest.map((one) => head + one);
    return [`${head}{${rest.join(",")}}`];
  });
  return texts.map((text) => `\`${text}\``).join(", ") || "nothing";
}

/** The table as docs/architecture.md prints it, from the bottom to the top. */
export function printedLayers(layers: readonly Layer[] = LAYERS): readonly (readonly string[])[] {
  return layers.map(({ folder, holds, imports }) => [`\`${folder.replace(/^src\//, "")}\``, holds, shortened(imports)]);
}
