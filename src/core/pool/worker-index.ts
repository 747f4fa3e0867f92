/**
 * The workers of a pool, and which of them to use next for a given selector. The waiters are in wait-queue.ts; scheduler.ts
 * brings both together.
 *
 * For a selector only workers with the rarest of its labels are looked at. Few of them are compared one by one. Many are
 * searched in the order of their use, past those that do not match. Where these are many too, an index of those that match is
 * kept (selector-index.ts), so that one worker of its kind is found at once among ten thousand others.
 */
import { WorkerSelector, type Selectable } from "./worker-selector.ts";
import { SelectorIndex } from "./selector-index.ts";
import { isUsedBefore, NO_LABELS, type WorkerEntry, LeastLoadedIndex } from "./least-loaded-index.ts";
import { SetMap } from "../collections/set-map.ts";
import type { Avoided } from "./waiter.ts";

const SCANS_BEFORE_INDEX = 64;
/** Up to so many candidates are compared one by one. */
const MAX_COMPARED = 16;
/** Selector indexes at a time, and entries in all of them: each follows the changes of its entries. */
const MAX_INDEXES = 256;
const MAX_INDEXED_ENTRIES = 320_000;

/** All entries of a pool. */
export class WorkerIndex<W extends Selectable & { readonly identity: string }> {
  readonly #entries = new Map<string, WorkerEntry<W>>();
  readonly #index: LeastLoadedIndex<W>;
  readonly #byLabel = new SetMap<string, WorkerEntry<W>>();
  readonly #byPrincipal = new SetMap<string | undefined, WorkerEntry<W>>();
  readonly #selectorIndexes = new Map<string, SelectorIndex<W>>();
  readonly #scansBeforeIndex: number;
  readonly #maxCompared: number;
  readonly #maxIndexedEntries: number;
  /** Workers that can be given work, now or as soon as a slot is free. */
  usable = 0;
  /** Their slots. */
  slots = 0;

  /**
   * @param prefetchLimitOf - How many jobs a worker can be sent beyond its slots now; absent: none.
   * @param scansBeforeIndex - How many entries a search passes over before a selector index is built.
   * @param maxIndexedEntries - How many entries all selector indexes together may have.
   */
  constructor(
    prefetchLimitOf?: (worker: W) => number,
    scansBeforeIndex: number = SCANS_BEFORE_INDEX,
    maxIndexedEntries: number = MAX_INDEXED_ENTRIES,
  ) {
    this.#index = new LeastLoadedIndex(prefetchLimitOf);
    this.#scansBeforeIndex = scansBeforeIndex;
    this.#maxIndexedEntries = maxIndexedEntries;
    this.#maxCompared = Math.min(scansBeforeIndex, MAX_COMPARED);
  }

  /** How many entries there are, whatever their availability. */
  get size(): number {
    return this.#entries.size;
  }

  /** The labels of all of them, each once. */
  get labels(): Iterable<string> {
    return this.#byLabel.keys();
  }

  /** How many have that label. */
  countWithLabel(label: string): number {
    return this.#byLabel.count(label);
  }

  /** How many jobs all of them together can be prefetched. */
  get prefetchLimit(): number {
    return this.#index.prefetchLimit;
  }

  /** The entry of that identity. */
  get(identity: string): WorkerEntry<W> | undefined {
    return this.#entries.get(identity);
  }

