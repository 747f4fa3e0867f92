/** No transport without a harness: the case-suites run over a list, and this is what keeps the list whole. */
import { expect, test } from "vitest";
import { filesBelow, read } from "../support/package-files.ts";
import { fleets } from "./fleets.ts";
import { transports } from "./harnesses.ts";

/** A transport is a file of the folder, or a folder below it with an `index.ts`: its name is the path, with hyphens. */
const heads = filesBelow("src/transports", ".ts")
  .map((path) => /^src\/transports\/(?:([\w-]+)\.ts|(.*)\/index\.ts)$/.exec(path))
  .flatMap((match) => match?.[1] ?? match?.[2]?.replaceAll("/", "-") ?? []);
const named: readonly string[] = transports.map(({ name }) => name);

/** Subpaths that carry no frames of their own: the front door, tasks, what is for tests, and what puts the others together. */
const noTransports = ["index", "tasks", "testing", "browser", "web-workers-serve"];

/** The transports among the package's subpaths, by the name of their file or folder. */
function published(): string[] {
  const manifest = JSON.parse(read("package.json")) as { exports: Record<string, string | { default: string }> };
  return Object.values(manifest.exports).flatMap((target) => {
    // A script for bundlers, or the manifest.
    if (typeof target === "string") return [];
    const file = target.default;
    const name = /^\.\/dist\/(?:transports\/)?([\w/-]+?)(?:\/index)?\.js$/.exec(file)?.[1]?.replaceAll("/", "-");
    return name === undefined || noTransports.includes(name) ? [] : [name];
  });
}

/** Threads are a listener without a dialer: the conformance cases of sockets need one. */
const withoutDialer = ["threads", "web-workers"];
/** Their fleet is in page.long.test.ts: it needs a browser. */
const inPages = ["web-workers"];

test("every transport in src/transports has a harness", () => {
  expect(heads).toEqual(expect.arrayContaining(["memory", "websocket", "websocket-node"]));
  expect(named).toEqual(expect.arrayContaining(heads));
});

test("every transport the package publishes has a harness for the conformance cases of sockets", () => {
  expect(published()).toEqual(expect.arrayContaining(withoutDialer));
  expect([...named, ...withoutDialer]).toEqual(expect.arrayContaining(published()));
});

test("every transport the package publishes has a fleet for the runner's conformance cases", () => {
  const names = [...fleets.map(({ name }) => name), ...inPages];
  expect(names).toEqual(expect.arrayContaining(published()));
});

test("no two harnesses share a name", () => {
  expect(new Set(named).size).toBe(named.length);
});
