/**
 * What a pool of workers is, with everything the runner asks of it: arrays, searched each time. It says what each step grants
 * and what it rejects; pool-commands.ts plays the same steps on the real pool and compares.
 */
import type { Pooled } from "./pooled.ts";

/** Whether the worker is its own lease, or each lease is an object and its slot comes back some time after it. */
export type Mode = "plain" | "wrapped";

export interface ModelEntry {
  readonly worker: Pooled;
  readonly capacity: number;
  availability: "ready" | "congested" | "suspect";
  inUse: number;
  /** When it was last given, given back or changed: the smallest has waited longest. */
  since: number;
}

/** A waiter: in `acquire`, in `getContext`, or in `wait` as a call of the runner. */
export interface ModelWaiter {
  readonly id: number;
  readonly kind: "acquire" | "context" | "bare";
  readonly due: number;
  readonly group: number;
  readonly avoid: ReadonlySet<Pooled>;
  /** Labels its worker must have. */
  readonly require: readonly string[];
  /** Principals its worker must not have. */
  readonly excludedPrincipals: readonly string[];
  /** Offers that it does not fit. */
  readonly excludedOffers: readonly string[];
  /** Gives the slot back in the moment of the grant. */
  readonly declines: boolean;
}

export interface ModelLease {
  readonly id: number;
  readonly waiter: ModelWaiter;
  readonly entry: ModelEntry;
}

/** Whether a waiter could use a worker. */
export function matches(waiter: ModelWaiter, { labels, peer, offerId }: Pooled): boolean {
  const { require, excludedPrincipals, excludedOffers } = waiter;
  if (excludedPrincipals.includes(peer.principal) || excludedOffers.includes(offerId)) return false;
  return require.every((label) => labels.includes(label));
}

export class PoolModel {
  readonly mode: Mode;
  entries: ModelEntry[] = [];
  waiters: ModelWaiter[] = [];
  /** What acquirers, contexts and bare waiters learn, each in the order they learn it. */
  readonly logs: Record<ModelWaiter["kind"], string[]> = { acquire: [], context: [], bare: [] };
  /** Whether a usable worker was there, each time that changed for a bare waiter. */
  readonly fleet: string[] = [];
  /** The leases that were not given back, the oldest first. */
  readonly leases: ModelLease[] = [];
  /** The slots that bare waiters hold. */
  readonly bare: ModelLease[] = [];
  /** The slots of leases that were given back and are not free yet. */
  readonly returning: ModelEntry[] = [];
  /** The contexts that run. */
  readonly contexts: ModelLease[] = [];
  readonly closes: Map<Pooled, number> = new Map();
  readonly aborted: Set<number> = new Set();
  shut = false;
  now = 0;
  #steps = 0;

  constructor(mode: Mode) {
    this.mode = mode;
  }

  admit(worker: Pooled, capacity: number): void {
    const present = this.entries.find((entry) => entry.worker.identity === worker.identity);
    if (present?.worker === worker) return;
    if (present !== undefined) this.#remove(present);
    this.#change(() => this.entries.push({ worker, capacity, availability: "ready", inUse: 0, since: this.#steps++ }));
    if (present !== undefined) this.#close(present.worker);
    this.#serve();
  }

  delete(worker: Pooled): boolean {
    const withdrawn = this.withdraw(worker);
    if (withdrawn) this.#close(worker);
    return withdrawn;
  }

  withdraw(worker: Pooled): boolean {
    const entry = this.entryOf(worker);
    if (entry !== undefined) this.#remove(entry);
    return entry !== undefined;
  }

  entryOf(worker: Pooled): ModelEntry | undefined {
    return this.entries.find((entry) => entry.worker === worker);
  }

  wait(waiter: ModelWaiter): void {
    if (waiter.kind !== "bare" && this.aborted.has(waiter.group)) return this.#log(waiter, "aborted");
    if (waiter.kind !== "bare" && this.shut) return this.#log(waiter, "shut");
    this.waiters.push(waiter);
    this.waiters.sort((one, other) => one.id - other.id); // a waiter that re-enters keeps its number
    this.#serve();
  }

  leave(id: number): boolean {
    const before = this.waiters.length;
    this.waiters = this.waiters.filter((waiter) => waiter.id !== id);
    return this.waiters.length < before;
  }