  /** Adds an entry. Its identity must be free. */
  add(entry: WorkerEntry<W>): void {
    const { identity, labels = NO_LABELS, peer } = entry.worker;
    this.#entries.set(identity, entry);
    // A copy in the entry: its worker's labels may change, and the entry must be found under these when it is deleted.
    entry.labels = labels.length > 0 ? [...labels] : NO_LABELS;
    entry.principal = peer?.principal;
    for (const label of entry.labels) this.#byLabel.add(label, entry);
    this.#byPrincipal.add(entry.principal, entry);
    if (entry.usable) this.count(entry, 1);
    this.#index.update(entry);
    for (const index of this.#selectorIndexes.values()) if (index.selector.matches(entry.worker)) index.add(entry);
  }

  /** Takes an entry out. */
  delete(entry: WorkerEntry<W>): void {
    this.#entries.delete(entry.worker.identity);
    for (const label of entry.labels) this.#byLabel.delete(label, entry);
    this.#byPrincipal.delete(entry.principal, entry);
    this.#index.delete(entry);
    for (const index of this.#selectorIndexes.values()) index.remove(entry);
    if (entry.usable) this.count(entry, -1);
  }

  /** Counts an entry as usable, or no longer. */
  count({ capacity }: WorkerEntry<W>, change: 1 | -1): void {
    this.usable += change;
    this.slots += change * capacity;
  }

  /** Updates the place of an entry. Call after each change to it. */
  place(entry: WorkerEntry<W>): void {
    this.#index.update(entry);
    if (entry.watchers !== undefined) this.#notify(entry);
  }

  /** The free entry to use next, if any; one whose worker is in `avoid` only when no other is free. */
  first(selector: WorkerSelector | undefined, avoid: Avoided<W> | undefined): WorkerEntry<W> | undefined {
    if (selector === undefined || this.#fitsAll(selector))
      return avoid === undefined ? this.#index.first() : this.#index.firstExcept(avoid);
    const few = this.#fewCandidates(selector);
    if (few !== undefined) return firstOf(few, selector, avoid);
    const index = this.#indexOf(selector);
    if (index !== undefined) return index.first(selector, avoid);
    const found = this.#index.search((worker) => selector.matches(worker), avoid, this.#scansBeforeIndex);
    return found === "unsure" ? this.#buildFor(selector).first(selector, avoid) : found;
  }

  /** The entry to prefetch a job to, if any. */
  firstForPrefetch(selector: WorkerSelector | undefined): WorkerEntry<W> | undefined {
    if (selector === undefined || this.#fitsAll(selector)) return this.#index.firstForPrefetch();
    const few = this.#fewCandidates(selector);
    if (few !== undefined) return firstForPrefetchOf(few, selector);
    const index = this.#indexOf(selector);
    if (index !== undefined) return index.firstForPrefetch(selector);
    const found = this.#index.searchForPrefetch((worker) => selector.matches(worker), this.#scansBeforeIndex);
    return found === "unsure" ? this.#buildFor(selector).firstForPrefetch(selector) : found;
  }

  /** The workers that can take a job now, in a slot or prefetched; absent when there are more than `limit`. */
  withRoom(limit: number): W[] | undefined {
    const found: W[] = [];
    for (const entries of [this.#index.free(), this.#index.prefetching()]) {
      for (const { worker } of entries) if (found.push(worker) > limit) return undefined;
    }
    return found;
  }

  /** Whether a matching worker can be given work, now or as soon as a slot is free. */
  hasCandidate(selector: WorkerSelector | undefined): boolean {
    if (selector === undefined || this.#fitsAll(selector)) return this.usable > 0;
    if (selector.labels.length === 0) return this.#hasUsableOutside(selector);
    const index = this.#indexOf(selector);
    if (index !== undefined) return index.hasCandidate(selector);
    let passed = 0;
    for (const entry of this.#candidates(selector)) {
      if (entry.usable && selector.matches(entry.worker)) return true;
      if (++passed > this.#scansBeforeIndex) return this.#buildFor(selector).hasCandidate(selector);
    }
    return false;
  }

  /** How many workers have a label, whatever their availability. */
  countWith(label: string): number {
    return this.#byLabel.count(label);
  }

  /** How many workers match, whatever their availability. */
  countMatching(selector: WorkerSelector | undefined): number {
    if (selector === undefined) return this.size;
    if (selector.labels.length > 0 || selector.excludedOffers.size > 0) return this.matching(selector).length;
    return this.size - this.#countOf(selector.excludedPrincipals);
  }

  /** The workers that match, whatever their availability. */
  matching(selector: WorkerSelector | undefined): W[] {
    const workers = [...(selector === undefined ? this.#entries.values() : this.#candidates(selector))].map(
      ({ worker }) => worker,
    );
    return selector === undefined ? workers : workers.filter((worker) => selector.matches(worker));
  }

  /** Whether every worker has the one label that it asks for: that of a task, in a fleet of one kind. */
  #fitsAll({ labels, excludedPrincipals, excludedOffers }: WorkerSelector): boolean {
    const [label] = labels;
    return (
      label !== undefined &&
      labels.length === 1 &&
      excludedPrincipals.size === 0 &&
      excludedOffers.size === 0 &&
      this.#byLabel.count(label) === this.#entries.size
    );
  }

  /** All entries that can match: those with the rarest label. */
  #candidates({ labels }: WorkerSelector): Iterable<WorkerEntry<W>> {
    return labels.length === 0 ? this.#entries.values() : this.#withRarest(labels);
  }

  #withRarest(labels: readonly string[]): ReadonlySet<WorkerEntry<W>> {
    let rarest: ReadonlySet<WorkerEntry<W>> | undefined;
    for (const label of labels) {
      const entries = this.#byLabel.get(label) ?? NONE;
      if (rarest === undefined || entries.size < rarest.size) rarest = entries;
    }
    return rarest ?? NONE;
  }

  /** All entries that can match, if they are few enough to compare them. */
  #fewCandidates({ labels, excludedPrincipals: except }: WorkerSelector): ReadonlySet<WorkerEntry<W>> | undefined {
    if (labels.length === 0) return this.#countOf(except) === this.size ? NONE : undefined;
    const entries = this.#withRarest(labels);
    return entries.size <= this.#maxCompared ? entries : undefined;
  }

  #countOf(principals: ReadonlySet<string>): number {
    let count = 0;
    for (const principal of principals) count += this.#byPrincipal.count(principal);
    return count;
  }

  #hasUsableOutside(selector: WorkerSelector): boolean {
    for (const [principal, entries] of this.#byPrincipal) {
      if (principal !== undefined && selector.excludedPrincipals.has(principal)) continue;
      for (const entry of entries) if (entry.usable && selector.matches(entry.worker)) return true;
    }
    return false;
  }

  #indexOf({ key }: WorkerSelector): SelectorIndex<W> | undefined {
    const index = this.#selectorIndexes.get(key);
    if (index !== undefined) index.idle = 0;
    return index;
  }

  /**
   * An index of the entries that match, and maybe of others: principals with few workers and single offers are not excluded
   * from it, so selectors that differ only in these share an index.
   */
  #buildFor(selector: WorkerSelector): SelectorIndex<W> {
    const { labels, excludedPrincipals: except, excludedOffers } = selector;
    const large = [...except].filter((principal) => this.#byPrincipal.count(principal) > this.#maxCompared);
    const isWide = large.length === except.size && excludedOffers.size === 0;
    const wide = isWide ? selector : new WorkerSelector(labels, new Set(large));
    return this.#indexOf(wide) ?? this.#build(wide);
  }

  #build(selector: WorkerSelector): SelectorIndex<W> {
    const candidates = [...this.#candidates(selector)];
    const index = new SelectorIndex<W>(selector, candidates.length);
    // In the order of their use, so that the index changes no choice.
    for (const entry of candidates.sort((one, other) => one.since - other.since)) {
      if (selector.matches(entry.worker)) index.add(entry);
    }
    index.idle = 0;
    this.#evictFor(index.size);
    this.#selectorIndexes.set(selector.key, index);
    return index;
  }

  /** Drops the indexes unused for longest until one of that size fits. */
  #evictFor(size: number): void {
    let entries = size;
    for (const index of this.#selectorIndexes.values()) entries += index.size;
    const idlest = [...this.#selectorIndexes.values()].sort((one, other) => one.idle - other.idle);
    while (this.#selectorIndexes.size >= MAX_INDEXES || entries > this.#maxIndexedEntries) {
      const index = idlest.pop();
      if (index === undefined) return;
      entries -= index.size;
      this.#drop(index.key);
    }
  }

  /** Drops an unused index once following the changes has cost as much as building it. */
  #notify(entry: WorkerEntry<W>): void {
    for (const watcher of entry.watchers ?? []) {
      watcher.entryChanged(entry);
      if (watcher.idle > watcher.cost + SCANS_BEFORE_INDEX) this.#drop(watcher.key);
    }
  }

  #drop(key: string): void {
    this.#selectorIndexes.get(key)?.clear();
    this.#selectorIndexes.delete(key);
  }
}

