/**
 * Reads the imports of a set of TypeScript sources: cycles, and what an entry point reaches. Works on a map of texts, so that a test can
 * plant a breach. Which folder may import which is in layers.ts.
 */
import { posix } from "node:path";
import ts from "typescript";

/** Source texts by path from the root of the repository: `src/core/job/job.ts`. */
export type Sources = ReadonlyMap<string, string>;

/** One import, export-from, `import()` or import type. */
export interface Import {
  /** The importing file. */
  readonly from: string;
  /** The imported file, or the package or `node:` module as written. */
  readonly to: string;
  /** Whether it leaves no trace in the emitted code. */
  readonly typeOnly: boolean;
}

function specifierOf(node: ts.Node): { readonly text: ts.Node | undefined; readonly typeOnly: boolean } {
  if (ts.isImportDeclaration(node)) {
    return { text: node.moduleSpecifier, typeOnly: node.importClause?.isTypeOnly ?? false };
  }
  if (ts.isExportDeclaration(node)) return { text: node.moduleSpecifier, typeOnly: node.isTypeOnly };
  if (ts.isImportTypeNode(node)) {
    return { text: ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, typeOnly: true };
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return { text: node.arguments[0], typeOnly: false };
  }
  return { text: undefined, typeOnly: false };
}

function importsOf(path: string, text: string): Import[] {
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    const { text: specifier, typeOnly } = specifierOf(node);
    if (specifier !== undefined) {
      const to = ts.isStringLiteralLike(specifier) ? specifier.text : "(computed)";
      found.push({ from: path, to: to.startsWith(".") ? posix.join(posix.dirname(path), to) : to, typeOnly });
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest));
  return found;
}

/** The same sources are asked about again and again, and reading them is what takes the time. */
const known = new WeakMap<Sources, readonly Import[]>();

/** All imports of all sources, which are not to change afterwards. */
export function readImports(sources: Sources): readonly Import[] {
  const found = known.get(sources) ?? [...sources].flatMap(([path, text]) => importsOf(path, text));
  known.set(sources, found);
  return found;
}

function edges(sources: Sources, counts: (found: Import) => boolean): ReadonlyMap<string, readonly string[]> {
  const map = new Map<string, string[]>();
  for (const one of readImports(sources)) if (counts(one)) map.set(one.from, [...(map.get(one.from) ?? []), one.to]);
  return map;
}

/** Each cycle of imports, those of types included, as `a > b > a`. */
export function cycles(sources: Sources): readonly string[] {
  const graph = edges(sources, () => true);
  const done = new Set<string>();
  const found: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) found.push([...trail.slice(at), path].join(" > "));
    if (at >= 0 || done.has(path)) return;
    for (const next of graph.get(path) ?? []) walk(next, [...trail, path]);
    done.add(path);
  };
  for (const path of sources.keys()) walk(path, []);
  return found;
}

/** Everything `entry` reaches, by way of types or not: files, packages and `node:` modules. Without itself. */
export function reach(sources: Sources, entry: string): ReadonlySet<string> {
  const graph = edges(sources, () => true);
  const reached = new Set<string>();
  const waiting = [entry];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    for (const next of graph.get(path) ?? []) {
      if (reached.has(next)) continue;
      reached.add(next);
      waiting.push(next);
    }
  }
  return reached;
}
