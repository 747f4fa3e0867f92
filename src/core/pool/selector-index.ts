/**
 * The workers that match one selector, in the order of their use: an index like that of all workers, with entries of its own.
 * Made where a search among all of them takes too long, and dropped when it is not used: worker-index.ts decides both.
 */
import type { WorkerSelector, Selectable } from "./worker-selector.ts";
import { WorkerEntry, LeastLoadedIndex, type EntryWatcher } from "./least-loaded-index.ts";
import type { Avoided } from "./waiter.ts";

/** An index of the entries that match a selector. */
export class SelectorIndex<W extends Selectable> implements EntryWatcher<W> {
  /** What they match. */
  readonly selector: WorkerSelector;
  readonly #index = new LeastLoadedIndex<WorkerEntry<W>>();
  readonly #entries = new Map<WorkerEntry<W>, WorkerEntry<WorkerEntry<W>>>();
  /** How many of its entries can be given work. */
  usable = 0;
  /** Changes it has followed since it was last used. */
  idle = 0;
  /** How many entries were looked at to build it. */
  readonly cost: number;

  constructor(selector: WorkerSelector, cost: number) {
    this.selector = selector;
    this.cost = cost;
  }

  /** How many entries it has. */
  get size(): number {
    return this.#entries.size;
  }

  get key(): string {
    return this.selector.key;
  }

  /** Adds an entry, once, and follows it from now on. */
  add(entry: WorkerEntry<W>): void {
    if (this.#entries.has(entry)) return;
    const record = new WorkerEntry(entry, entry.capacity);
    if (record.usable) this.usable++;
    this.#entries.set(entry, record);
    (entry.watchers ??= new Set()).add(this);
    this.entryChanged(entry);
  }

  /** Takes an entry out. */
  remove(entry: WorkerEntry<W>): void {
    const record = this.#entries.get(entry);
    if (record === undefined) return;
    if (record.usable) this.usable--;
    this.#index.remove(record);
    this.#entries.delete(entry);
    entry.watchers?.delete(this);
    if (entry.watchers?.size === 0) entry.watchers = undefined;
  }

  /** Takes all of them out. */
  clear(): void {
    for (const entry of this.#entries.keys()) this.remove(entry);
  }

  entryChanged(entry: WorkerEntry<W>): void {
    const record = this.#entries.get(entry);
    if (record === undefined) return;
    this.idle++;
    if (record.usable !== entry.usable) this.usable += entry.usable ? 1 : -1;
    record.inUse = entry.inUse;
    record.leased = entry.leased;
    record.prefetchLimit = entry.prefetchLimit;
    record.availability = entry.availability;
    this.#index.update(record);
  }

  /** Whether a matching entry can be given work. `selector` may be narrower than that of the index. */
  hasCandidate(selector: WorkerSelector): boolean {
    if (selector.key === this.key || this.usable === 0) return this.usable > 0;
    for (const entry of this.#entries.keys()) if (entry.usable && selector.matches(entry.worker)) return true;
    return false;
  }

  /**
   * The free entry to use next among those that match; one whose worker is in `avoid` only when no other is free.
   */
  first(selector: WorkerSelector, avoid: Avoided<W> | undefined): WorkerEntry<W> | undefined {
    if (avoid === undefined && selector.key === this.key) return this.#index.first()?.worker;
    let avoided: WorkerEntry<W> | undefined;
    for (const { worker: entry } of this.#index.free()) {
      if (!selector.matches(entry.worker)) continue;
      if (avoid?.has(entry.worker) !== true) return entry;
      avoided ??= entry;
    }
    return avoided;
  }

  /** The entry to prefetch a job to among those that match, if any. */
  firstForPrefetch(selector: WorkerSelector): WorkerEntry<W> | undefined {
    if (selector.key === this.key) return this.#index.firstForPrefetch()?.worker;
    for (const { worker: entry } of this.#index.prefetching()) if (selector.matches(entry.worker)) return entry;
    return undefined;
  }
}
