/** P5: a linked queue is an array, whatever is pushed, removed, and removed while it is iterated. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { LinkedQueue, type LinkedNode } from "../../src/core/collections/linked-queue.ts";
import type { Statement, Tally } from "./statement.ts";

class Item implements LinkedNode<Item> {
  list: object | undefined;
  previous: Item | undefined;
  next: Item | undefined;
  readonly n: number;

  constructor(n: number) {
    this.n = n;
  }
}

interface Step {
  readonly op: "push" | "push at head" | "remove" | "iterate";
  readonly n: number;
  /** Which of the two queues. */
  readonly queue: 0 | 1;
  /** Bit n: item n is removed as soon as the iteration has come to it. */
  readonly removed: number;
}

const ITEMS = 8;

const step: fc.Arbitrary<Step> = fc.record({
  op: fc.constantFrom("push", "push", "push at head", "remove", "remove", "iterate"),
  n: fc.nat({ max: ITEMS - 1 }),
  queue: fc.constantFrom(0, 1),
  removed: fc.nat({ max: 2 ** ITEMS - 1 }),
});

class Queues {
  readonly #items = Array.from({ length: ITEMS }, (_, n) => new Item(n));
  readonly #queues = [new LinkedQueue<Item>(), new LinkedQueue<Item>()] as const;
  readonly #models: [Item[], Item[]] = [[], []];

  do({ op, n, queue: which, removed }: Step, tally: Tally): void {
    const queue = this.#queues[which];
    const model = this.#models[which];
    tally.add(op);
    if (op === "iterate") return this.#iterate(which, removed);
    for (const item of this.#items.slice(n, n + 1)) {
      if (op === "remove") {
        assert.equal(queue.remove(item), model.includes(item));
        this.#models[which] = model.filter((other) => other !== item);
      } else if (this.#models.some((all) => all.includes(item))) {
        assert.throws(() => queue.push(item, op === "push at head"), /already in a list/);
      } else {
        queue.push(item, op === "push at head");
        if (op === "push") model.push(item);
        else model.unshift(item);
      }
    }
  }

  /** Items already seen may be removed, the one just seen too. */
  #iterate(which: 0 | 1, removed: number): void {
    const seen: Item[] = [];
    for (const item of this.#queues[which]) {
      seen.push(item);
      if ((removed >> item.n) & 1) assert(this.#queues[which].remove(item));
    }
    assert.deepEqual(
      seen.map(({ n }) => n),
      this.#models[which].map(({ n }) => n),
    );
    this.#models[which] = seen.filter(({ n }) => ((removed >> n) & 1) === 0);
  }

  check(): void {
    for (const which of [0, 1] as const) {
      const [queue, model] = [this.#queues[which], this.#models[which]];
      assert.deepEqual(
        [...queue].map(({ n }) => n),
        model.map(({ n }) => n),
      );
      assert.equal(queue.length, model.length);
      assert(queue.first === model[0]);
      for (const [i, item] of model.entries()) {
        assert(item.list === queue && item.previous === model[i - 1] && item.next === model[i + 1]);
      }
    }
    for (const item of this.#items) {
      const stands = this.#models.some((model) => model.includes(item));
      assert(stands || (item.list ?? item.previous ?? item.next) === undefined, "a removed item is linked");
    }
  }
}

/** P5. */
export const linkedQueue: readonly Statement[] = [
  {
    name: "P5: two linked queues are two arrays, whatever is pushed, removed, or removed while they are iterated",
    runs: 5_000,
    fullRuns: 200_000,
    meets: ["push", "push at head", "remove", "iterate"],
    property: (tally) =>
      fc.property(fc.array(step, { maxLength: 50, size: "max" }), (steps) => {
        const queues = new Queues();
        for (const each of steps) {
          queues.do(each, tally);
          queues.check();
        }
      }),
  },
];
