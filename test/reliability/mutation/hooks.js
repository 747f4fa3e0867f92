/**
 * Module hooks for mutation testing: TypeScript with its types dropped, `vitest` and `fast-check` replaced by the small ones
 * beside this file, and every module of the repository loaded anew for each `?load=N`, which importers hand on.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const INSTEAD = { vitest: "./vitest.js", "fast-check": "./fast-check.js" };
/** A storm costs as much as all other tests together: a few of them, and not two hundred. */
const FEWER = [/const SEEDS = \d+/, "const SEEDS = 10"];

const compilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
};

/** What was compiled, by address: a module that is loaded anew is compiled once. */
const compiled = new Map();

/** @type {import("node:module").ResolveHook} */
export async function resolve(specifier, context, nextResolve) {
  const parent = context.parentURL ?? "";
  const own = parent.startsWith("file:") && !parent.includes("/node_modules/");
  const instead = own && !parent.includes("/reliability/mutation/") ? INSTEAD[specifier] : undefined;
  if (instead !== undefined) return { url: new URL(instead, import.meta.url).href, shortCircuit: true };
  const resolved = await nextResolve(specifier, context);
  const count = own ? new URL(parent).searchParams.get("load") : null;
  if (count === null || !resolved.url.startsWith("file:") || resolved.url.includes("/node_modules/")) return resolved;
  const url = new URL(resolved.url);
  url.searchParams.set("load", count);
  return { ...resolved, url: url.href };
}

/** @type {import("node:module").LoadHook} */
export async function load(url, context, nextLoad) {
  if (!url.startsWith("file:") || !url.split("?")[0].endsWith(".ts") || url.includes("/node_modules/"))
    return nextLoad(url, context);
  const fileName = fileURLToPath(url);
  let source = compiled.get(fileName);
  if (source === undefined) {
    const text = (await readFile(fileName, "utf8")).replace(...FEWER);
    source = ts.transpileModule(text, { fileName, compilerOptions }).outputText;
    compiled.set(fileName, source);
  }
  return { format: "module", source, shortCircuit: true };
}
