/** The declarations we publish, as a consumer's compiler sees them: nothing skipped, the strictest settings. */
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { root } from "../support/package-files.ts";
import { join } from "node:path";

const CONSUMER = join(root, "test/package/fixtures/consumer.ts");
const PAGE = join(root, "test/package/fixtures/page.ts");

function faults(consumer: string, options: ts.CompilerOptions): string[] {
  const program = ts.createProgram([consumer], {
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2024.d.ts", "lib.dom.d.ts", "lib.esnext.disposable.d.ts"],
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noImplicitReturns: true,
    skipLibCheck: false,
    noEmit: true,
    ...options,
  });
  const told = ts.getPreEmitDiagnostics(program).map((fault) => {
    const place = fault.file?.fileName.replace(root, "") ?? "";
    return `${place}: ${ts.flattenDiagnosticMessageText(fault.messageText, " ")}`;
  });
  // The client of NATS does not hold its own declarations to these settings.
  return told.filter((text) => !text.startsWith("/node_modules/@nats-io/"));
}

describe("a consumer's compiler", () => {
  test.each([
    ["nodenext", { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext }],
    ["bundler", { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler }],
  ])("has nothing to say (%s)", (_name, options) => {
    expect(faults(CONSUMER, options)).toEqual([]);
    expect(faults(PAGE, { ...options, types: [] })).toEqual([]);
  });
});
