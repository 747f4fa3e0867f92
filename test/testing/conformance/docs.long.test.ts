/** The page's own transport against the cases, run as the page says: by `node --test`'s functions, with the built package. */
import { expect, test } from "vitest";
import { inProcessFleet } from "../../../src/testing/conformance/in-process-fleet.ts";
import { runnerConformance } from "../../../src/testing/conformance/runner-conformance.ts";
import { socketConformance } from "../../../src/testing/conformance/socket-conformance.ts";
import { blocksOf, listingsOf, runListing } from "../../support/fenced-code.ts";
import { read } from "../../support/package-files.ts";
import { harnessWith } from "./broken-harness.ts";

const PAGE = "docs/adding-a-transport.md";
const LIMIT = 100_000;

test("the transport in the page keeps all conformance cases, and the page says how to see it", async () => {
  const listings = listingsOf(blocksOf(PAGE, read(PAGE)), () => false);
  const listing = listings.find(({ block }) => block.code.includes("socketConformance(harness)"));
  if (listing === undefined) throw new Error("the page does not run the conformance cases");
  const { code, stdout, stderr } = await runListing(listing, LIMIT);
  expect(stdout + stderr).not.toMatch(/^\s*not ok/m);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const cases = socketConformance(harnessWith()).length + runnerConformance(inProcessFleet(harnessWith())).length;
  expect(stdout).toMatch(new RegExp(`^[#ℹ] pass ${cases}$`, "m"));
});
