/**
 * Reads the imports of a set of TypeScript sources and judges them: which layer may import which, cycles, and what an
 * entry point reaches. Works on a map of texts, so that a test can plant a breach; knows no file system.
 */
import { posix } from "node:path";
import ts from "typescript";

/** Source texts by path from the root of the repository: `src/core/job.ts`. */
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

/** What the rules need to know of the package. */
export interface Doors {
  /** The source files that package.json exports. */
  readonly publicFiles: readonly string[];
}

const CORE_FOR_TRANSPORTS: ReadonlySet<string> = new Set(
  [
    "socket",
    "listener",
    "inbox",
    "peer",
    "pair",
    "principal",
    "incoming-budget",
    "errors",
    "options",
    "clock",
    "host",
  ].map((name) => `src/core/${name}.ts`),
);

/**
 * The family a transport's file belongs to: `websocket` for websocket.ts, websocket-node.ts and whatever else begins with
 * an exported transport's name and a dash.
 */
function familyOf(path: string, doors: Doors): string {
  const name = posix.basename(path, ".ts");
  const families = doors.publicFiles
    .filter((file) => file.startsWith("src/transports/"))
    .map((file) => posix.basename(file, ".ts").replace(/-node$/, ""));
  return families.find((family) => name === family || name.startsWith(`${family}-`)) ?? name;
}

/** Only a family with a door for Node has Node's modules and `ws`, and only in files its other door does not reach. */
function mayUseNode(path: string, house: House): boolean {
  const family = `src/transports/${familyOf(path, house.doors)}`;
  if (!house.doors.publicFiles.includes(`${family}-node.ts`)) return false;
  return path !== `${family}.ts` && !reach(house.sources, `${family}.ts`).has(path);
}

/** What runs in the browser that looks at the page: bundled, and nobody's to import. */
const PAGE = "src/observe/page/";
const FOR_PAGE: ReadonlySet<string> = new Set([
  "uplot",
  "src/transports/websocket-address.ts",
  "src/browser/index.ts",
  "src/browser/socket-entry.ts",
  "src/browser/handler-entry.ts",
]);

function observeMay(found: Import): boolean {
  return found.from.startsWith(PAGE) ? FOR_PAGE.has(found.to) : guestMay(found) && !found.to.startsWith(PAGE);
}

function transportMay({ from, to }: Import, house: House): boolean {
  if (CORE_FOR_TRANSPORTS.has(to)) return true;
  if (to === "ws" || to.startsWith("node:")) return mayUseNode(from, house);
  // A listener on Node may serve the page; what dials must stay small.
  if (to.startsWith("src/observe/") && !to.startsWith(PAGE)) return mayUseNode(from, house);
  return to.startsWith("src/transports/") && familyOf(from, house.doors) === familyOf(to, house.doors);
}

/** Besides its own folder: the front door, and the core's types. */
function guestMay({ to, typeOnly }: Import): boolean {
  return to === "src/index.ts" || (typeOnly && to.startsWith("src/core/"));
}

/** Options are checked and pauses drawn alike everywhere, and threads speak over ports. */
const FOR_CREWS: ReadonlySet<string> = new Set([
  "src/core/clock.ts",
  "src/core/deferred.ts",
  "src/core/options.ts",
  "src/core/principal.ts",
  "src/transports/message-port.ts",
]);

/** What a crew's threads load is the user's to name. */
function hasCrew(found: Import): boolean {
  const { to } = found;
  return guestMay(found) || FOR_CREWS.has(to) || to.startsWith("src/crew/") || to === "(computed)";
}

/**
 * What the command runs inside its threads finds the user's module as all threads do. A peer's words are shown alike
 * everywhere, bytes are budgeted and scarcity is known alike everywhere, and one place knows which addresses are loopback.
 */
const FOR_CLI: ReadonlySet<string> = new Set([
  "src/threads/load.ts",
  "src/crew/scarcity.ts",
  "src/observe/plain-text.ts",
  "src/core/byte-budget.ts",
  "src/core/held-bytes.ts",
  "src/transports/websocket-address.ts",
]);

/** All a rule may look at. */
interface House {
  readonly sources: Sources;
  readonly doors: Doors;
}

type Rule = (found: Import, house: House) => boolean;

const RULES: Readonly<Record<string, Rule>> = {
  core: () => false,
  transports: transportMay,
  // Threads of whatever host: worker threads and Web Workers are supervised alike.
  crew: (found) => guestMay(found) || FOR_CREWS.has(found.to),
  threads: (found) => hasCrew(found) || found.to.startsWith("node:"),
  browser: (found) => hasCrew(found) || found.to === "src/transports/websocket.ts",
  // A simulated world is made of the core's own parts, and its oracle reads frames.
  testing: ({ to }) => to === "src/index.ts" || to.startsWith("src/core/"),
  observe: observeMay,
  cli: ({ to }, { doors }) => doors.publicFiles.includes(to) || FOR_CLI.has(to) || to.startsWith("node:"),
};

function isAllowed(found: Import, house: House): boolean {
  if (found.from === "src/index.ts") return found.to.startsWith("src/core/");
  const folder = found.from.split("/")[1] ?? "";
  const rule = RULES[folder];
  if (rule === undefined) return false;
  if (folder !== "transports" && found.to.startsWith(`src/${folder}/`)) return true;
  return rule(found, house);
}

/** Imports that go against the layout, and imports of files that do not exist; as sentences. */
export function breaches(sources: Sources, doors: Doors): readonly string[] {
  const found: string[] = [];
  for (const one of readImports(sources)) {
    const what = `${one.from} imports ${one.to}${one.typeOnly ? " (types)" : ""}`;
    if (!isAllowed(one, { sources, doors })) found.push(what);
    else if (one.to.startsWith("src/") && !sources.has(one.to)) found.push(`${what}, which does not exist`);
  }
  for (const path of sources.keys()) {
    if (path !== "src/index.ts" && RULES[path.split("/")[1] ?? ""] === undefined) found.push(`${path}: no rule for it`);
  }
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
