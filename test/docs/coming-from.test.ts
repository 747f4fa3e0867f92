/** The programs of other libraries in docs/coming-from.md, which are not installed here: they have to parse. */
import { readFileSync } from "node:fs";
import ts from "typescript";
import { expect, test } from "vitest";

const page = readFileSync(new URL("../../docs/coming-from.md", import.meta.url), "utf8");
const programs = Array.from(page.matchAll(/^```mjs\n(.*?)^```$/gms), ([, code = ""]) => code);

test("there are programs of each library", () => {
  expect(["piscina", "comlink", "workerpool"].filter((name) => !programs.some((code) => code.includes(name)))).toEqual(
    [],
  );
});

test.each(programs.map((code) => [code.split("\n", 1)[0], code] as const))("%s parses", (_first, code) => {
  const { diagnostics } = ts.transpileModule(code, {
    fileName: "program.mjs",
    reportDiagnostics: true,
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ESNext },
  });
  expect(diagnostics?.map(({ messageText }) => messageText)).toEqual([]);
});
