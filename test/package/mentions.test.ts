/** A file name in a comment or a document is the name of a file: nothing else would tell a reader of a move. */
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { filesBelow, read } from "../support/package-files.ts";
import { mentionsIn, misnamed } from "../support/mentions.ts";

const CODE = ["src", "test", "bench", "examples"].flatMap((folder) =>
  [".ts", ".js"].flatMap((ending) => filesBelow(folder, ending)),
);
const PAGES = [...filesBelow("docs", ".md"), "README.md", "CHANGELOG.md"].filter(
  (path) => !path.startsWith("docs/api/") && path !== "docs/reliability.md",
);
const ALL = [
  ...CODE,
  ...PAGES,
  ...["src", "test", "bench", "examples", "docs"].flatMap((folder) =>
    [".json", ".html", ".css", ".md", ".txt", ".svg"].flatMap((ending) => filesBelow(folder, ending)),
  ),
  "package.json",
  "typedoc.json",
  "tsconfig.json",
  "tsconfig.core.json",
  "tsconfig.build.json",
  "vitest.config.ts",
];
const NAMES: ReadonlySet<string> = new Set(ALL.map((path) => basename(path)));
const PATHS: ReadonlySet<string> = new Set(ALL);

describe("names of files", () => {
  test("in comments of src, test, bench and examples exist", () => {
    const own = CODE.filter(
      (path) => !/\/(peers|golden|fixtures)\//.test(path) && path !== "test/package/mentions.test.ts",
    );
    expect(own.flatMap((path) => misnamed(path, mentionsIn(path, read(path)), NAMES, PATHS))).toEqual([]);
  });

  test("in documents exist", () => {
    expect(PAGES.flatMap((path) => misnamed(path, mentionsIn(path, read(path)), NAMES, PATHS))).toEqual([]);
  });
});

describe("the guard itself", () => {
  const names = new Set(["job.ts"]);
  const paths = new Set(["src/core/job/job.ts"]);
  const find = (path: string, text: string): readonly string[] => misnamed(path, mentionsIn(path, text), names, paths);

  test.each([
    ["a.ts", "/** See gone.ts. */", ["a.ts: gone.ts"]],
    ["a.ts", "/** See job.ts. */ const a = 'gone.ts';", []],
    ["a.ts", "// src/core/job.ts moved", ["a.ts: src/core/job.ts"]],
    ["a.ts", "// src/core/job/job.ts stayed", []],
    ["a.md", "See `gone.ts` and [job](src/core/job/job.ts).", ["a.md: gone.ts"]],
    ["a.md", "```js\nimport './gone.js';\n```", []],
  ])("%s: %s", (path, text, found) => {
    expect(find(path, text)).toEqual(found);
  });
});
