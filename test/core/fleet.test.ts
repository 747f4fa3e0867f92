/** What it costs to find the right worker: counted in workers that were looked at. */
import { describe, expect, it } from "vitest";
import { Demand } from "../../src/core/demand.ts";
import type { Waiter } from "../../src/core/waiter.ts";
import { Workers } from "../../src/core/workers.ts";
import { VirtualClock } from "../../src/testing/time/virtual-clock.ts";

class Looks {
  count = 0;

  /** How many workers were asked for their labels meanwhile. */
  during(step: () => void): number {
    const before = this.count;
    step();
    return this.count - before;
  }
}

class Labelled {
  readonly identity: string;
  readonly #labels: readonly string[];
  readonly #looks: Looks;

  constructor(identity: string, labels: readonly string[], looks: Looks) {
    this.identity = identity;
    this.#labels = labels;
    this.#looks = looks;
  }

  get labels(): readonly string[] {
    this.#looks.count++;
    return this.#labels;
  }

  close(): void {}
}

class Wanting implements Waiter<Labelled> {
  rank = 0;
  line: object | undefined;
  ahead: Waiter<Labelled> | undefined;
  behind: Waiter<Labelled> | undefined;
  readonly avoid: undefined;
  readonly demand: Demand | undefined;
  got: Labelled | undefined;

  constructor(...labels: readonly string[]) {
    this.demand = labels.length === 0 ? undefined : new Demand(labels);
  }

  take(worker: Labelled): void {
    this.got = worker;
  }
}

function crowd(size: number, special: number, label: string): { pool: Workers<Labelled>; looks: Looks } {
  const looks = new Looks();
  const pool = new Workers<Labelled>({ clock: new VirtualClock() });
  for (let n = 0; n < size; n++) pool.add(new Labelled(`w${n}`, n === special ? [label] : ["cpu"], looks));
  return { pool, looks };
}

/** Takes a slot and gives it back. */
function use(pool: Workers<Labelled>, ...labels: readonly string[]): string | undefined {
  const wanting = new Wanting(...labels);
  pool.wait(wanting);
  if (wanting.got !== undefined) pool.free(wanting.got);
  return wanting.got?.identity;
}

const CROWD = 10_000;

describe("one worker of its kind among ten thousand", () => {
  it("is found without looking at the others each time", () => {
    const { pool, looks } = crowd(CROWD, 7_000, "gpu");
    expect(use(pool, "gpu")).toBe("w7000");
    const spent = looks.during(() => {
      for (let n = 0; n < 1_000; n++) expect(use(pool, "gpu")).toBe("w7000");
    });
    expect(spent).toBeLessThan(10_000);
  });

  it("is waited for without looking at the others each time", () => {
    const { pool, looks } = crowd(CROWD, 7_000, "gpu");
    const holder = new Wanting("gpu");
    pool.wait(holder);
    const spent = looks.during(() => {
      for (let n = 0; n < 1_000; n++) {
        const waiting = new Wanting("gpu");
        pool.wait(waiting);
        expect(pool.serves(waiting.demand)).toBe(true);
        expect(pool.leave(waiting)).toBe(true);
      }
    });
    expect(spent).toBeLessThan(10_000);
  });

  it("is forgotten about when nobody asks for it any more, and found again", () => {
    const { pool, looks } = crowd(100, 99, "gpu");
    expect(use(pool, "gpu")).toBe("w99");
    for (let n = 0; n < 100_000; n++) use(pool);
    expect(looks.during(() => use(pool, "gpu"))).toBeGreaterThan(100);
    expect(use(pool, "gpu")).toBe("w99");
  });
});

describe("a hundred thousand that wait for what nobody has", () => {
  it("cost nothing when a slot is free for somebody else", () => {
    const { pool, looks } = crowd(1, 0, "cpu");
    const holder = new Wanting();
    pool.wait(holder);
    for (let n = 0; n < 100_000; n++) pool.wait(new Wanting(`label-${n % 1_000}`));
    const next = new Wanting("cpu");
    pool.wait(next);
    const spent = looks.during(() => holder.got !== undefined && pool.free(holder.got));
    expect(next.got?.identity).toBe("w0");
    expect(spent).toBeLessThan(20);
  });
});

describe("many demands in turn", () => {
  it("are all met, whatever is remembered of them", () => {
    const looks = new Looks();
    const pool = new Workers<Labelled>({ clock: new VirtualClock(), patience: 0 });
    for (let n = 0; n < 100; n++) pool.add(new Labelled(`w${n}`, [`label-${n}`, "all"], looks));
    for (let round = 0; round < 3; round++)
      for (let n = 0; n < 100; n++) expect(use(pool, `label-${n}`, "all")).toBe(`w${n}`);
  });
});
