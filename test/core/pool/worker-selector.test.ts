import { describe, expect, it } from "vitest";
import { WorkerSelector, selectorFor, describeLabels, withoutOffer } from "../../../src/core/pool/worker-selector.ts";

const owned = (principal: string, ...labels: string[]): { labels: string[]; peer: { principal: string } } => ({
  labels,
  peer: { principal },
});

describe("a demand", () => {
  it("fits whoever has all of its labels, whatever else", () => {
    const demand = new WorkerSelector(["gpu", "cuda"]);
    expect(
      [["gpu"], ["cuda", "gpu"], ["x", "cuda", "y", "gpu"], []].map((labels) => demand.matches({ labels })),
    ).toEqual([false, true, true, false]);
    expect(demand.matches({}), "a worker that came with nothing").toBe(false);
  });

  it("does not take a part of a label, or another case of it, for the label", () => {
    const demand = new WorkerSelector(["gpu"]);
    for (const label of ["gp", "gpux", "GPU", "__proto__"]) expect(demand.matches({ labels: [label] })).toBe(false);
  });

  it("fits nobody of a principal it excepts", () => {
    const demand = new WorkerSelector(["gpu"], new Set(["ann", "bob"]));
    expect(["ann", "bob", "eve"].map((principal) => demand.matches(owned(principal, "gpu")))).toEqual([
      false,
      false,
      true,
    ]);
    expect(demand.matches(owned("eve"))).toBe(false);
  });

  it("fits no worker whose offer it was not fit for, until that has changed", () => {
    const selector = withoutOffer(withoutOffer(new WorkerSelector(["gpu"]), { offerId: "s1.0" }), { offerId: "s2.0" });
    const offers = ["s1.0", "s1.1", "s2.0", undefined];
    expect(offers.map((offerId) => selector.matches({ labels: ["gpu"], offerId }))).toEqual([false, true, false, true]);
    expect(withoutOffer(undefined, { offerId: "s1.0" }).matches({ offerId: "s1.0" })).toBe(false);
    expect(withoutOffer(undefined, {}).matches({})).toBe(true);
  });

  it("tells what was asked for before offers were excluded", () => {
    const selector = new WorkerSelector(["gpu"], new Set(["ann"]));
    expect(selector.asked).toBe(selector);
    expect(withoutOffer(selector, { offerId: "s1.0" }).asked?.key).toBe(selector.key);
    expect(withoutOffer(undefined, { offerId: "s1.0" }).asked).toBeUndefined();
  });

  it("has the key of its equals, and of nobody else", () => {
    expect(new WorkerSelector(["b", "a", "b"]).key).toBe(new WorkerSelector(["a", "b"]).key);
    expect(new WorkerSelector([], new Set(["x", "y"])).key).toBe(new WorkerSelector([], new Set(["y", "x"])).key);
    const different = [
      new WorkerSelector(["a"]),
      new WorkerSelector(["a", "b"]),
      new WorkerSelector(["b"]),
      new WorkerSelector(["a"], new Set(["b"])),
      new WorkerSelector([], new Set(["a"])),
      new WorkerSelector([], new Set(["a", "b"])),
      new WorkerSelector([], new Set(["a,b"])),
      new WorkerSelector([], new Set(['a","b'])),
      new WorkerSelector(["a"], new Set(), new Set(["b"])),
      new WorkerSelector([], new Set(), new Set(["a"])),
      new WorkerSelector([], new Set(["a"]), new Set(["a"])),
    ];
    expect(new Set(different.map(({ key }) => key)).size).toBe(different.length);
  });

  it("is none when nothing is asked for", () => {
    expect(selectorFor([])).toBeUndefined();
    expect(selectorFor(["a"])?.labels).toEqual(["a"]);
  });

  it("is said in words", () => {
    expect([[], ["gpu"], ["cuda", "gpu"]].map(describeLabels)).toEqual([
      "",
      " with the label gpu",
      " with the labels cuda, gpu",
    ]);
  });
});
