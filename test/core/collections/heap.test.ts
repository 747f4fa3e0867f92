import assert from "node:assert/strict";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type HeapEntry, IndexedHeap } from "../../../src/core/collections/heap.ts";

class Entry implements HeapEntry {
  place = -1;
  key: number;
  /** Order among equal keys. */
  readonly n: number;

  constructor(key: number, n: number) {
    this.key = key;
    this.n = n;
  }
}

function isBefore(one: Entry, other: Entry): boolean {
  return one.key < other.key || (one.key === other.key && one.n < other.n);
}

const ENTRIES = 24;

/** Adds an entry or removes it, wherever it is; or changes its key. */
const step = fc.record({
  op: fc.constantFrom("add", "add", "remove", "change", "remove first"),
  n: fc.nat(ENTRIES - 1),
  key: fc.nat(20),
});

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** A heap beside an array that is sorted anew for each question. */
class Beside {
  readonly heap = new IndexedHeap<Entry>(isBefore);
  readonly all = Array.from({ length: ENTRIES }, (_, n) => new Entry(0, n));
  model: Entry[] = [];

  do({ op, n, key }: Step): void {
    const entry = op === "remove first" ? this.model[0] : this.all[n];
    if (entry === undefined) return;
    const isIn = this.model.includes(entry);
    this.model = this.model.filter((other) => other !== entry);
    if (op === "add") {
      if (isIn) this.heap.remove(entry);
      entry.key = key;
      this.heap.push(entry);
      this.model.push(entry);
    } else if (op === "change") {
      if (!isIn) return;
      entry.key = key;
      this.heap.update(entry);
      this.model.push(entry);
    } else assert.equal(this.heap.remove(entry), isIn);
    this.model.sort((one, other) => (isBefore(one, other) ? -1 : 1));
  }

  check(): void {
    assert.equal(this.heap.size, this.model.length);
    assert.equal(this.heap.first, this.model[0]);
    const walked: Entry[] = [];
    this.heap.walk((entry) => walked.push(entry) > 0);
    assert.deepEqual(
      walked.toSorted((one, other) => (isBefore(one, other) ? -1 : 1)),
      this.model,
    );
    for (const entry of this.all) assert.equal(entry.place >= 0, this.model.includes(entry));
  }
}

describe("an indexed heap", () => {
  it("is a sorted array, whatever is added, removed and moved", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: "max" }), (steps) => {
        const beside = new Beside();
        for (const each of steps) {
          beside.do(each);
          beside.check();
        }
        const out: Entry[] = [];
        for (let first = beside.heap.first; first !== undefined; first = beside.heap.first) {
          out.push(first);
          beside.heap.remove(first);
        }
        assert.deepEqual(out, beside.model);
      }),
      { numRuns: 300 },
    );
  });

  it("does not remove an entry of another heap, nor one of none", () => {
    const [one, other] = [new IndexedHeap<Entry>(isBefore), new IndexedHeap<Entry>(isBefore)];
    const [a, b] = [new Entry(1, 1), new Entry(2, 2)];
    one.push(a);
    other.push(b);
    expect([one.remove(b), other.remove(a), one.remove(new Entry(1, 3))]).toEqual([false, false, false]);
    expect([one.first, other.first]).toEqual([a, b]);
  });

  it("is walked from each entry only as far as is asked", () => {
    const heap = new IndexedHeap<Entry>(isBefore);
    for (let n = 0; n < 100; n++) heap.push(new Entry(99 - n, n));
    const seen: number[] = [];
    heap.walk(({ key }) => {
      seen.push(key);
      return key < 10;
    });
    expect(seen.filter((key) => key < 10).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 10 }, (_, n) => n));
    expect(seen.length).toBeLessThanOrEqual(21);
  });
});
