/** What `npm test` runs: fast tests alone, and yet every module of src and every transport. */
import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, expect, test } from "vitest";
import { doors, filesBelow, manifest, read, root } from "../support/package-files.ts";

const tests: readonly string[] = filesBelow("test", ".test.ts");
const fast: readonly string[] = tests.filter((path) => !path.endsWith(".long.test.ts"));

/** The sources behind the names of the package, and behind what is built of them. */
function sourceOf(name: string): string | undefined {
  const built = /(?:^|\/)dist\/(.*)\.js$/.exec(name)?.[1];
  if (built !== undefined) return `src/${built}.ts`;
  return doors().find(({ specifier }) => specifier === name)?.source;
}

/** The file that a text names, as a test or a module may name it: by import, by path, or as the module that is built of it. */
function resolve(from: string, name: string): string | undefined {
  const source = sourceOf(name) ?? posix.join(posix.dirname(from), name);
  const candidates = [source, source.replace(/\.js$/, ".ts")];
  return candidates.find((path) => /\.[jt]s$/.test(path) && existsSync(join(root, path)));
}

/** Without comments, which name files that are not loaded. */
function textsIn(path: string): readonly string[] {
  const code = read(path).replace(/^\s*(?:\/\*\*?|\*|\/\/).*$/gm, "");
  return Array.from(code.matchAll(/["'`]([^"'`\n]+)["'`]/g), ([, text = ""]) => text);
}

/** All files that some of these load, or start in a process or thread of its own. */
function loadedBy(starts: readonly string[]): ReadonlySet<string> {
  const found = new Set(starts);
  for (const path of found) {
    for (const text of textsIn(path)) {
      const next = resolve(path, text);
      if (next !== undefined) found.add(next);
    }
  }
  return found;
}

/** The scripts that `npm test` runs before the tests: the dashboard needs a document, so here it is bundled and no more. */
const bundled = Array.from(manifest().scripts["build"]?.matchAll(/src\/\S+\.js/g) ?? [], ([path]) => path);

describe("the fast run", () => {
  const loaded = loadedBy([...fast, ...bundled]);

  test("leaves out what is called long, and that there is", () => {
    expect(manifest().scripts).toMatchObject({
      test: "vitest run --project=!long",
      "test:long": "vitest run --project=long",
      "test:all": "vitest run",
    });
    expect(tests.length - fast.length).toBeGreaterThan(10);
  });

  test("loads every module of src", () => {
    expect(filesBelow("src", ".ts").filter((path) => !loaded.has(path))).toEqual([]);
  });

  test("holds every transport against its conformance suite", () => {
    // That no transport is missing among the harnesses is for list.test.ts.
    expect(fast).toEqual(
      expect.arrayContaining(["list", "sockets", "runners"].map((name) => `test/conformance/${name}.test.ts`)),
    );
    for (const name of ["sockets", "runners"])
      expect(loadedBy([`test/conformance/${name}.test.ts`])).toContain("test/conformance/harnesses.ts");
  });
});
