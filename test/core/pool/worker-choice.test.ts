/** Which worker of a pool is the next to be used: the indexes beside a list that is sorted for each question. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WorkerSelector } from "../../../src/core/pool/worker-selector.ts";
import { WorkerIndex } from "../../../src/core/pool/worker-index.ts";
import { WorkerEntry, type Availability } from "../../../src/core/pool/least-loaded-index.ts";

class One {
  readonly identity: string;
  readonly labels: readonly string[] | undefined;
  readonly peer: { readonly principal: string } | undefined;
  /** How many jobs it takes ahead of a slot from now on. */
  extra = 0;

  constructor(identity: string, labels: readonly string[] | undefined, principal: string | undefined) {
    this.identity = identity;
    this.labels = labels;
    this.peer = principal === undefined ? undefined : { principal };
  }
}

/** One entry as the model sees it: what it was when it was last placed. */
interface Placed {
  readonly seat: WorkerEntry<One>;
  /** The line it is in: the free ones by load, those that are sent jobs ahead, or none. */
  line: number | "prefetched" | undefined;
  /** When it came into its line. */
  since: number;
  extra: number;
}

const LABELS = ["a", "b", "c"];
const PRINCIPALS = ["p", "q", "r"];
const SEATS = 40;

const some = fc.nat(999);
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant("add" as const),
      n: fc.nat(SEATS - 1),
      labels: fc.option(fc.subarray(LABELS), { nil: undefined }),
      principal: fc.option(fc.constantFrom(...PRINCIPALS), { nil: undefined }),
      capacity: fc.constantFrom(1, 1, 2, 3, 40),
      extra: fc.nat(2),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant("load" as const),
      n: some,
      leases: fc.oneof(fc.nat(4), fc.nat(45)),
      extra: fc.nat(2),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constantFrom("delete" as const, "hold" as const), n: some }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant("stand" as const),
      n: some,
      standing: fc.constantFrom<Availability>("ready", "ready", "congested", "suspect"),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("ask" as const),
      labels: fc.subarray(LABELS),
      except: fc.subarray([...PRINCIPALS, "nobody"]),
      avoid: fc.option(some, { nil: undefined }),
      repeated: fc.boolean(),
    }),
  },
);

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;
type Asked = Extract<Step, { op: "ask" }>;

/** The line of a load: loads up to 16 have one each, above that 16 share one. */
function loadLine(leases: number): number {
  return leases < 16 ? leases : 16 + Math.floor((leases - 16) / 16);
}

class Beside {
  readonly fleet: WorkerIndex<One>;
  all: Placed[] = [];
  #steps = 0;

  constructor(patience: number) {
    this.fleet = new WorkerIndex<One>((one) => one.extra, patience);
  }

  do(each: Step): void {
    if (each.op === "add") this.#add(each);
    else if (each.op === "ask") this.#ask(each);
    else for (const placed of pick(this.all, each.n)) this.#change(each, placed);
  }

  #add({ n, labels, principal, capacity, extra }: Extract<Step, { op: "add" }>): void {
    for (const present of this.all.filter(({ seat }) => seat.worker.identity === `w${n}`)) this.#delete(present);
    const worker = new One(`w${n}`, labels, principal);
    worker.extra = extra;
    const placed: Placed = { seat: new WorkerEntry(worker, capacity), line: undefined, since: 0, extra: 0 };
    this.all.push(placed);
    this.fleet.add(placed.seat);
    this.#place(placed);
  }

  #change(each: Exclude<Step, { op: "add" | "ask" }>, placed: Placed): void {
    const { seat } = placed;
    if (each.op === "delete") return this.#delete(placed);
    if (each.op === "load") {
      seat.inUse = Math.min(each.leases, seat.capacity + placed.extra);
      seat.worker.extra = each.extra;
    } else if (each.op === "hold") seat.leased = 1 - seat.leased;
    else if (each.op === "stand") {
      const { usable } = seat;
      seat.availability = each.standing;
      if (usable !== seat.usable) this.fleet.count(seat, seat.usable ? 1 : -1);
    }
    this.fleet.place(seat);
    this.#place(placed);
  }

  #delete(placed: Placed): void {
    this.fleet.delete(placed.seat);
    this.all = this.all.filter((other) => other !== placed);
  }

  #place(placed: Placed): void {
    const { inUse: leases, capacity, leased: held, availability: standing, worker } = placed.seat;
    placed.extra = worker.extra;
    let line: Placed["line"];
    if (standing === "ready" && leases < capacity) line = loadLine(leases);
    else if (standing === "ready" && held === 0 && leases < capacity + placed.extra) line = "prefetched";
    // Among those prefetched, and among the busy ones, a worker keeps its turn.
    if (line !== placed.line || line === undefined || (line !== "prefetched" && leases < 16))
      placed.since = ++this.#steps;
    placed.line = line;
  }

  /** Those in line, in the order of their use. */
  #ordered(isAhead: boolean): Placed[] {
    return this.all
      .filter(({ line }) => line !== undefined && (line === "prefetched") === isAhead)
      .toSorted((one, other) => Number(one.line) - Number(other.line) || one.since - other.since)
      .toSorted((one, other) => (isAhead ? one.since - other.since : 0));
  }

  #ask({ labels, except, avoid, repeated }: Asked): void {
    const selector = labels.length + except.length === 0 ? undefined : new WorkerSelector(labels, new Set(except));
    const isFit = ({ seat }: Placed): boolean => selector?.matches(seat.worker) !== false;
    const avoided = new Set(
      this.all.filter((_, n) => avoid !== undefined && (avoid >> (n % 9)) & 1).map((o) => o.seat.worker),
    );
    for (let time = 0; time <= Number(repeated); time++) {
      const free = this.#ordered(false).filter(isFit);
      assert.equal(this.fleet.first(selector, undefined), free[0]?.seat);
      expect(this.fleet.first(selector, avoided)).toBe(
        (free.find(({ seat }) => !avoided.has(seat.worker)) ?? free[0])?.seat,
      );
      assert.equal(this.fleet.firstForPrefetch(selector), this.#ordered(true).find(isFit)?.seat);
      assert.equal(
        this.fleet.hasCandidate(selector),
        this.all.some((one) => one.seat.usable && isFit(one)),
      );
      const fits = this.all.filter(isFit).map(({ seat }) => seat.worker);
      assert.equal(this.fleet.countMatching(selector), fits.length);
      assert.deepEqual(this.fleet.matching(selector), fits);
    }
  }

  check(): void {
    const usable = this.all.filter(({ seat }) => seat.usable);
    const sum = (of: (one: Placed) => number, from: readonly Placed[]): number =>
      from.reduce((n, one) => n + of(one), 0);
    expect([this.fleet.size, this.fleet.usable, this.fleet.slots, this.fleet.prefetchLimit]).toEqual([
      this.all.length,
      usable.length,
      sum(({ seat }) => seat.capacity, usable),
      sum(({ extra }) => extra, this.all),
    ]);
    const room = [...this.#ordered(false), ...this.#ordered(true)].map(({ seat }) => seat.worker);
    assert.deepEqual(this.fleet.withRoom(room.length), room);
    if (room.length > 0) expect(this.fleet.withRoom(room.length - 1)).toBeUndefined();
    for (const label of LABELS)
      expect(this.fleet.countWith(label)).toBe(
        this.all.filter(({ seat }) => seat.worker.labels?.includes(label)).length,
      );
    for (const { seat } of this.all) assert.equal(this.fleet.get(seat.worker.identity), seat);
  }
}

