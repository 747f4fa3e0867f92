/** The queue of a pool beside a list that is searched each time. */
import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WorkerSelector, type Selectable } from "../../../src/core/pool/worker-selector.ts";
import { WaitQueue, type CandidateSource } from "../../../src/core/pool/wait-queue.ts";
import type { Waiter } from "../../../src/core/pool/waiter.ts";

setFlagsFromString("--expose-gc");
const gc: () => void = runInNewContext("gc");

/** Bytes of the heap that are in use. */
async function heap(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().heapUsed;
}

interface Owned extends Selectable {
  readonly labels: readonly string[];
  readonly peer: { readonly principal: string } | undefined;
  usable: boolean;
  room: boolean;
}

/** Workers in a list, which is searched. */
class Supply implements CandidateSource<Owned> {
  workers: Owned[] = [];
  /** How often it was asked how common a label is. */
  asked = 0;

  hasCandidate(selector: WorkerSelector): boolean {
    return this.workers.some((worker) => worker.usable && selector.matches(worker));
  }

  countWith(label: string): number {
    this.asked++;
    return this.workers.filter(({ labels }) => labels.includes(label)).length;
  }

  withRoom(most: number): readonly Owned[] | undefined {
    const found = this.workers.filter(({ usable, room }) => usable && room);
    return found.length > most ? undefined : found;
  }
}

class Waiting implements Waiter<Owned> {
  sequence = 0;
  list: object | undefined;
  previous: Waiter<Owned> | undefined;
  next: Waiter<Owned> | undefined;
  readonly avoid: undefined;
  readonly selector: WorkerSelector | undefined;
  readonly hasCandidates: (usable: boolean) => void;

  constructor(labels: readonly string[], except: readonly string[], hasCandidates: (usable: boolean) => void) {
    this.selector = labels.length + except.length === 0 ? undefined : new WorkerSelector(labels, new Set(except));
    this.hasCandidates = hasCandidates;
  }

  fits(worker: Owned): boolean {
    return this.selector?.matches(worker) !== false;
  }

  take(): void {}
}

const LABELS = ["a", "b", "c", "d", "e", "f"];
const PRINCIPALS = ["p", "q", "r", "s"];

const some = fc.nat(999);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant("join" as const),
      labels: fc.oneof(fc.constant([]), fc.subarray(LABELS, { maxLength: 3 })),
      except: fc.oneof(fc.constant([]), fc.subarray(PRINCIPALS)),
      n: some,
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom("leave" as const, "return" as const), n: some }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("serve" as const), n: some }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("come" as const),
      labels: fc.subarray(LABELS),
      principal: fc.option(fc.constantFrom(...PRINCIPALS), { nil: undefined }),
      room: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom("go" as const, "turn" as const), n: some }) },
);

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** A queue, the workers, and the list of who waits in the order of arrival. */
class Beside {
  readonly supply: Supply = new Supply();
  readonly queue: WaitQueue<Owned> = new WaitQueue(this.supply);
  readonly said: string[] = [];
  readonly expected: string[] = [];
  waiting: Waiting[] = [];
  /** Those who have left, and may come back. */
  readonly gone: Waiting[] = [];

  do(each: Step): void {
    if (each.op === "join") this.#join(each);
    else if (each.op === "come") this.#come(each);
    else if (each.op === "go" || each.op === "turn") this.#change(each.op, each.n);
    else if (each.op === "return") this.#comeBack(each.n);
    else if (each.op === "leave") for (const one of pick(this.waiting, each.n)) this.#leave(one);
    else
      for (const worker of pick(this.supply.workers, each.n)) {
        const first = worker.usable ? this.queue.firstFor(worker) : undefined;
        assert.equal(first, worker.usable ? this.waiting.find((one) => one.fits(worker)) : undefined);
        for (const one of this.waiting.filter((other) => other === first)) this.#leave(one);
      }
  }

