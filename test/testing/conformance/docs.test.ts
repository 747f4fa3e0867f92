/** The page's own transport against the laws, run as the page says: by `node --test`'s functions, with the built package. */
import { expect, test } from "vitest";
import { inProcessFleet } from "../../../src/testing/conformance/in-process-fleet.ts";
import { runnerLaws } from "../../../src/testing/conformance/runner-conformance.ts";
import { socketLaws } from "../../../src/testing/conformance/socket-conformance.ts";
import { blocksOf, listingsOf, runListing } from "../../support/fenced-code.ts";
import { read } from "../../support/package-files.ts";
import { rigWith } from "./broken-harness.ts";

const PAGE = "docs/adding-a-transport.md";
const LIMIT = 40_000;

test(
  "the transport in the page keeps all laws, and the page says how to see it",
  { timeout: LIMIT + 5_000 },
  async () => {
    const listings = listingsOf(blocksOf(PAGE, read(PAGE)), () => false);
    const listing = listings.find(({ block }) => block.code.includes("socketLaws(rig)"));
    if (listing === undefined) throw new Error("the page does not run the laws");
    const { code, stdout, stderr } = await runListing(listing, LIMIT);
    expect(stdout + stderr).not.toMatch(/^\s*not ok/m);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const laws = socketLaws(rigWith()).length + runnerLaws(inProcessFleet(rigWith())).length;
    expect(stdout).toMatch(new RegExp(`^[#ℹ] pass ${laws}$`, "m"));
  },
);