  abort(group: number): void {
    this.aborted.add(group);
    this.#rejectAll((waiter) => waiter.group === group, "aborted");
  }

  close(): void {
    this.shut = true;
    this.#rejectAll(() => true, "shut");
  }

  advance(ms: number): void {
    this.now += ms;
    const late = this.waiters.filter((waiter) => waiter.due <= this.now).sort((a, b) => a.due - b.due || a.id - b.id);
    this.waiters = this.waiters.filter((waiter) => waiter.due > this.now);
    for (const waiter of late) this.#log(waiter, "timed out");
  }

  /** Gives back the lease granted to that waiter; of plain workers the oldest of the same worker. */
  release(id: number, worker: Pooled): void {
    const at = this.leases.findIndex((lease) =>
      this.mode === "plain" ? lease.entry.worker === worker : lease.id === id,
    );
    if (at < 0) return;
    for (const { entry } of this.leases.splice(at, 1)) {
      if (this.mode === "plain") this.free(entry);
      else this.returning.push(entry);
    }
  }

  free(entry: ModelEntry): void {
    if (entry.inUse === 0) return;
    entry.inUse--;
    if (!this.entries.includes(entry)) return;
    entry.since = this.#steps++;
    this.#serve();
  }

  setAvailability(worker: Pooled, availability: ModelEntry["availability"]): void {
    const entry = this.entryOf(worker);
    if (entry === undefined || entry.availability === availability) return;
    this.#change(() => (entry.availability = availability));
    entry.since = this.#steps++;
    this.#serve();
  }

  /** The entries that could be given now, in the order they would be. */
  get freeEntries(): ModelEntry[] {
    return this.entries
      .filter((entry) => entry.availability === "ready" && entry.inUse < entry.capacity)
      .sort((a, b) => a.inUse - b.inUse || a.since - b.since);
  }

  get usable(): ModelEntry[] {
    return this.entries.filter((entry) => entry.availability !== "suspect");
  }

  #change(change: () => void): void {
    const bare = this.waiters.filter(({ kind }) => kind === "bare");
    const before = bare.map((waiter) => this.usable.some(({ worker }) => matches(waiter, worker)));
    change();
    for (const [n, waiter] of bare.entries()) {
      const after = this.usable.some(({ worker }) => matches(waiter, worker));
      if (before[n] !== after) this.fleet.push(`${waiter.id} ${after}`);
    }
  }

  #remove(entry: ModelEntry): void {
    this.#change(() => (this.entries = this.entries.filter((other) => other !== entry)));
  }

  #close(worker: Pooled): void {
    this.closes.set(worker, (this.closes.get(worker) ?? 0) + 1);
  }

  #rejectAll(isMeant: (waiter: ModelWaiter) => boolean, why: string): void {
    const away = this.waiters.filter((waiter) => waiter.kind !== "bare" && isMeant(waiter));
    this.waiters = this.waiters.filter((waiter) => !away.includes(waiter));
    for (const waiter of away) this.#log(waiter, why);
  }

  #log(waiter: ModelWaiter, what: string): void {
    this.logs[waiter.kind].push(`${waiter.id} ${what}`);
  }

  #serve(): void {
    for (;;) {
      const waiter = this.waiters.find((one) => this.#entryFor(one) !== undefined);
      const entry = waiter === undefined ? undefined : this.#entryFor(waiter);
      if (waiter === undefined || entry === undefined) return;
      this.waiters = this.waiters.filter((other) => other !== waiter);
      this.#grant(waiter, entry);
    }
  }

  #entryFor(waiter: ModelWaiter): ModelEntry | undefined {
    const free = this.freeEntries.filter(({ worker }) => matches(waiter, worker));
    return free.find(({ worker }) => !waiter.avoid.has(worker)) ?? free[0];
  }

  #grant(waiter: ModelWaiter, entry: ModelEntry): void {
    const lease = { id: waiter.id, waiter, entry };
    entry.inUse++;
    entry.since = this.#steps++;
    this.#log(waiter, `${waiter.declines ? "declined" : "got"} ${entry.worker.name}`);
    if (waiter.declines) {
      entry.inUse--;
      entry.since = this.#steps++;
    } else if (waiter.kind === "bare") this.bare.push(lease);
    else this.leases.push(lease);
    if (waiter.kind === "context") this.contexts.push(lease);
  }
}