  #join({ labels, except }: { labels: readonly string[]; except: readonly string[] }): void {
    const one: Waiting = new Waiting(labels, except, (usable) => this.said.push(`${one.sequence} ${usable}`));
    this.queue.assignSequence(one);
    const same = this.waiting.some(({ selector: demand }) => demand?.key === one.selector?.key);
    assert.equal(this.queue.isNext(one), !same);
    this.queue.push(one);
    this.waiting.push(one);
  }

  #comeBack(n: number): void {
    for (const one of pick(this.gone, n)) {
      this.gone.splice(this.gone.indexOf(one), 1);
      const { sequence } = one;
      this.queue.assignSequence(one);
      assert.equal(one.sequence, sequence, "the place it had");
      const same = this.waiting.some((other) => other.selector?.key === one.selector?.key && other.sequence < sequence);
      assert.equal(this.queue.isNext(one), !same);
      this.queue.push(one);
      this.waiting = [...this.waiting, one].toSorted((a, b) => a.sequence - b.sequence);
    }
  }

  #leave(one: Waiting): void {
    assert.equal(this.queue.remove(one), true);
    assert.equal(this.queue.remove(one), false, "only once");
    this.waiting = this.waiting.filter((other) => other !== one);
    this.gone.push(one);
  }

  #come({
    labels,
    principal,
    room,
  }: {
    labels: readonly string[];
    principal: string | undefined;
    room: boolean;
  }): void {
    const peer = principal === undefined ? undefined : { principal };
    const worker = { labels, peer, usable: true, room };
    this.#tell(worker, true, () => this.supply.workers.push(worker));
  }

  #change(op: "go" | "turn", n: number): void {
    for (const worker of pick(this.supply.workers, n)) {
      if (op === "turn") this.#tell(worker, !worker.usable, () => (worker.usable = !worker.usable));
      else {
        const without = this.supply.workers.filter((other) => other !== worker);
        this.#tell(worker, false, () => (this.supply.workers = without));
      }
    }
  }

  /** A worker becomes usable, or no more: those are told for whom it is the first, or was the last. */
  #tell(worker: Owned, usable: boolean, change: () => void): void {
    const isServed = ({ selector: demand }: Waiting): boolean =>
      demand === undefined ? this.supply.workers.some((one) => one.usable) : this.supply.hasCandidate(demand);
    const [wasUsable, before] = [worker.usable && this.supply.workers.includes(worker), this.waiting.map(isServed)];
    change();
    if (wasUsable === usable) return;
    for (const [n, one] of this.waiting.entries())
      if (isServed(one) !== before[n]) this.expected.push(`${one.sequence} ${usable}`);
    const count = this.supply.workers.filter((one) => one.usable).length;
    this.queue.changed(worker, usable, count === Number(usable));
  }

  check(): void {
    assert.equal(this.queue.length, this.waiting.length);
    assert.deepEqual(this.said.splice(0).toSorted(), this.expected.splice(0).toSorted());
    for (const worker of this.supply.workers.filter(({ usable }) => usable))
      assert.equal(
        this.queue.firstFor(worker),
        this.waiting.find((one) => one.fits(worker)),
      );
    const usable = this.supply.workers.filter((worker) => worker.usable && worker.room);
    const [eligible] = this.queue
      .eligible()
      .filter((one) => usable.some((worker) => one.selector?.matches(worker) !== false));
    const oldest = this.waiting.find((one) => usable.some((worker) => one.fits(worker)));
    assert.equal(eligible, oldest, "the oldest who can be served");
    for (const demand of [...this.waiting.map((one) => one.selector), new WorkerSelector(["a", "b"])])
      if (demand !== undefined) assert.equal(this.queue.hasCandidate(demand), this.supply.hasCandidate(demand));
    assert.deepEqual(this.queue.all(), this.waiting);
    this.#checkLines();
  }

  #checkLines(): void {
    const counts = new Map<string, number>();
    for (const { selector: demand } of this.waiting)
      counts.set(demand?.key ?? "", (counts.get(demand?.key ?? "") ?? 0) + 1);
    const lines = this.queue.depths().map(({ selector: demand, length }) => [demand?.key ?? "", length] as const);
    assert.deepEqual(new Map(lines), counts);
    assert.equal(lines.length, counts.size);
  }
}

function pick<T>(from: readonly T[], n: number): T[] {
  const one = from[n % Math.max(1, from.length)];
  return one === undefined ? [] : [one];
}

