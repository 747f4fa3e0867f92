/** What it costs to find the right worker: counted in workers that were looked at. */
import { describe, expect, it } from "vitest";
import { WorkerSelector, type Selectable } from "../../../src/core/pool/worker-selector.ts";
import type { Waiter } from "../../../src/core/pool/waiter.ts";
import { Scheduler } from "../../../src/core/pool/scheduler.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";

class Looks {
  count = 0;

  /** How many workers were asked for their labels meanwhile. */
  during(step: () => void): number {
    const before = this.count;
    step();
    return this.count - before;
  }
}

/** A selector that counts how many workers it is compared with. */
class CountedDemand extends WorkerSelector {
  readonly #looks: Looks;

  constructor(looks: Looks, labels: readonly string[], except?: ReadonlySet<string>) {
    super(labels, except);
    this.#looks = looks;
  }

  override matches(worker: Selectable): boolean {
    this.#looks.count++;
    return super.matches(worker);
  }
}

class Labelled {
  readonly identity: string;
  readonly #labels: readonly string[];
  readonly peer: { readonly principal: string };
  readonly #looks: Looks;

  constructor(identity: string, labels: readonly string[], looks: Looks, principal = `owner of ${identity}`) {
    this.identity = identity;
    this.peer = { principal };
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
  sequence = 0;
  list: object | undefined;
  previous: Waiter<Labelled> | undefined;
  next: Waiter<Labelled> | undefined;
  readonly avoid: undefined;
  readonly selector: WorkerSelector | undefined;
  got: Labelled | undefined;

  constructor(...labels: readonly [WorkerSelector] | readonly string[]) {
    const [first] = labels;
    if (first instanceof WorkerSelector) this.selector = first;
    else this.selector = labels.length === 0 ? undefined : new WorkerSelector(labels.map(String));
  }

  take(worker: Labelled): void {
    this.got = worker;
  }
}

function crowd(size: number, special: number, label: string): { pool: Scheduler<Labelled>; looks: Looks } {
  const looks = new Looks();
  const pool = new Scheduler<Labelled>({ clock: new VirtualClock() });
  for (let n = 0; n < size; n++) pool.add(new Labelled(`w${n}`, n === special ? [label] : ["cpu"], looks));
  return { pool, looks };
}

/** Takes a slot and gives it back. */
function use(pool: Scheduler<Labelled>, ...labels: readonly string[]): string | undefined {
  const wanting = new Wanting(...labels);
  pool.wait(wanting);
  if (wanting.got !== undefined) pool.free(wanting.got);
  return wanting.got?.identity;
}

const CROWD = 10_000;

/** Labels that make as many different lists as there are subsets of them. */
const LETTERS = "abcdefghijklmnop".split("");

/** The subset of that number. */
function some(labels: readonly string[], n: number): string[] {
  return labels.filter((_, i) => (n >> i) % 2 === 1);
}

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
        expect(pool.hasCandidate(waiting.selector)).toBe(true);
        expect(pool.leave(waiting)).toBe(true);
      }
    });
    expect(spent).toBeLessThan(10_000);
  });

  it("needs nothing kept for it", () => {
    const { pool, looks } = crowd(100, 99, "gpu");
    expect(use(pool, "gpu")).toBe("w99");
    for (let n = 0; n < 1_000; n++) use(pool);
    expect(looks.during(() => use(pool, "gpu"))).toBeLessThan(10);
  });
});

describe("a kind of which there are many, all busy", () => {
  it("is kept in an order of its own as long as it is asked for, and found again after that", () => {
    const { pool, looks } = crowd(100, 0, "cpu");
    const gpus = Array.from({ length: 20 }, (_, n) => new Labelled(`gpu${n}`, ["gpu"], looks));
    for (const gpu of gpus) pool.add(gpu);
    for (let n = 0; n < gpus.length; n++) pool.wait(new Wanting("gpu"));
    const ask = (): void => {
      const waiting = new Wanting("gpu");
      pool.wait(waiting);
      expect([waiting.got, pool.leave(waiting)]).toEqual([undefined, true]);
    };
    expect(looks.during(ask), "known").toBeLessThan(5);
    for (const gpu of [...gpus, ...gpus, ...gpus]) {
      pool.setAvailability(gpu, "congested");
      pool.setAvailability(gpu, "ready");
    }
    expect(looks.during(ask), "forgotten").toBeGreaterThan(64);
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
    const pool = new Scheduler<Labelled>({ clock: new VirtualClock(), scansBeforeIndex: 0 });
    for (let n = 0; n < 100; n++) pool.add(new Labelled(`w${n}`, [`label-${n}`, "all"], looks));
    for (let round = 0; round < 3; round++)
      for (let n = 0; n < 100; n++) expect(use(pool, `label-${n}`, "all")).toBe(`w${n}`);
  });
});