function pick<T>(from: readonly T[], n: number): T[] {
  const one = from[n % Math.max(1, from.length)];
  return one === undefined ? [] : [one];
}

describe("the workers of a pool", () => {
  it.each([0, 3, 20, 64])(
    "are a sorted list, whatever changes, with a patience of %i",
    (patience) => {
      fc.assert(
        fc.property(fc.array(step, { minLength: 60, maxLength: 150, size: "max" }), (steps) => {
          const beside = new Beside(patience);
          for (const each of steps) beside.do(each);
          beside.check();
          for (const labels of [[], ["a"], ["b", "c"]])
            for (const except of [[], ["p"], ["q", "r"]])
              beside.do({ op: "ask", labels, except, avoid: 171, repeated: true });
        }),
        { numRuns: 150 },
      );
    },
    120_000,
  );
});

describe("the orders kept for kinds of workers", () => {
  /** Free workers of no use, so that a search is in vain; and busy ones of so many kinds. */
  function crowded(
    kinds: number,
    each: number,
    maxViewSeats?: number,
  ): { fleet: WorkerIndex<One>; busy: WorkerEntry<One>[] } {
    const fleet = new WorkerIndex<One>(undefined, 20, maxViewSeats);
    for (let n = 0; n < 30; n++) fleet.add(new WorkerEntry(new One(`free${n}`, undefined, undefined), 1));
    const busy = Array.from({ length: kinds * each }, (_, n) => {
      const seat = new WorkerEntry(new One(`w${n}`, [`kind-${n % kinds}`], undefined), 1);
      fleet.add(seat);
      seat.inUse = 1;
      fleet.place(seat);
      return seat;
    });
    for (let kind = 0; kind < kinds; kind++)
      expect(fleet.first(new WorkerSelector([`kind-${kind}`]), undefined)).toBeUndefined();
    return { fleet, busy };
  }

  function followed(seats: readonly WorkerEntry<One>[]): number {
    return seats.filter(({ watchers }) => watchers !== undefined).length;
  }

  it("are no more than 256", () => {
    const { busy } = crowded(280, 17);
    expect(followed(busy)).toBe(256 * 17);
  });

  it("have no more workers in all than they may have, those asked for last", () => {
    const { fleet, busy } = crowded(10, 20, 65);
    expect(followed(busy)).toBe(60);
    for (const seat of busy) {
      seat.inUse = 0;
      fleet.place(seat);
    }
    expect(fleet.first(new WorkerSelector(["kind-0"]), undefined)).toBe(busy[0]);
  });

  it("are gone with the changes that nobody asked after, and stay as long as somebody does", () => {
    const { fleet, busy } = crowded(1, 20);
    const demand = new WorkerSelector(["kind-0"]);
    const change = (times: number): void => {
      for (let n = 0; n < times; n++) for (const seat of busy.slice(0, 1)) fleet.place(seat);
    };
    for (let round = 0; round < 10; round++) {
      change(80);
      expect(followed(busy), "still of use").toBe(20);
      expect(fleet.first(demand, undefined)).toBeUndefined();
    }
    change(100);
    expect(followed(busy)).toBe(0);
  });
});