const NONE: ReadonlySet<never> = new Set<never>();

/** The free entry to use next of some. */
function firstOf<W extends Selectable>(
  entries: Iterable<WorkerEntry<W>>,
  selector: WorkerSelector,
  avoid: Avoided<W> | undefined,
): WorkerEntry<W> | undefined {
  let first: WorkerEntry<W> | undefined;
  let avoided: WorkerEntry<W> | undefined;
  for (const entry of entries) {
    if (!entry.isFree || !selector.matches(entry.worker)) continue;
    if (avoid?.has(entry.worker) === true) avoided = earlier(entry, avoided);
    else first = earlier(entry, first);
  }
  return first ?? avoided;
}

function earlier<W>(entry: WorkerEntry<W>, than: WorkerEntry<W> | undefined): WorkerEntry<W> {
  return than === undefined || isUsedBefore(entry, than) ? entry : than;
}

/** The entry of some to prefetch a job to. */
function firstForPrefetchOf<W extends Selectable>(
  entries: Iterable<WorkerEntry<W>>,
  selector: WorkerSelector,
): WorkerEntry<W> | undefined {
  let first: WorkerEntry<W> | undefined;
  for (const entry of entries) {
    if (!entry.isPrefetching || (first !== undefined && first.since < entry.since)) continue;
    if (selector.matches(entry.worker)) first = entry;
  }
  return first;
}