/** A pool with one worker of each of these label lists, all busy, and what it takes to serve jobs in it. */
class Busy {
  readonly looks: Looks = new Looks();
  readonly pool: Scheduler<Labelled> = new Scheduler<Labelled>({ clock: new VirtualClock() });
  readonly workers: readonly Labelled[];

  constructor(labels: readonly (readonly string[])[], principal?: string) {
    this.workers = labels.map((each, n) => new Labelled(`w${n}`, each, this.looks, principal));
    for (const worker of this.workers) {
      this.pool.add(worker);
      this.pool.wait(new Wanting());
    }
  }

  wait(labels: readonly string[], except: readonly string[] = []): Wanting {
    const waiting = new Wanting(new CountedDemand(this.looks, labels, new Set(except)));
    this.pool.wait(waiting);
    return waiting;
  }

  /** Looks that it takes for so many plain jobs to be run by the first worker, one after the other. */
  perPlainJob(jobs = 100): number {
    const [worker] = this.workers;
    const waiting = Array.from({ length: jobs }, () => new Wanting());
    for (const one of waiting) this.pool.wait(one);
    const spent = this.looks.during(() => {
      for (const one of waiting) {
        if (worker !== undefined) this.pool.free(worker);
        expect(one.got).toBe(worker);
      }
    });
    return spent / jobs;
  }
}

const MANY = 20_000;

describe("twenty thousand waiting jobs, each with labels of its own,", () => {
  it("cost a plain job nothing when nobody has them", () => {
    const busy = new Busy([["common"]]);
    for (let n = 0; n < MANY; n++) busy.wait(["common", `own-${n}`]);
    expect(busy.perPlainJob()).toBeLessThan(10);
  });

  it("cost a plain job nothing when others have them, one hot label and one rare one", () => {
    const kinds = Array.from({ length: 200 }, (_, n) => [`rare-${n}`, "hot", ...LETTERS]);
    const busy = new Busy([["hot", ...LETTERS], ...kinds]);
    for (let n = 0; n < MANY; n++) busy.wait(["hot", `rare-${n % 200}`, ...some(LETTERS, n)]);
    expect(busy.pool.queueDepths.length).toBeGreaterThan(10_000);
    expect(busy.perPlainJob()).toBeLessThan(10);
  });

  it("are each served with a few looks when they all match one worker", () => {
    const busy = new Busy([LETTERS]);
    const waiting = Array.from({ length: MANY }, (_, n) => busy.wait(some(LETTERS, n + 1)));
    const [worker] = busy.workers;
    const spent = busy.looks.during(() => {
      for (const one of waiting.slice(0, 1_000)) {
        if (worker !== undefined) busy.pool.free(worker);
        expect(one.got, "in the order of arrival").toBe(worker);
      }
    });
    expect(spent / 1_000).toBeLessThan(3 * LETTERS.length);
  });

  it("cost nothing more when a label becomes common after they came", () => {
    const busy = new Busy([["zone", "gpu", ...LETTERS]]);
    for (let n = 0; n < MANY; n++) busy.wait(["zone", "gpu", ...some(LETTERS, n)]);
    const late = Array.from({ length: 100 }, (_, n) => new Labelled(`late${n}`, ["zone"], busy.looks));
    for (const worker of late) {
      busy.pool.add(worker);
      busy.pool.wait(new Wanting());
    }
    const plain = late.map(() => new Wanting());
    for (const one of plain) busy.pool.wait(one);
    const spent = busy.looks.during(() => {
      for (const worker of late) busy.pool.free(worker);
    });
    expect(plain.map(({ got }) => got)).toEqual(late);
    expect(spent / late.length).toBeLessThan(10);
  });

  it("are counted for the statistics without comparing each with each worker", () => {
    const busy = new Busy(Array.from({ length: 2_000 }, (_, n) => [`own-${n}`, "hot"]));
    for (let n = 0; n < MANY; n++) busy.wait(["hot", `own-${n % 4_000}`, `own-${(7 * n) % 4_000}`]);
    const { pool, looks } = busy;
    let matching = 0;
    const spent = looks.during(() => {
      for (const { selector: demand } of pool.queueDepths) matching += pool.countMatching(demand);
    });
    expect(matching).toBeGreaterThan(0);
    expect(spent / pool.queueDepths.length).toBeLessThan(10);
  });
});

