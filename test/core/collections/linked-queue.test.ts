import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LinkedQueue, type LinkedNode } from "../../../src/core/collections/linked-queue.ts";

class One implements LinkedNode<One> {
  list: object | undefined;
  previous: One | undefined;
  next: One | undefined;
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

function ones(...called: string[]): One[] {
  return called.map((name) => new One(name));
}

function names(line: LinkedQueue<One>): string[] {
  return [...line].map(({ name }) => name);
}

describe("a line", () => {
  it("keeps the order of arrival", () => {
    const line = new LinkedQueue<One>();
    expect([line.first, line.length, names(line)]).toEqual([undefined, 0, []]);
    for (const one of ones("a", "b", "c")) line.push(one);
    expect([line.first?.name, line.length, names(line)]).toEqual(["a", 3, ["a", "b", "c"]]);
  });

  it("lets one join at the head, the first of all too", () => {
    const line = new LinkedQueue<One>();
    const [a = new One(""), b = new One(""), c = new One("")] = ones("a", "b", "c");
    line.push(a, true);
    line.push(b, true);
    line.push(c);
    expect(names(line)).toEqual(["b", "a", "c"]);
  });

  it("says whether one has left it, and lets it come again", () => {
    const line = new LinkedQueue<One>();
    const other = new LinkedQueue<One>();
    const one = new One("a");
    line.push(one);
    expect([other.remove(one), line.remove(one), line.remove(one)]).toEqual([false, true, false]);
    expect(one).toMatchObject({ list: undefined, previous: undefined, next: undefined });
    other.push(one);
    expect([line.length, other.length]).toEqual([0, 1]);
  });

  it("refuses one that stands in a line", () => {
    const line = new LinkedQueue<One>();
    const one = new One("a");
    line.push(one);
    expect(() => line.push(one)).toThrow("already in a list");
    expect(() => new LinkedQueue<One>().push(one)).toThrow("already in a list");
    expect(names(line)).toEqual(["a"]);
  });

  it("can be read while the one just seen leaves", () => {
    const line = new LinkedQueue<One>();
    for (const one of ones("a", "b", "c", "d")) line.push(one);
    const seen: string[] = [];
    for (const one of line) {
      seen.push(one.name);
      if (one.name !== "c") line.remove(one);
    }
    expect([seen, names(line)]).toEqual([["a", "b", "c", "d"], ["c"]]);
  });

  it("refuses whoever stands in a line, also before somebody", () => {
    const line = new LinkedQueue<One>();
    const all = ones("a", "b", "c");
    for (const one of all) line.push(one);
    for (const one of all) expect(() => line.insertBefore(one, all[1])).toThrow("already in a list");
    expect(names(line)).toEqual(["a", "b", "c"]);
  });

  it("is an array, whoever comes and goes", () => {
    const step = fc.record({ n: fc.nat(7), atHead: fc.boolean(), before: fc.option(fc.nat(8)) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const line = new LinkedQueue<One>();
        const all = ones("a", "b", "c", "d", "e", "f", "g", "h");
        let model: One[] = [];
        for (const { n, atHead, before } of steps) {
          for (const one of all.slice(n, n + 1)) {
            if (line.remove(one)) model = model.filter((other) => other !== one);
            else if (before !== null) {
              const at = Math.min(before, model.length);
              line.insertBefore(one, model[at]);
              model = model.toSpliced(at, 0, one);
            } else {
              line.push(one, atHead);
              model = atHead ? [one, ...model] : [...model, one];
            }
          }
          expect([names(line), line.length, line.first]).toEqual([
            model.map(({ name }) => name),
            model.length,
            model[0],
          ]);
          expect(model.map(({ previous }) => previous)).toEqual([undefined, ...model].slice(0, model.length));
        }
      }),
    );
  });
});
