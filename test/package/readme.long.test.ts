/** The code in README.md and docs/*.md is code; see listings.ts. What README.md runs is run here, what docs/testing.md runs in listings.long.test.ts. */
import { describe, expect, test } from "vitest";
import { blocksOf, checkListings, expectedOutput, listingsOf, missingLine } from "../support/fenced-code.ts";
import { allListings, faultsOfRunning, isRun, nameOf } from "./listings.ts";

describe("the pages", () => {
  const listings = allListings();
  const run = listings.filter(({ block }) => block.page === "README.md" && isRun(block));

  test("README.md shows a runner at work", () => {
    expect(run).not.toEqual([]);
  });

  test("every block type-checks", () => {
    expect(checkListings(listings)).toEqual([]);
  });

  test.each(run.map((listing) => [nameOf(listing), listing] as const))(
    "%s runs and prints what it promises",
    async (_name, listing) => {
      expect(await faultsOfRunning(listing)).toEqual([]);
    },
  );
});

const page = `
Text, and a block that is not code of ours:

\`\`\`sh
runner
\`\`\`

\`\`\`js
// file: square.js
export const square = (n) => n * n;
\`\`\`

\`\`\`ts
import { square } from "./square.js";
console.log(square(12)); // 144
const runner: string = "runner";
console.log(runner); // runner
\`\`\`

\`\`\`ts
const runner: number = "not a number";
console.log(runner); // 5
\`\`\`

\`\`\`ts
const runner = 1;
console.log(runner); // 1
for (const other of [2, 3]) console.log(other);
console.log("end"); // end
process.exit(3);
\`\`\`

\`\`\`ts
import { square } from "./square.js";
console.log(square("ws://127.0.0.1:7070/ is not run, nor does it see the runner's file"));
\`\`\`

\`\`\`js
nothing.of(this);
\`\`\`
`;

describe("the machinery", () => {
  const listings = listingsOf(blocksOf("README.md", page), isRun);

  test("finds the blocks, their lines and what stands beside them", () => {
    expect(listings.map((one) => [one.block.line, one.beside.length, isRun(one.block)])).toEqual([
      [9, 0, false],
      [14, 1, true],
      [21, 0, true],
      [26, 0, true],
      [34, 0, false],
      [39, 0, false],
    ]);
  });

  test("reports what does not type-check, by page and line", () => {
    expect(checkListings(listings)).toEqual([
      "README.md:21: Type 'string' is not assignable to type 'number'.",
      expect.stringContaining("README.md:34: Cannot find module './square.js'"),
      "README.md:39: Cannot find name 'nothing'.",
    ]);
  });

  test("reports promises not kept and bad endings", async () => {
    const faults = await Promise.all(listings.filter((one) => isRun(one.block)).map(faultsOfRunning));
    expect(faults).toEqual([
      [],
      [expect.stringContaining("did not print 5, but: not a number")],
      [expect.stringContaining("ended with 3")],
    ]);
  });

  test("holds a block to its silence when it promises all it prints", () => {
    expect(expectedOutput(`console.log(1); // 1\nconsole.log(2);`)).toEqual({ lines: ["1"], isAll: false });
    expect(expectedOutput(`console.log(1); // 1\nwork();`)).toEqual({ lines: ["1"], isAll: true });
    expect(missingLine(["1", "3"], ["1", "2", "3"])).toBeUndefined();
    expect(missingLine(["3", "1"], ["1", "2", "3"])).toBe("1");
  });

  test("lets no block opt out", () => {
    expect(() => blocksOf("README.md", "```ts ignore\nconst a = 1;\n```")).toThrow("README.md:1: expected a fence");
    expect(() => blocksOf("README.md", "```typescript\nconst a = 1;\n```")).toThrow("README.md:1: expected a fence");
  });
});