describe("jobs that exclude principals", () => {
  it("cost nothing to the worker of one that all of them exclude", () => {
    const busy = new Busy([["a"], ["b"]], "me");
    busy.pool.add(new Labelled("other", [], busy.looks));
    busy.pool.wait(new Wanting());
    for (let n = 0; n < MANY; n++) busy.wait([], [`p${n}`, "me"]);
    expect(busy.perPlainJob()).toBeLessThan(10);
  });

  it("are served in the order of arrival with a few looks, each with another principal", () => {
    const busy = new Busy([["a"]]);
    const waiting = Array.from({ length: MANY }, (_, n) => busy.wait([], [`p${n}`]));
    const [worker] = busy.workers;
    const spent = busy.looks.during(() => {
      for (const one of waiting.slice(0, 1_000)) {
        if (worker !== undefined) busy.pool.free(worker);
        expect(one.got).toBe(worker);
      }
    });
    expect(spent / 1_000).toBeLessThan(10);
  });

  it("are placed with a few looks past a thousand idle workers of one they exclude", () => {
    const looks = new Looks();
    const pool = new Scheduler<Labelled>({ clock: new VirtualClock() });
    for (let n = 0; n < 1_000; n++) pool.add(new Labelled(`m${n}`, [], looks, "me"));
    for (let n = 0; n < 100; n++) pool.add(new Labelled(`w${n}`, [], looks));
    const place = (n: number): void => {
      const wanting = new Wanting(new CountedDemand(looks, [], new Set(["me", `owner of w${n}`])));
      pool.wait(wanting);
      expect(wanting.got?.peer.principal).toMatch(/^owner/);
      if (wanting.got !== undefined) pool.free(wanting.got);
    };
    place(0);
    const spent = looks.during(() => {
      for (let n = 0; n < 100; n++) place(n);
    });
    expect(spent / 100).toBeLessThan(200);
  });
});

describe("two thousand workers with a label each", () => {
  it("are each found with a few looks, whichever is asked for", () => {
    const looks = new Looks();
    const pool = new Scheduler<Labelled>({ clock: new VirtualClock() });
    for (let n = 0; n < 2_000; n++) pool.add(new Labelled(`w${n}`, [`own-${n}`, "all"], looks));
    const spent = looks.during(() => {
      for (let n = 0; n < 2_000; n++) expect(use(pool, `own-${(n * 7) % 2_000}`, "all")).toBe(`w${(n * 7) % 2_000}`);
    });
    expect(spent / 2_000).toBeLessThan(10);
  });

  it("are not looked at for a label that nobody has", () => {
    const looks = new Looks();
    const pool = new Scheduler<Labelled>({ clock: new VirtualClock() });
    for (let n = 0; n < 2_000; n++) pool.add(new Labelled(`w${n}`, ["all"], looks));
    const spent = looks.during(() => {
      for (let n = 0; n < 1_000; n++) {
        const wanting = new Wanting("all", `nobody-${n}`);
        pool.wait(wanting);
        expect([wanting.got, pool.hasCandidate(wanting.selector), pool.countMatching(wanting.selector)]).toEqual([
          undefined,
          false,
          0,
        ]);
      }
    });
    expect(spent).toBe(0);
  });
});

describe("a pool that is changed by whoever is given a slot", () => {
  it("serves who waits without looking at each queue", () => {
    const busy = new Busy(Array.from({ length: 200 }, (_, n) => [`own-${n}`, ...LETTERS]));
    for (let n = 0; n < MANY; n++) busy.wait([`own-${n % 200}`, ...some(LETTERS, n)]);
    const [worker] = busy.workers;
    const spent = busy.looks.during(() => {
      for (let n = 0; n < 100; n++) {
        const declining = new Wanting();
        declining.sequence = -1;
        declining.take = (given) => busy.pool.free(given);
        busy.pool.wait(declining);
        if (worker !== undefined) busy.pool.free(worker);
      }
    });
    expect(spent / 100).toBeLessThan(100);
  });
});

describe("jobs that no worker of the many fits", () => {
  function owned(principal: string, isBusy: boolean): { pool: Scheduler<Labelled>; looks: Looks } {
    const looks = new Looks();
    const pool = new Scheduler<Labelled>({ clock: new VirtualClock() });
    for (let n = 0; n < 1_000; n++) {
      pool.add(new Labelled(`w${n}`, ["hot"], looks, principal));
      if (isBusy) pool.wait(new Wanting());
    }
    return { pool, looks };
  }

  it("cost nothing when all belong to a principal they exclude", () => {
    const { pool, looks } = owned("me", false);
    const wanting = new Wanting(new CountedDemand(looks, [], new Set(["me", "you"])));
    const spent = looks.during(() => pool.wait(wanting));
    expect([wanting.got, pool.hasCandidate(wanting.selector), pool.countMatching(wanting.selector)]).toEqual([
      undefined,
      false,
      0,
    ]);
    expect(spent).toBe(0);
  });

  it("cost a few looks, each with another principal, when all with the label belong to one", () => {
    const { pool, looks } = owned("me", true);
    const wait = (n: number): void =>
      pool.wait(new Wanting(new CountedDemand(looks, ["hot"], new Set(["me", `p${n}`]))));
    wait(0);
    const spent = looks.during(() => {
      for (let n = 1; n <= 100; n++) wait(n);
    });
    expect(spent / 100).toBeLessThan(200);
  });
});
