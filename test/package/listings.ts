/**
 * The pages of the documents and what stands in them as code. Every `ts` and `js` block type-checks by itself against the
 * built package, and none is exempt. In README.md, a `ts` block that speaks of a `runner` or of `simulate`, and of no fixed
 * address (`ws://…`, `port: 7070`), is also run, and so is every block of docs/testing.md and docs/coming-from.md; it has
 * to end by itself without an error. What other libraries need stands there in blocks of `mjs`, which are only parsed.
 *
 * - A block that begins with `// file: square.js` is not run; it stands beside the next block that is.
 * - `console.log(x); // 144` on one line promises that `144` is printed, in that order. When every `console.log` of a
 *   block has its promise, nothing else may be printed, but for what `node:test` reports.
 */
import {
  blocksOf,
  expectedOutput,
  listingsOf,
  missingLine,
  runListing,
  type Block,
  type Listing,
} from "../support/fenced-code.ts";
import { filesBelow, read } from "../support/package-files.ts";

/** A guard against a block that never ends, in ms: a busy machine takes its time. */
const RUN_LIMIT = 100_000;

/** The pages of which all is run: each tells a story, so its files stay where they are until others of their name come. */
const STORIES: ReadonlySet<string> = new Set(["docs/testing.md", "docs/coming-from.md"]);

/** Whether a block is run. */
export function isRun(block: Block): boolean {
  if (STORIES.has(block.page)) return block.file === undefined;
  if (block.page !== "README.md" || block.language !== "ts" || block.file !== undefined) return false;
  return /\b(runner|simulate)\b/.test(block.code) && !/wss?:\/\/|\bport: [1-9]/.test(block.code);
}

/** All listings of all pages. */
export function allListings(): readonly Listing[] {
  const docs = filesBelow("docs", ".md").filter((path) => path.split("/").length === 2);
  const isLast = (block: Block): boolean => !STORIES.has(block.page) && isRun(block);
  return ["README.md", ...docs].flatMap((page) => listingsOf(blocksOf(page, read(page)), isLast));
}

/** What is wrong with a listing once it was run; empty when it kept its promises. */
export async function faultsOfRunning(listing: Listing): Promise<readonly string[]> {
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

/** The page and line of a listing. */
export function nameOf({ block }: Listing): string {
  return `${block.page}:${block.line}`;
}
