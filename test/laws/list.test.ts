/** No transport without a rig: the law-suites run over a list, and this is what keeps the list whole. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { transports } from "./rigs.ts";

const folder = new URL("../../src/transports/", import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith(".ts"));
const named: readonly string[] = transports.map(({ name }) => name);

/** The files of the folder that another one imports: parts of a transport, not transports. */
function parts(): Set<string> {
  const imported = files.flatMap((file) => {
    const text = readFileSync(new URL(file, folder), "utf8");
    return [...text.matchAll(/ from "\.\/([\w-]+\.ts)"/g)].map((match) => match[1] ?? "");
  });
  return new Set(imported);
}

/** The subpaths of the package that lead into the folder, by the name of their file. */
function published(): string[] {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    exports: Record<string, string | { default: string }>;
  };
  return Object.values(manifest.exports).flatMap((target) => {
    const file = typeof target === "string" ? target : target.default;
    const name = /^\.\/dist\/transports\/([\w-]+)\.js$/.exec(file)?.[1];
    return name === undefined ? [] : [name];
  });
}

test("every transport in src/transports has a rig", () => {
  const used = parts();
  const heads = files.filter((file) => !used.has(file)).map((file) => file.replace(/\.ts$/, ""));
  expect(heads.length).toBeGreaterThan(0);
  expect(named).toEqual(expect.arrayContaining(heads));
});

test("every transport the package publishes has a rig", () => {
  expect(published().length).toBeGreaterThan(0);
  expect(named).toEqual(expect.arrayContaining(published()));
});

test("no two rigs share a name", () => {
  expect(new Set(named).size).toBe(named.length);
});
