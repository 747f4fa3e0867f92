import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runNode } from "../support/fenced-code.ts";
import {
  doors,
  filesBelow,
  INSTALL_SCRIPTS,
  lockedPackages,
  manifest,
  read,
  root,
  type Door,
} from "../support/package-files.ts";

const LIMIT = 100_000;

/**
 * Imports the module named by its last argument as a user would, by name, and prints the names it exports. Fails when the
 * import touches the host: the built-in prototypes are frozen, and the globals are compared before and after.
 */
const IMPORTER = `
const specifier = process.argv.at(-1);
const intrinsics = [Object, Function, Array, String, Number, Boolean, Symbol, BigInt, Promise, Map, Set, WeakMap, WeakSet, WeakRef,
  Date, RegExp, Error, TypeError, RangeError, ArrayBuffer, DataView, Uint8Array, Object.getPrototypeOf(Uint8Array), EventTarget,
  Event, AbortSignal, AbortController, MessageChannel, MessagePort, TextEncoder, TextDecoder, URL, Reflect, Math, JSON, Atomics];
const objects = intrinsics.flatMap((one) => (one.prototype === undefined ? [one] : [one, one.prototype]));
const look = () => [globalThis, ...objects].map((object) => Object.getOwnPropertyDescriptors(object));
const keys = (shape) => JSON.stringify(shape.map((one) => Reflect.ownKeys(one).map(String)));
for (const object of objects) Object.freeze(object);
const before = look();
const listen = () => process.eventNames().map((name) => String(name) + process.listenerCount(name)).join();
const listeners = listen();
const exported = await import(specifier);
const after = look();
const changed = keys(before) !== keys(after) || before.some((shape, i) =>
  // A getter that has become a value is Node's: it loads some globals when they are first read.
  Reflect.ownKeys(shape).some((key) => shape[key].get === undefined && !Object.is(shape[key].value, after[i][key].value)));
if (changed) throw new Error("the import changed a global");
if (listen() !== listeners) throw new Error("the import listens to the process");
const held = process.getActiveResourcesInfo().filter((type) => type !== "PipeWrap" && type !== "CloseReq");
if (held.length > 0) throw new Error("the import holds " + held.join());
process.stdout.write(Object.keys(exported).join());
`;

function importByName(specifier: string): ReturnType<typeof runNode> {
  return runNode(["--input-type=module", "-e", IMPORTER, specifier], root, LIMIT);
}

describe("the doors", () => {
  const cases = doors().map((door) => [door.specifier, door] as const);

  test("are doors", () => {
    expect(cases).not.toEqual([]);
    const modules = Object.keys(manifest().exports).filter((subpath) => !others.includes(subpath));
    expect(modules).toEqual([".", ...doors().slice(1).map(subpathOf)]);
  });

  test.each(cases)("%s has a source, a module and declarations", (_specifier, door) => {
    for (const file of [door.source, door.module, door.types]) expect(existsSync(join(root, file)), file).toBe(true);
  });

  test.each(cases)("%s is imported by name, and the import does nothing else", async (specifier) => {
    const { code, stdout, stderr } = await importByName(specifier);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).not.toBe("");
    expect(stdout.split(",")).not.toContain("default");
  });

  test("the importer sees an import that does something", async () => {
    const effects: Readonly<Record<string, string>> = {
      "globalThis.planted = 1": "changed a global",
      "globalThis.setTimeout = () => {}": "changed a global",
      "Array.prototype.planted = 1": "object is not extensible",
      "process.on('exit', () => {})": "listens to the process",
      "setInterval(() => {}, 60_000)": "the import holds Timeout",
    };
    for (const [effect, complaint] of Object.entries(effects)) {
      const { code, stderr } = await importByName(`data:text/javascript,${encodeURIComponent(effect)}`);
      expect({ effect, code, stderr }).toEqual({
        effect,
        code: 1,
        stderr: expect.stringContaining(complaint) as string,
      });
    }
  });

  test("are the pages of the reference", () => {
    const { entryPoints } = JSON.parse(read("typedoc.json")) as { readonly entryPoints: readonly string[] };
    expect(entryPoints).toEqual(doors().map((door) => door.source));
  });
});

/** What can be named by a path of the package and is no module to import names from. */
const others: readonly string[] = [...scriptPaths(), "./package.json"];

/** What threads and Web Workers run, for programs that are bundled. */
function scriptPaths(): readonly string[] {
  return Object.entries(manifest().exports).flatMap(([subpath, target]) =>
    typeof target === "string" && target.endsWith(".js") ? [subpath] : [],
  );
}

