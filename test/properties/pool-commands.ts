/** The steps a pool can be put through: each does the same to the model and to the real pool, and compares the two. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { turn } from "./hand-clock.ts";
import { matches, type ModelLease, type ModelWaiter, type PoolModel } from "./pool-model.ts";
import { Pooled } from "./pooled.ts";
import type { RealPool } from "./real-pool.ts";
import type { Tally } from "./statement.ts";

type Step = (model: PoolModel, real: RealPool) => void;

const NO_WORKERS: ReadonlySet<Pooled> = new Set();

class PoolCommand implements fc.AsyncCommand<PoolModel, RealPool> {
  readonly #name: string;
  readonly #step: Step;
  readonly #tally: Tally;

  constructor(name: string, step: Step, tally: Tally) {
    this.#name = name;
    this.#step = step;
    this.#tally = tally;
  }

  check(): boolean {
    return true;
  }

  async run(model: PoolModel, real: RealPool): Promise<void> {
    this.#step(model, real);
    await turn();
    compare(model, real);
    this.#tally.add("commands");
  }

  toString(): string {
    return this.#name;
  }
}

function compare(model: PoolModel, real: RealPool): void {
  const { size, usable, slots, waiting } = real.workers.scheduler;
  const modelUsable = model.usable;
  assert.deepEqual(
    { size, usable, slots, waiting, logs: real.logs, fleet: real.fleet.toSorted(), returning: real.returning.length },
    {
      size: model.entries.length,
      usable: modelUsable.length,
      slots: modelUsable.reduce((sum, entry) => sum + entry.capacity, 0),
      waiting: model.waiters.length,
      logs: model.logs,
      fleet: model.fleet.toSorted(),
      returning: model.returning.length,
    },
  );
  for (const worker of real.made) {
    assert.equal(real.workers.has(worker), model.entryOf(worker) !== undefined, `has(${worker.name})`);
    assert.equal(worker.closes, model.closes.get(worker) ?? 0, `closes of ${worker.name}`);
  }
  for (const entry of model.entries) assert(entry.inUse <= entry.capacity, `${entry.worker.name} is leased too often`);
  const unused = model.freeEntries.some(({ worker }) => model.waiters.some((waiter) => matches(waiter, worker)));
  assert(!unused, "a free slot while a waiter could use it");
  assert.equal(
    real.workers.scheduler.queueDepths.reduce((sum, { length }) => sum + length, 0),
    waiting,
    "the lines",
  );
  const finite = model.waiters.some(({ due }) => due < Number.POSITIVE_INFINITY);
  assert.equal(real.clock.pending, finite ? 1 : 0, "timers");
  assert.deepEqual([...real.clock.faults, ...real.faults], []);
}

function addNew(model: PoolModel, real: RealPool, { identity, capacity, labels, admitted }: NewWorker): void {
  const worker = new Pooled(identity, capacity, labels, `${identity}#${real.made.length}`);
  worker.onClose = () => {
    if (real.workers.has(worker) || real.workers.delete(worker)) real.faults.push(`${worker.name} outlives its close`);
  };
  real.made.push(worker);
  model.admit(worker, admitted > 0 ? admitted : capacity);
  if (admitted > 0) real.workers.scheduler.add(worker, admitted);
  else real.workers.add(worker);
}

interface NewWorker {
  readonly identity: string;
  readonly capacity: number;
  readonly labels: readonly string[];
  /** The capacity it is admitted with; 0: its own. */
  readonly admitted: number;
}

interface AcquireStep {
  readonly kind: "acquire" | "context";
  readonly timeout: number;
  readonly group: number;
  readonly require: readonly string[];
}

function acquire(model: PoolModel, real: RealPool, { kind, timeout, group, require }: AcquireStep): void {
  const id = real.nextId();
  model.wait({
    id,
    kind,
    due: model.now + timeout,
    group,
    avoid: NO_WORKERS,
    require,
    excludedPrincipals: [],
    excludedOffers: [],
    declines: false,
  });
  const options = { timeout, require, ...(group < 0 ? {} : { signal: real.group(group).signal }) };
  if (kind === "acquire") real.acquire(id, options);
  else real.hold(id, options);
}

