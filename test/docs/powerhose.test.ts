/** What docs/powerhose.md promises to print is printed: its examples of the text form of a job. */
import { describe, expect, test } from "vitest";
import { blocksOf, expectedOutput, runListing } from "../support/fenced-code.ts";
import { read } from "../support/package-files.ts";

const RUN_LIMIT = 100_000;
const blocks = blocksOf("docs/powerhose.md", read("docs/powerhose.md")).filter((block) =>
  block.code.includes("serialize()"),
);

describe("docs/powerhose.md", () => {
  test("shows the text form", () => {
    expect(blocks).toHaveLength(2);
  });

  test.each(blocks)("line $line prints what it says", async (block) => {
    const { code, stdout } = await runListing({ block, beside: [] }, RUN_LIMIT);
    expect({ code, printed: stdout.trimEnd().split("\n") }).toEqual({
      code: 0,
      printed: expectedOutput(block.code).lines,
    });
  });
});
