/** P5: a line is an array that is searched, whoever joins it, leaves it, and leaves while it is read. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { LinkedQueue, type LinkedNode } from "../../src/core/collections/linked-queue.ts";
import type { Statement, Tally } from "./statement.ts";

class Person implements LinkedNode<Person> {
  list: object | undefined;
  previous: Person | undefined;
  next: Person | undefined;
  readonly n: number;

  constructor(n: number) {
    this.n = n;
  }
}

interface Step {
  readonly op: "join" | "join at head" | "leave" | "walk";
  readonly n: number;
  /** Which of the two lines. */
  readonly line: 0 | 1;
  /** Bit n: person n leaves as soon as the walk has come to it. */
  readonly leavers: number;
}

const PEOPLE = 8;

const step: fc.Arbitrary<Step> = fc.record({
  op: fc.constantFrom("join", "join", "join at head", "leave", "leave", "walk"),
  n: fc.nat({ max: PEOPLE - 1 }),
  line: fc.constantFrom(0, 1),
  leavers: fc.nat({ max: 2 ** PEOPLE - 1 }),
});

class Lines {
  readonly #people = Array.from({ length: PEOPLE }, (_, n) => new Person(n));
  readonly #lines = [new LinkedQueue<Person>(), new LinkedQueue<Person>()] as const;
  readonly #models: [Person[], Person[]] = [[], []];

  do({ op, n, line: which, leavers }: Step, tally: Tally): void {
    const line = this.#lines[which];
    const model = this.#models[which];
    tally.add(op);
    if (op === "walk") return this.#walk(which, leavers);
    for (const person of this.#people.slice(n, n + 1)) {
      if (op === "leave") {
        assert.equal(line.remove(person), model.includes(person));
        this.#models[which] = model.filter((other) => other !== person);
      } else if (this.#models.some((all) => all.includes(person))) {
        assert.throws(() => line.push(person, op === "join at head"), /already in a line/);
      } else {
        line.push(person, op === "join at head");
        if (op === "join") model.push(person);
        else model.unshift(person);
      }
    }
  }

  /** Those already seen may be taken out, the one just seen too. */
  #walk(which: 0 | 1, leavers: number): void {
    const seen: Person[] = [];
    for (const person of this.#lines[which]) {
      seen.push(person);
      if ((leavers >> person.n) & 1) assert(this.#lines[which].remove(person));
    }
    assert.deepEqual(
      seen.map(({ n }) => n),
      this.#models[which].map(({ n }) => n),
    );
    this.#models[which] = seen.filter(({ n }) => ((leavers >> n) & 1) === 0);
  }

  check(): void {
    for (const which of [0, 1] as const) {
      const [line, model] = [this.#lines[which], this.#models[which]];
      assert.deepEqual(
        [...line].map(({ n }) => n),
        model.map(({ n }) => n),
      );
      assert.equal(line.length, model.length);
      assert(line.first === model[0]);
      for (const [i, person] of model.entries()) {
        assert(person.list === line && person.previous === model[i - 1] && person.next === model[i + 1]);
      }
    }
    for (const person of this.#people) {
      const stands = this.#models.some((model) => model.includes(person));
      assert(stands || (person.list ?? person.previous ?? person.next) === undefined, "who left holds on to a line");
    }
  }
}

/** P5, of the line. */
export const line: readonly Statement[] = [
  {
    name: "P5: two lines are two arrays, whoever joins, leaves, or leaves while they are read",
    runs: 5_000,
    fullRuns: 200_000,
    meets: ["join", "join at head", "leave", "walk"],
    property: (tally) =>
      fc.property(fc.array(step, { maxLength: 50, size: "max" }), (steps) => {
        const lines = new Lines();
        for (const each of steps) {
          lines.do(each, tally);
          lines.check();
        }
      }),
  },
];
