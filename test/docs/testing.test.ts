/** docs/testing.md says what is so: its programs print what it shows, its tables name what there is. That its code runs at all is for readme.long.test.ts. */
import { describe, expect, test } from "vitest";
import { PROOFS } from "../../src/testing/invariants/checkers.ts";
import { simulate, INJECTED_FAULTS } from "../../src/testing/index.ts";
import { type Block, blocksOf, listingsOf, runListing } from "../support/fenced-code.ts";
import { read } from "../support/package-files.ts";

const PAGE = "docs/testing.md";
/** Where a listing runs: a folder of its own, each time another one. */
const FOLDER = /file:\/\/.*\/listing-[^/]+\//;
const RUN_LIMIT = 100_000;
const page: string = read(PAGE);
const lines: readonly string[] = page.split("\n");

/** What the page shows right below a block as what it prints; `undefined` when the block is followed by something else. */
function shownBelow({ line, code }: Block): string | undefined {
  const end = line + code.split("\n").length; // the line after the closing fence, counted from 0
  if (lines[end + 1] !== "```text") return undefined;
  return lines.slice(end + 2, lines.indexOf("```", end + 2)).join("\n");
}

/** The first column of the table below a heading. */
function firstColumn(heading: string): readonly string[] {
  const section = page.split(`# ${heading}\n`)[1]?.split("\n#")[0] ?? "";
  const rows = section.matchAll(/^\| +(.*?) +\|.*\| *$/gm);
  return Array.from(rows, ([, cell = ""]) => cell).slice(2);
}

const listings = listingsOf(blocksOf(PAGE, page), () => false).filter(({ block }) => shownBelow(block) !== undefined);

describe("docs/testing.md", () => {
  test("shows two failures", () => {
    expect(listings).toHaveLength(2);
  });

  test.each(listings)("line $block.line prints what stands below it", async (listing) => {
    const { code, stdout } = await runListing(listing, RUN_LIMIT);
    const printed = stdout.split("\n").map((line) => line.trimEnd().replace(FOLDER, "file:///…/"));
    expect({ code, printed: printed.join("\n").trimEnd() }).toEqual({ code: 0, printed: shownBelow(listing.block) });
  });

  test("names every promise, and by whom it is seen", () => {
    const named = Array.from(
      page.matchAll(/^\| `([a-z]+(?:-[a-z]+)*)` +\| .*\| ([^|]+?) +\|$/gm),
      ([, name = "", seenBy = ""]) => ({
        name,
        seenBy,
      }),
    );
    // Other tables of the page begin with names, too.
    const rows = named.filter(({ name }) => Object.hasOwn(PROOFS, name));
    expect(rows.map(({ name }) => name)).toEqual(Object.keys(PROOFS));
    const unseen = new Set(["your scenario", "seeds played twice", "Powerhose's linter"]);
    for (const { name, seenBy } of rows)
      expect({ name, checked: !unseen.has(seenBy) }).toEqual({
        name,
        checked: (PROOFS[name]?.checkers.length ?? 0) > 0,
      });
  });

  test("names every fault that comes by chance", () => {
    const named = firstColumn("Faults by chance").flatMap((cell) => cell.split(", "));
    expect(named).toEqual(INJECTED_FAULTS.map((fault) => `\`${fault}\``));
  });

  test("speaks of nothing in a world that is not there", async () => {
    const named = new Set(Array.from(page.matchAll(/\bsim\.(\w+)/g), ([, name = ""]) => name));
    expect(named.size).toBeGreaterThan(15);
    await simulate({ seeds: 1 }, (sim) => {
      expect([...named].filter((name) => !(name in sim))).toEqual([]);
    });
  });
});
