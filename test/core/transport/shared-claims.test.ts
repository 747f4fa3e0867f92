/** The words of prefetched jobs in shared memory, from both ends in every order, beside a model without bits. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CLAIM_BYTES, SharedClaims } from "../../../src/core/transport/shared-claims.ts";

const WORDS = CLAIM_BYTES / Int32Array.BYTES_PER_ELEMENT;

/** The two ends of one connection: each has its own view of the memory. */
function ends(): { runner: SharedClaims; worker: SharedClaims } {
  const memory = new SharedArrayBuffer(CLAIM_BYTES);
  return { runner: new SharedClaims(memory), worker: new SharedClaims(memory) };
}

describe("a parked job", () => {
  it("begins once, and is not recalled then", () => {
    const { runner, worker } = ends();
    expect(runner.park(1)).toBe(true);
    expect(worker.begin(1)).toBe(true);
    expect(runner.recall(1)).toBe(false);
  });

  it("never begins once it was recalled", () => {
    const { runner, worker } = ends();
    runner.park(1);
    expect(runner.recall(1)).toBe(true);
    expect(runner.recall(1)).toBe(false);
    expect(worker.begin(1)).toBe(false);
  });

  it("keeps its word until it is answered, so that no later job begins or is recalled in its place", () => {
    const { runner, worker } = ends();
    runner.park(1);
    runner.recall(1);
    expect(runner.park(1 + WORDS)).toBe(false);
    expect(worker.begin(1 + WORDS)).toBe(true);
    expect(runner.recall(1 + WORDS)).toBe(false);
    expect(worker.begin(1)).toBe(false);
    runner.free(1 + WORDS);
    expect(worker.begin(1), "only its own answer frees a word").toBe(false);
    runner.free(1);
    expect(runner.park(1 + WORDS)).toBe(true);
    expect(worker.begin(1), "a job without a word begins").toBe(true);
    expect(runner.recall(1 + WORDS)).toBe(true);
  });
});

/** Ids that share words, small and as large as they get. */
const ids = fc.oneof(
  fc.integer({ min: 1, max: 3 }),
  fc.integer({ min: 1, max: 3 }).map((n) => n + WORDS),
  fc.integer({ min: 1, max: 3 }).map((n) => n + 5 * WORDS),
  fc.constantFrom(2 ** 53 - 1, 2 ** 53 - 1 - WORDS, 2 ** 31, 2 ** 31 + WORDS),
);
const step = fc.record({
  op: fc.constantFrom("park" as const, "recall" as const, "begin" as const, "free" as const),
  id: ids,
});

describe("the memory", () => {
  it("has one length: two ends with different ones would look at different words", () => {
    expect(() => new SharedClaims(new SharedArrayBuffer(8))).toThrow(RangeError);
  });
});

type State = "parked" | "begun" | "back";

/** The words as a table: which attempt has which, and how it stands. */
class Table {
  readonly #held = new Map<number, { readonly id: number; readonly state: State }>();

  /** Does a step. Returns what the words return. */
  do(op: "park" | "recall" | "begin" | "free", id: number): boolean | undefined {
    const place = id % WORDS;
    const held = this.#held.get(place);
    const state = held?.id === id ? held.state : undefined;
    const isPassing = op === "park" ? held === undefined : state === "parked";
    const next = { park: "parked", recall: "back", begin: "begun", free: undefined } as const;
    if (op === "free" && state !== undefined) this.#held.delete(place);
    else if (op !== "free" && isPassing) this.#held.set(place, { id, state: next[op] });
    return { park: isPassing, recall: isPassing, begin: state !== "back", free: undefined }[op];
  }
}

describe("the words", () => {
  it("say the same as a table of which attempt has which word", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { runner, worker } = ends();
        const table = new Table();
        for (const { op, id: attempt } of steps) {
          const end = op === "begin" ? worker : runner;
          expect(end[op](attempt), `${op} ${attempt}`).toBe(table.do(op, attempt));
        }
      }),
      { numRuns: 500 },
    );
  });
});