describe("the scripts", () => {
  test.each(scriptPaths())("%s is kept by a bundler, though it exports nothing", (subpath) => {
    const target = manifest().exports[subpath] as string;
    expect(existsSync(join(root, target)), target).toBe(true);
    expect(manifest()["sideEffects"]).toContain(target);
    expect(read(target)).not.toMatch(/^export (?!\{\})/m);
  });

  test("all that acts when it is loaded is kept by a bundler", () => {
    for (const path of manifest()["sideEffects"] as readonly string[])
      expect(existsSync(join(root, path)), path).toBe(true);
    expect(manifest()["sideEffects"]).toEqual(expect.arrayContaining(Object.values(manifest().bin)));
    expect(scriptPaths()).toEqual(["./threads/entry", "./web-workers/entry", "./browser/socket-entry"]);
  });
});

function subpathOf({ specifier }: Door): string {
  return `.${specifier.slice(manifest().name.length)}`;
}

describe("the command", () => {
  test.each(Object.entries(manifest().bin))("%s has a source and starts Node", (_name, target) => {
    const source = target.replace("./dist/", "src/").replace(/\.js$/, ".ts");
    expect(existsSync(join(root, source)), source).toBe(true);
    expect(read(target)).toMatch(/^#!\/usr\/bin\/env node\n/);
  });
});

describe("the tarball", () => {
  test("every source is built, and nothing else is", () => {
    const bundled = "src/dashboard-client/"; // into one page
    const sources = filesBelow("src", ".ts").filter((path) => !path.startsWith(bundled));
    const built = sources.map((path) => path.replace(/^src/, "dist").replace(/\.ts$/, ".js"));
    expect(filesBelow("dist", ".js")).toEqual([...built, "dist/dashboard/tab.js"].sort());
  });

  test("holds the build and the papers alone", () => {
    const docs = ["docs/*.md", "docs/internals", "docs/pictures"];
    const papers = ["README.md", "CONTRIBUTING.md", "LICENSE", "CHANGELOG.md"];
    expect(manifest().files).toEqual(["dist", ...docs, ...papers]);
    for (const file of manifest().files) expect(existsSync(join(root, file.replace("/*.md", ""))), file).toBe(true);
  });

  test("the links of the README lead to files that are packed", () => {
    const links = Array.from(read("README.md").matchAll(/\]\(([^):]+?)(?:#[^)]*)?\)/g), ([, path = ""]) => path);
    expect(links.length).toBeGreaterThan(10);
    for (const link of links) {
      expect(existsSync(join(root, link)), link).toBe(true);
      const packed = manifest().files.includes(link) || /^docs\/[^/]+\.md$/.test(link);
      expect(packed, link).toBe(true);
    }
  });

  test("the changelog speaks of this version", () => {
    expect(read("CHANGELOG.md")).toContain(`## ${manifest().version} `);
  });

  test("runs nothing when it is installed", () => {
    const scripts = Object.keys(manifest().scripts).filter((name) => INSTALL_SCRIPTS.includes(name));
    expect(scripts).toEqual([]);
    const runtime = [...lockedPackages()].filter(([, one]) => one.dev !== true && one.hasInstallScript === true);
    expect(runtime).toEqual([]);
  });

  test("brings `ws` and nothing else", () => {
    expect(Object.keys(manifest().dependencies)).toEqual(["ws"]);
    for (const field of ["optionalDependencies", "bundleDependencies", "bundledDependencies"]) {
      expect(manifest()[field], field).toBeUndefined();
    }
    // Whoever uses NATS has made a connection with these, and nothing else asks for them.
    const peers = ["@nats-io/nats-core", "@nats-io/transport-node"];
    expect(Object.keys(manifest()["peerDependencies"] as object)).toEqual(peers);
    expect(manifest()["peerDependenciesMeta"]).toEqual(
      Object.fromEntries(peers.map((name) => [name, { optional: true }])),
    );
    const runtime = [...lockedPackages()].filter(([, one]) => one.dev !== true).map(([path]) => path);
    expect(runtime).toEqual(["node_modules/ws"]);
  });

  test("the lock names versions and sums, never an address", () => {
    expect(lockedPackages().size).toBeGreaterThan(1);
    expect([...lockedPackages()].filter(([, one]) => one.resolved !== undefined)).toEqual([]);
  });
});