describe("the queue of a pool", () => {
  it("is a list that is searched, whoever comes and goes", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: "max" }), (steps) => {
        const beside = new Beside();
        for (const each of steps) {
          beside.do(each);
          beside.check();
        }
      }),
      { numRuns: 200 },
    );
  });

  it("tells queues of a change in the order they were made, those that ask for nothing first", () => {
    const beside = new Beside();
    const told: string[] = [];
    for (const labels of [["a", "b"], ["b"], [], ["a"], ["b", "a"]]) {
      const one = new Waiting(labels, [], (usable) => told.push(`${labels.join("")} ${usable}`));
      beside.queue.assignSequence(one);
      beside.queue.push(one);
    }
    const worker = { labels: ["b", "a", "a"], peer: undefined, usable: true, room: true };
    beside.supply.workers.push(worker);
    beside.queue.changed(worker, true, true);
    expect(told.splice(0)).toEqual([" true", "ab true", "ba true", "b true", "a true"]);
    beside.supply.workers.pop();
    beside.queue.changed(worker, false, true);
    expect(told).toEqual([" false", "ab false", "ba false", "b false", "a false"]);
  });

  it("does not let somebody leave who waits in another", () => {
    const [one, other] = [new Beside().queue, new Beside().queue];
    for (const labels of [[], ["a"]]) {
      const waiting = new Waiting(labels, [], () => undefined);
      one.assignSequence(waiting);
      one.push(waiting);
      expect([other.remove(waiting), one.remove(waiting), one.remove(waiting)]).toEqual([false, true, false]);
    }
    expect([one.length, other.length]).toEqual([0, 0]);
  });

  it("is put in another order for a label only when twice as many workers have it", () => {
    const { queue, supply } = new Beside();
    for (let n = 0; n < 200; n++) {
      const one = new Waiting(["zone", `own-${n % 2}`, ...String(n).split("")], [], () => undefined);
      queue.assignSequence(one);
      queue.push(one);
    }
    supply.asked = 0;
    for (let n = 0; n < 256; n++) {
      const worker = {
        labels: ["zone", "own-0", "own-1", ..."0123456789".split("")],
        peer: undefined,
        usable: true,
        room: false,
      };
      supply.workers.push(worker);
      queue.changed(worker, true, n === 0);
    }
    // Nine times for each of its labels at most, and not 256 times.
    expect(supply.asked).toBeLessThan(60_000);
  });

  it("compares a worker with few of those that wait for a kind that nobody has", () => {
    const { queue, supply } = new Beside();
    let looks = 0;
    class Counted extends WorkerSelector {
      override matches(worker: Selectable): boolean {
        looks++;
        return super.matches(worker);
      }
    }
    for (let n = 0; n < 1_000; n++) {
      const one = new Waiting([], [], () => undefined);
      const waiting: Waiter<Owned> = Object.assign(one, { demand: new Counted(["common", `own-${n}`]) });
      queue.assignSequence(waiting);
      queue.push(waiting);
    }
    const worker = { labels: ["common"], peer: undefined, usable: true, room: true };
    supply.workers.push(worker);
    queue.changed(worker, true, true);
    expect(looks).toBeLessThan(10);
  });

  it("keeps nothing of those that have left", async () => {
    const { queue } = new Beside();
    const stay = [new Waiting([], ["kept"], () => undefined), new Waiting(["kept"], [], () => undefined)];
    const pass = (rounds: number): void => {
      for (let n = 0; n < rounds; n++) {
        const name = `${n}`.padStart(200, "x");
        for (const one of [
          new Waiting([name], [], () => undefined),
          new Waiting([], [name, "kept"], () => undefined),
        ]) {
          queue.assignSequence(one);
          queue.push(one);
          queue.remove(one);
        }
      }
    };
    for (const one of stay) {
      queue.assignSequence(one);
      queue.push(one);
    }
    pass(100);
    const before = await heap();
    pass(20_000);
    expect((await heap()) - before).toBeLessThan(2_000_000);
    expect(queue.all()).toEqual(stay);
  });
});
