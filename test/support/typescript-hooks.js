/**
 * The module hooks behind typescript.js: `.ts` files are read with their types dropped. `POWERHOSE_PLANT` plants a bug while
 * it reads: `{"file": "src/core/dispatch/retry.ts", "from": "…", "to": "…"}`. What was made of a file is kept below node_modules, as
 * the compiler takes longer to load than most of what is run with it.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const CACHE = new URL("../../node_modules/.cache/powerhose-typescript/", import.meta.url);
const plant = JSON.parse(process.env.POWERHOSE_PLANT ?? "null");

function planted(url, text) {
  if (plant === null || !url.endsWith(`/${plant.file}`)) return text;
  const parts = text.split(plant.from);
  if (parts.length !== 2) throw new Error(`${plant.file} has ${parts.length - 1} places to plant the bug in, not one`);
  return parts.join(plant.to);
}

async function transpile(fileName, text) {
  const { default: ts } = await import("typescript");
  const { ES2022 } = ts.ScriptTarget;
  const compilerOptions = {
    target: ES2022,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
    inlineSourceMap: true,
  };
  return ts.transpileModule(text, { fileName, compilerOptions }).outputText;
}

/** Processes that start at once may write the same file: each writes its own, and the last rename stands. */
async function keep(file, code) {
  const draft = new URL(`${file.href}.${process.pid}`);
  await mkdir(CACHE, { recursive: true });
  await writeFile(draft, code);
  await rename(draft, file);
}

/** @type {import("node:module").LoadHook} */
export async function load(url, context, nextLoad) {
  if (!url.startsWith("file:") || !url.endsWith(".ts") || url.includes("/node_modules/")) return nextLoad(url, context);
  const fileName = fileURLToPath(url);
  const text = planted(url, await readFile(fileName, "utf8"));
  const kept = new URL(`${createHash("sha256").update(fileName).update(text).digest("hex")}.js`, CACHE);
  let source = await readFile(kept, "utf8").catch(() => undefined);
  if (source === undefined) {
    source = await transpile(fileName, text);
    await keep(kept, source);
  }
  return { format: "module", source, shortCircuit: true };
}
