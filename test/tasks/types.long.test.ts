/** What the types of tasks cost the compiler: in instantiations, which are the same on every machine. */
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";

const FILE = fileURLToPath(new URL("many-tasks.ts", import.meta.url));
const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  lib: ["lib.es2024.d.ts", "lib.dom.d.ts", "lib.esnext.disposable.d.ts"],
  allowImportingTsExtensions: true,
  types: ["node"],
  strict: true,
  skipLibCheck: true,
  noEmit: true,
};

/** A module of so many tasks of nested inputs, and calls of all of them. */
function moduleOf(count: number): string {
  const numbers = Array.from({ length: count }, (_, n) => n);
  const input = (n: number): string =>
    `{ id${n}: number; list: { at: Date; rows: Map<string, { deep: bigint[] }> }[] }`;
  return [
    'import { client, tasks } from "../../src/tasks/index.ts";',
    `const made = tasks({ ${numbers.map((n) => `t${n}: (input: ${input(n)}) => input.list`).join(",\n")} });`,
    'const api = client<typeof made>({ execute: async () => "" });',
    ...numbers.map((n) => `void api.t${n}({ id${n}: 1, list: [] }).then((list) => list[0]?.at.getTime());`),
  ].join("\n");
}

function check(text: string, options: ts.CompilerOptions = OPTIONS): { faults: string[]; instantiations: number } {
  const host = ts.createCompilerHost(options, true);
  const read = host.readFile.bind(host);
  host.readFile = (name) => (name === FILE ? text : read(name));
  const exists = host.fileExists.bind(host);
  host.fileExists = (name) => name === FILE || exists(name);
  const program = ts.createProgram([FILE], options, host);
  const found = ts.getPreEmitDiagnostics(program, program.getSourceFile(FILE));
  const faults = found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
  return { faults, instantiations: program.getInstantiationCount() };
}

test("three hundred tasks cost a few hundred instantiations each, and no type is too deep", () => {
  const [few, many] = [check(moduleOf(10)), check(moduleOf(300))];
  expect([few.faults, many.faults]).toEqual([[], []]);
  expect((many.instantiations - few.instantiations) / 290).toBeLessThan(600);
});

test("with `isolatedDeclarations` a default export takes an annotation, which is enough", () => {
  const options = { ...OPTIONS, isolatedDeclarations: true, declaration: true };
  const head = 'import { type Tasks, tasks } from "../../src/tasks/index.ts";\n';
  expect(check(`${head}export default tasks({ ping: () => "pong" as const });`, options).faults).not.toEqual([]);
  const annotated = `${head}interface Ping { readonly ping: () => "pong" }
const images: Tasks<Ping> = tasks({ ping: () => "pong" as const });
export default images;`;
  expect(check(annotated, options).faults).toEqual([]);
});