interface WaitStep {
  /** The workers it avoids, bit by bit. */
  readonly mask: number;
  readonly declines: boolean;
  readonly require: readonly string[];
  readonly excludedPrincipals: readonly string[];
  readonly excludedOffers: readonly string[];
}

function wait(model: PoolModel, real: RealPool, { mask, ...rest }: WaitStep): void {
  const avoid = new Set(real.made.filter((_, i) => (mask >> (i % 8)) & 1));
  const base = { kind: "bare", due: Number.POSITIVE_INFINITY, group: -1 } as const;
  const waiter: ModelWaiter = { id: real.nextId(), ...base, ...rest, avoid };
  model.wait(waiter);
  real.wait(waiter);
}

/** Gives back any lease that was ever granted: the ones given back already must not free anything twice. */
function release(model: PoolModel, real: RealPool, n: number, held: boolean): void {
  const open = model.leases[n % model.leases.length]?.id;
  const id = held && open !== undefined ? open : n % Math.max(1, real.leases.size);
  const lease = real.leases.get(id);
  if (lease === undefined) return;
  model.release(id, "worker" in lease ? lease.worker : lease);
  real.workers.release(lease);
}

function endContext(model: PoolModel, real: RealPool, n: number, ok: boolean): void {
  for (const { id, entry } of removeAt(model.contexts, n)) {
    model.release(id, entry.worker);
    real.ends.get(id)?.(ok);
  }
}

/**
 * A slot of a worker that was replaced meanwhile is none of the new worker's. `again`: the waiter re-enters for another slot, and
 * keeps its place.
 */
function freeBare(model: PoolModel, real: RealPool, n: number, again: boolean): void {
  for (const { id, waiter, entry } of removeAt(model.bare, n)) {
    const current = model.entryOf(entry.worker);
    if (current === undefined || current === entry) {
      model.free(entry);
      real.workers.scheduler.free(entry.worker);
    }
    const bare = real.bare.get(id);
    if (!again || bare === undefined) continue;
    model.wait(waiter);
    real.workers.scheduler.wait(bare);
  }
}

function removeAt(leases: ModelLease[], n: number): readonly ModelLease[] {
  return leases.length === 0 ? [] : leases.splice(n % leases.length, 1);
}

/** One of the workers made so far, if there is any. */
function pick(real: RealPool, n: number, then: (worker: Pooled) => void): void {
  const worker = real.made[n % real.made.length];
  if (worker !== undefined) then(worker);
}

const some = fc.nat({ max: 999 });
const timeouts = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.constant(Number.POSITIVE_INFINITY));
const labels = fc.subarray(["cuda", "gpu", "ram"]);
const require = fc.oneof(fc.constant([]), fc.subarray(["gpu", "cuda"]));
const excludedPrincipals = fc.oneof(fc.constant([]), fc.constant([]), fc.subarray(["owner of a", "owner of b"]));
const excludedOffers = fc.oneof(fc.constant([]), fc.constant([]), fc.subarray(["offer of a", "offer of c"]));
const groups = fc.integer({ min: -1, max: 2 });
const availabilities = fc.constantFrom("ready" as const, "ready" as const, "congested" as const, "suspect" as const);

type Named = readonly [string, Step];

