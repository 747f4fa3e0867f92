/** A handler's stream by itself: when it is pulled, and when it lets the event loop go on. */
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import type { AsyncContext } from "../../../src/core/time/async-context.ts";
import { ItemPump, isStream, type ItemPumpOwner, type PumpEnd } from "../../../src/core/async/item-pump.ts";

/** Counts turns of the event loop, of which each item takes some time. */
class Owner implements ItemPumpOwner {
  asyncContext: AsyncContext | undefined;
  readonly items: unknown[] = [];
  readonly ends: PumpEnd[] = [];
  backlog = false;
  now = 0;
  turns: (() => void)[] = [];
  readonly clock = {
    now: () => this.now,
    nextTurn: (fn: () => void) => void this.turns.push(fn),
    set: () => 0,
    clear: () => undefined,
    endOfTurn: () => undefined,
  };

  readonly #itemTakes: number;

  constructor(itemTakes = 0) {
    this.#itemTakes = itemTakes;
  }

  onItem(value: unknown): number {
    this.items.push(value);
    this.now += this.#itemTakes;
    return 1;
  }

  onPumped(end: PumpEnd): void {
    this.ends.push(end);
  }

  holdsUp(): boolean {
    return this.backlog;
  }

  /** Lets everything happen that takes no turn of the event loop. */
  async settle(): Promise<void> {
    for (let tick = 0; tick < 200; tick++) await null;
  }

  turn(): void {
    for (const fn of this.turns.splice(0)) fn();
  }
}

async function* count(): AsyncGenerator<number> {
  for (let n = 0; ; n++) yield n;
}

describe("a pump", () => {
  it("takes a turn of the event loop whenever one has been held up for over a millisecond", async () => {
    const owner = new Owner(0.4);
    const pump = new ItemPump(count(), 1_000, owner);
    pump.resume();
    await owner.settle();
    expect([owner.items.length, owner.turns.length]).toEqual([3, 1]);
    owner.turn();
    await owner.settle();
    expect([owner.items.length, owner.turns.length]).toEqual([6, 1]);
    pump.leave();
    await owner.settle();
    expect(owner.ends).toEqual([]);
    owner.turn();
    await owner.settle();
    expect([owner.items.length, owner.ends.length]).toEqual([6, 1]);
  });

  it("stands still without credit, and while there is a backlog", async () => {
    const owner = new Owner();
    const pump = new ItemPump(count(), 2, owner);
    pump.resume();
    await owner.settle();
    expect(owner.items).toEqual([0, 1]);
    pump.grant(3);
    expect(owner.items).toEqual([0, 1]);
    owner.backlog = true;
    pump.resume();
    await owner.settle();
    expect(owner.items).toEqual([0, 1]);
    owner.backlog = false;
    pump.resume();
    pump.resume();
    await owner.settle();
    expect(owner.items).toEqual([0, 1, 2, 3, 4]);
    pump.leave();
    pump.leave();
    await owner.settle();
    expect(owner.ends).toEqual([{ ok: true, value: undefined }]);
  });

  it("ends once what is pending has ended, whichever comes last", async () => {
    for (const last of ["next", "return"] as const) {
      const owner = new Owner();
      const settle: Record<string, () => void> = {};
      const step = (name: string) => (): Promise<IteratorResult<number, number>> =>
        new Promise((resolve) => (settle[name] = () => resolve({ done: true, value: 1 })));
      const iterator = { next: step("next"), return: step("return") };
      const pump = new ItemPump({ [Symbol.asyncIterator]: () => iterator }, 10, owner);
      pump.resume();
      pump.leave();
      settle[last === "next" ? "return" : "next"]?.();
      await owner.settle();
      expect(owner.ends).toEqual([]);
      settle[last]?.();
      await owner.settle();
      expect(owner.ends).toHaveLength(1);
    }
  });
});

it("runs all of an iterator where its caller's code runs, its end included", async () => {
  const owner = new Owner();
  const inside: string[] = [];
  let depth = 0;
  const context: AsyncContext = {
    runInAsyncScope: (fn, _this, ...args) => {
      depth++;
      try {
        return fn(...args);
      } finally {
        depth--;
      }
    },
  };
  const note = (what: string): void => void inside.push(`${what} ${depth}`);
  const iterator = {
    next: () => Promise.resolve({ done: false as const, value: note("next") }),
    return: () => Promise.resolve({ done: true as const, value: note("return") }),
  };
  const items = {
    [Symbol.asyncIterator]: () => {
      note("begin");
      return iterator;
    },
  };
  const pump = new ItemPump(items, 1, Object.assign(owner, { asyncContext: context }));
  pump.resume();
  await owner.settle();
  pump.leave();
  await owner.settle();
  expect(inside).toEqual(["begin 1", "next 1", "return 1"]);
});

it("destroys a stream of Node that was never read", async () => {
  const owner = new Owner();
  const stream = Readable.from(["a"]);
  new ItemPump(stream, 0, owner).fail(new Error("not taken"));
  await owner.settle();
  expect([stream.destroyed, owner.ends.length]).toEqual([true, 1]);
});

it("tells streams from values", () => {
  expect([count(), Readable.from([]), new ReadableStream()].map(isStream)).toEqual([true, true, true]);
  expect([[], new Set(), new Map(), "text", new Uint8Array(), null, Promise.resolve(), {}].some(isStream)).toBe(false);
});
