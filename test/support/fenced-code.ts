/**
 * The code blocks of a Markdown page: found, type-checked against this package's own declarations, and run. Which pages
 * and which blocks is for the test to say, and so is the convention, written down in readme.long.test.ts.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { root } from "./package-files.ts";

/** One fenced block of TypeScript or JavaScript. */
export interface Block {
  /** The page, from the root. */
  readonly page: string;
  /** The line of the page its code begins on. */
  readonly line: number;
  readonly language: "ts" | "js";
  readonly code: string;
  /** The name in a first line `// file: name`; such a block is not run but written beside the one that is. */
  readonly file: string | undefined;
}

/** A block and the files the reader was told to put beside it. */
export interface Listing {
  readonly block: Block;
  readonly beside: readonly Block[];
}

/** How a block ended when it was run. */
export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** All `ts` and `js` blocks of a page. A fence that says more than the language is an error: no block is exempt. */
export function blocksOf(page: string, text: string): readonly Block[] {
  const found: Block[] = [];
  const lines = text.split(/\r?\n/);
  for (let i = 0; i < lines.length; i++) {
    const fence = /^\s*(`{3,})(\S*)(.*)$/.exec(lines[i] ?? "");
    if (fence === null) continue;
    const [, ticks = "", language = "", more = ""] = fence;
    const start = i + 1;
    for (i = start; i < lines.length && lines[i]?.trim() !== ticks; i++);
    if (!/^(ts|js|typescript|javascript)\b/.test(language)) continue;
    if ((language !== "ts" && language !== "js") || more.trim() !== "") {
      throw new Error(
        `${page}:${start}: expected a fence of \`ts\` or \`js\` and nothing more, got \`${language}${more}\``,
      );
    }
    const code = lines.slice(start, i).join("\n");
    found.push({ page, line: start + 1, language, code, file: /^\/\/ file: (\S+)/.exec(code)?.[1] });
  }
  return found;
}

/** Gives each block the files shown since the last block that `runs`. Files without such a block come by themselves. */
export function listingsOf(blocks: readonly Block[], runs: (block: Block) => boolean): readonly Listing[] {
  const found: Listing[] = [];
  let beside: Block[] = [];
  for (const block of blocks) {
    found.push({ block, beside });
    if (block.file !== undefined) beside = [...beside, block];
    else if (runs(block)) beside = [];
  }
  return found;
}

const COMMON: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  moduleDetection: ts.ModuleDetectionKind.Force,
  rewriteRelativeImportExtensions: true,
};

const CHECKED: ts.CompilerOptions = {
  ...COMMON,
  lib: ["lib.es2024.d.ts", "lib.dom.d.ts", "lib.esnext.disposable.d.ts"],
  types: ["node"],
  strict: true,
  skipLibCheck: true,
  noEmit: true,
  allowJs: true,
};

/** Where a listing's block pretends to be: inside the package, so that `powerhose` means this one. */
function placeOf(index: number, block: Block): string {
  return join(root, "coverage", `listing-${index}`, block.file ?? `main.${block.language}`);
}

/** What the compiler has read of the libraries and of this package: the same for all programs, as their options are alike. */
const parsed = new Map<string, ts.SourceFile | undefined>();

function check(files: ReadonlyMap<string, Block>, options: ts.CompilerOptions): readonly string[] {
  const host = ts.createCompilerHost(options, true);
  const parse = host.getSourceFile.bind(host);
  host.getSourceFile = (name, ...more) => {
    if (files.has(name)) return parse(name, ...more);
    if (!parsed.has(name)) parsed.set(name, parse(name, ...more));
    return parsed.get(name);
  };
  const real = ts.createCompilerHost(options, true);
  host.readFile = (name) => files.get(name)?.code ?? real.readFile(name);
  host.fileExists = (name) => files.has(name) || real.fileExists(name);
  host.directoryExists = (name) => name.startsWith(join(root, "coverage")) || (real.directoryExists?.(name) ?? true);
  host.getCurrentDirectory = () => root;
  const program = ts.createProgram([...files.keys()], options, host);
  return ts.getPreEmitDiagnostics(program).map((diagnostic) => {
    const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n");
    const block = files.get(diagnostic.file?.fileName ?? "");
    if (block === undefined || diagnostic.file === undefined) return message;
    const { line } = diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start ?? 0);
    return `${block.page}:${block.line + line}: ${message}`;
  });
}

/** Type-checks listings that share nothing; returns what is wrong, by page and line. */
export function checkListings(listings: readonly Listing[]): readonly string[] {
  const typed = new Map<string, Block>();
  const plain = new Map<string, Block>();
  for (const [index, { block, beside }] of listings.entries()) {
    const all = [...beside, block];
    const files = all.some((one) => one.language === "ts") ? typed : plain;
    for (const one of all) files.set(placeOf(index, one), one);
  }
  const found = [
    ...check(typed, { ...CHECKED, checkJs: false }),
    // Plain JavaScript cannot say what its parameters are.
    ...check(plain, { ...CHECKED, checkJs: true, noImplicitAny: false }),
  ];
  return [...new Set(found)];
}

/** What the block says it prints: the comment behind each `console.log(…);` of one line. */
export function expectedOutput(code: string): { readonly lines: readonly string[]; readonly isAll: boolean } {
  const lines: string[] = [];
  for (const line of code.split("\n")) {
    const comment = /console\.log\(.*\);\s*\/\/ (.*)$/.exec(line)?.[1];
    if (comment !== undefined) lines.push(comment.trim());
  }
  return { lines, isAll: lines.length === code.split("console.log(").length - 1 };
}

/** The first promised line that was not printed in its turn, or `undefined`. Other lines may stand between. */
export function missingLine(promised: readonly string[], printed: readonly string[]): string | undefined {
  let at = 0;
  for (const line of promised) {
    at = printed.indexOf(line, at) + 1;
    if (at === 0) return line;
  }
  return undefined;
}

function emit(block: Block): string {
  return block.language === "js" ? block.code : ts.transpile(block.code, { ...COMMON, module: ts.ModuleKind.ESNext });
}

/** Runs a listing in a process of its own, in a folder of its own inside the package; killed after `limit` ms. */
export async function runListing({ block, beside }: Listing, limit: number): Promise<Run> {
  mkdirSync(join(root, "coverage"), { recursive: true });
  const folder = mkdtempSync(join(root, "coverage", "listing-"));
  try {
    for (const one of beside) writeFileSync(join(folder, (one.file ?? "").replace(/\.ts$/, ".js")), emit(one));
    writeFileSync(join(folder, "main.js"), emit(block));
    return await runNode(["main.js"], folder, limit);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs Node with closed input until it ends or is killed after `limit` ms. */
export function runNode(args: readonly string[], cwd: string, limit: number): Promise<Run> {
  return runCommand(process.execPath, args, cwd, limit);
}

/** Runs a command in a folder, for `limit` ms at most. */
export function runCommand(command: string, args: readonly string[], cwd: string, limit: number): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"], timeout: limit });
    const texts = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => void (texts.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => void (texts.stderr += text));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, ...texts }));
  });
}
