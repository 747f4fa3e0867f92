/** No transport without a harness: the case-suites run over a list, and this is what keeps the list whole. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { fleets } from "./fleets.ts";
import { transports } from "./harnesses.ts";

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

/** Subpaths that carry no frames of their own: the front door, what is for tests, and what puts the others together. */
const noTransports = ["index", "testing", "browser"];

/** The transports among the package's subpaths, by the name of their file or folder. */
function published(): string[] {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    exports: Record<string, string | { default: string }>;
  };
  return Object.values(manifest.exports).flatMap((target) => {
    const file = typeof target === "string" ? target : target.default;
    const name = /^\.\/dist\/(?:transports\/)?([\w-]+)(?:\/index)?\.js$/.exec(file)?.[1];
    return name === undefined || noTransports.includes(name) ? [] : [name];
  });
}

/** Threads are a listener alone: nobody dials them, so the conformance cases of sockets have nothing to hold on to. */
const withoutDialer = ["threads"];

test("every transport in src/transports has a harness", () => {
  const used = parts();
  const heads = files.filter((file) => !used.has(file)).map((file) => file.replace(/\.ts$/, ""));
  expect(heads.length).toBeGreaterThan(0);
  expect(named).toEqual(expect.arrayContaining(heads));
});

test("every transport the package publishes has a harness for the conformance cases of sockets", () => {
  expect(published()).toEqual(expect.arrayContaining(withoutDialer));
  expect([...named, ...withoutDialer]).toEqual(expect.arrayContaining(published()));
});

test("every transport the package publishes has a fleet for the runner's conformance cases", () => {
  expect(fleets.map(({ name }) => name)).toEqual(expect.arrayContaining(published()));
});

test("no two harnesses share a name", () => {
  expect(new Set(named).size).toBe(named.length);
});