function workerSteps(): fc.Arbitrary<Named>[] {
  const capacity = fc.integer({ min: 1, max: 3 });
  return [
    fc
      .record({
        identity: fc.constantFrom("a", "b", "c", "d"),
        capacity,
        labels,
        admitted: fc.constantFrom(0, 0, 1, 4),
      })
      .map((one) => [`add(${JSON.stringify(one)})`, (m, r) => addNew(m, r, one)] as const),
    some.map(
      (n) => [`addAgain(${n})`, (m, r) => pick(r, n, (w) => (m.admit(w, w.capacity), r.workers.add(w)))] as const,
    ),
    fc.tuple(some, fc.boolean()).map(([n, byName]): Named => {
      const step: Step = (model, real) =>
        pick(real, n, (worker) => {
          if (byName && model.entryOf(worker) === undefined) return;
          assert.equal(real.workers.delete(byName ? worker.identity : worker), model.delete(worker));
        });
      return [`delete(${n}, ${byName})`, step];
    }),
    some.map(
      (n) => [`withdraw(${n})`, (m, r) => pick(r, n, (w) => (m.withdraw(w), r.workers.scheduler.withdraw(w)))] as const,
    ),
    fc.tuple(some, availabilities).map(([n, availability]): Named => {
      const step: Step = (model, real) =>
        pick(real, n, (worker) => {
          model.setAvailability(worker, availability);
          real.workers.scheduler.setAvailability(worker, availability);
        });
      return [`setAvailability(${n}, ${availability})`, step];
    }),
  ];
}

function waitingSteps(): fc.Arbitrary<Named>[] {
  return [
    fc
      .record({
        kind: fc.constantFrom("acquire" as const, "context" as const),
        timeout: timeouts,
        group: groups,
        require,
      })
      .map((one) => [JSON.stringify(one), (m, r) => acquire(m, r, one)] as const),
    fc
      .record({
        mask: fc.nat({ max: 255 }),
        declines: fc.nat({ max: 4 }).map((n) => n === 0),
        require,
        excludedPrincipals,
        excludedOffers,
      })
      .map((one) => [`wait(${JSON.stringify(one)})`, (m, r) => wait(m, r, one)] as const),
    some.map((n): Named => {
      const step: Step = (model, real) => {
        for (const [id, waiter] of [...real.bare].slice(n % Math.max(1, real.bare.size)).slice(0, 1))
          assert.equal(real.workers.scheduler.leave(waiter), model.leave(id));
      };
      return [`leave(${n})`, step];
    }),
    fc.nat({ max: 2 }).map((g) => [`abort(${g})`, (m, r) => (m.abort(g), r.group(g).abort("aborted"))] as const),
    fc.nat({ max: 2 }).map((g) => [`renew(${g})`, (m, r) => void (m.aborted.delete(g) && r.renew(g))] as const),
    fc.nat({ max: 60 }).map((ms) => [`advance(${ms})`, (m, r) => (m.advance(ms), r.clock.pass(ms))] as const),
    fc.constantFrom(true, false, false).map(
      (shut) =>
        [
          shut ? "shut" : "reopen",
          (m, r) => {
            if (shut) m.close();
            else m.shut = false;
            if (shut) r.workers.scheduler.close("shut");
            else r.workers.scheduler.open();
          },
        ] as const,
    ),
  ];
}

function givingBackSteps(): fc.Arbitrary<Named>[] {
  return [
    fc
      .tuple(some, fc.boolean())
      .map(([n, held]) => [`release(${n}, ${held})`, (m, r) => release(m, r, n, held)] as const),
    some.map((n): Named => {
      const step: Step = (model, real) => {
        const at = n % Math.max(1, model.returning.length);
        for (const entry of model.returning.splice(at, 1)) model.free(entry);
        for (const free of real.returning.splice(at, 1)) free();
      };
      return [`letGo(${n})`, step];
    }),
    fc
      .tuple(some, fc.boolean())
      .map(([n, ok]) => [`endContext(${n}, ${ok})`, (m, r) => endContext(m, r, n, ok)] as const),
    fc
      .tuple(some, fc.boolean())
      .map(([n, again]) => [`freeBare(${n}, ${again})`, (m, r) => freeBare(m, r, n, again)] as const),
  ];
}

/** All steps, as commands of fast-check that count themselves. */
export function poolCommands(tally: Tally): fc.Arbitrary<fc.AsyncCommand<PoolModel, RealPool>>[] {
  const steps = [...workerSteps(), ...waitingSteps(), ...givingBackSteps(), ...waitingSteps().slice(0, 2)];
  return steps.map((step) => step.map(([name, run]) => new PoolCommand(name, run, tally)));
}
