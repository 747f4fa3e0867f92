/**
 * The code in README.md and docs/*.md is code: every `ts` and `js` block type-checks by itself against the built package,
 * and none is exempt. In README.md, a `ts` block that speaks of a `runner` or of `simulate`, and of no fixed address
 * (`ws://…`, `port: 7070`), is also run, and so is every block of docs/testing.md; it has to end by itself within 20 s
 * without an error.
 *
 * - A block that begins with `// file: square.js` is not run; it stands beside the next block that is.
 * - `console.log(x); // 144` on one line promises that `144` is printed, in that order. When every `console.log` of a
 *   block has its promise, nothing else may be printed, but for what `node:test` reports.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  blocksOf,
  checkListings,
  expectedOutput,
  listingsOf,
  missingLine,
  runListing,
  type Block,
  type Listing,
} from "../support/fenced-code.ts";
import { read, root } from "../support/package-files.ts";

const RUN_LIMIT = 20_000;
const TEST_LIMIT = 60_000;

function isRun(block: Block): boolean {
  if (block.page === "docs/testing.md") return block.file === undefined;
  if (block.page !== "README.md" || block.language !== "ts" || block.file !== undefined) return false;
  return /\b(runner|simulate)\b/.test(block.code) && !/wss?:\/\/|\bport: [1-9]/.test(block.code);
}

/** What is wrong with a listing once it was run; empty when it kept its promises. */
async function faultsOfRunning(listing: Listing): Promise<readonly string[]> {
  const { code, stdout, stderr } = await runListing(listing, RUN_LIMIT);
  const { lines, isAll } = expectedOutput(listing.block.code);
  const isReported = listing.block.code.includes('from "node:test"');
  const printed = stdout.split("\n").slice(0, -1);
  const faults: string[] = [];
  if (code !== 0) faults.push(`ended with ${code ?? "a kill"}: ${stderr}`);
  const missing = missingLine(lines, printed);
  if (missing !== undefined) faults.push(`did not print ${missing}, but: ${stdout}`);
  else if (isAll && !isReported && printed.length > lines.length)
    faults.push(`printed more than it promises: ${stdout}`);
  return faults;
}

function nameOf({ block }: Listing): string {
  return `${block.page}:${block.line}`;
}

describe("the pages", () => {
  const docs = existsSync(join(root, "docs"))
    ? readdirSync(join(root, "docs")).filter((file) => file.endsWith(".md"))
    : [];
  const pages = ["README.md", ...docs.map((file) => `docs/${file}`)].filter((page) => existsSync(join(root, page)));
  // A page of which all is run tells one story: its files stay where they are.
  const isLast = (block: Block): boolean => block.page !== "docs/testing.md" && isRun(block);
  const listings = pages.flatMap((page) => listingsOf(blocksOf(page, read(page)), isLast));
  const run = listings.filter(({ block }) => isRun(block));

  test("README.md shows a runner at work", () => {
    expect(run).not.toEqual([]);
  });

  test("every block type-checks", { timeout: TEST_LIMIT }, () => {
    expect(checkListings(listings)).toEqual([]);
  });

  test.each(run.map((listing) => [nameOf(listing), listing] as const))(
    "%s runs and prints what it promises",
    { timeout: TEST_LIMIT },
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

  test("reports what does not type-check, by page and line", { timeout: TEST_LIMIT }, () => {
    expect(checkListings(listings)).toEqual([
      "README.md:21: Type 'string' is not assignable to type 'number'.",
      expect.stringContaining("README.md:34: Cannot find module './square.js'"),
      "README.md:39: Cannot find name 'nothing'.",
    ]);
  });

  test("reports promises not kept and bad endings", { timeout: TEST_LIMIT }, async () => {
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
