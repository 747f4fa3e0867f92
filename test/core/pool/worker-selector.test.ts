import { describe, expect, it } from "vitest";
import { Demand, demandFor, inWords } from "../../../src/core/pool/worker-selector.ts";

const owned = (principal: string, ...labels: string[]): { labels: string[]; peer: { principal: string } } => ({
  labels,
  peer: { principal },
});

describe("a demand", () => {
  it("fits whoever has all of its labels, whatever else", () => {
    const demand = new Demand(["gpu", "cuda"]);
    expect([["gpu"], ["cuda", "gpu"], ["x", "cuda", "y", "gpu"], []].map((labels) => demand.fits({ labels }))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(demand.fits({}), "a worker that came with nothing").toBe(false);
  });

  it("does not take a part of a label, or another case of it, for the label", () => {
    const demand = new Demand(["gpu"]);
    for (const label of ["gp", "gpux", "GPU", "__proto__"]) expect(demand.fits({ labels: [label] })).toBe(false);
  });

  it("fits nobody of a principal it excepts", () => {
    const demand = new Demand(["gpu"], new Set(["ann", "bob"]));
    expect(["ann", "bob", "eve"].map((principal) => demand.fits(owned(principal, "gpu")))).toEqual([
      false,
      false,
      true,
    ]);
    expect(demand.fits(owned("eve"))).toBe(false);
  });

  it("has the key of its equals, and of nobody else", () => {
    expect(new Demand(["b", "a", "b"]).key).toBe(new Demand(["a", "b"]).key);
    expect(new Demand([], new Set(["x", "y"])).key).toBe(new Demand([], new Set(["y", "x"])).key);
    const different = [
      new Demand(["a"]),
      new Demand(["a", "b"]),
      new Demand(["b"]),
      new Demand(["a"], new Set(["b"])),
      new Demand([], new Set(["a"])),
      new Demand([], new Set(["a", "b"])),
      new Demand([], new Set(["a,b"])),
      new Demand([], new Set(['a","b'])),
    ];
    expect(new Set(different.map(({ key }) => key)).size).toBe(different.length);
  });

  it("is none when nothing is asked for", () => {
    expect(demandFor([])).toBeUndefined();
    expect(demandFor(["a"])?.labels).toEqual(["a"]);
  });

  it("is said in words", () => {
    expect([[], ["gpu"], ["cuda", "gpu"]].map(inWords)).toEqual([
      "",
      " with the label gpu",
      " with the labels cuda, gpu",
    ]);
  });
});
