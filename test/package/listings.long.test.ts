/** The code that pages other than README.md run; see listings.ts. */
import { expect, test } from "vitest";
import { allListings, faultsOfRunning, isRun, nameOf } from "./listings.ts";

const run = allListings().filter(({ block }) => block.page !== "README.md" && isRun(block));

test.each(run.map((listing) => [nameOf(listing), listing] as const))(
  "%s runs and prints what it promises",
  async (_name, listing) => {
    expect(await faultsOfRunning(listing)).toEqual([]);
  },
);
