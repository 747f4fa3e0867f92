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
/** So many candidates are compared one by one. */
const MAX_COMPARED = 16;
/** Views at a time, and entries in all of them: each has to follow the changes of its entries. */
const MAX_VIEWS = 256;
const MAX_VIEW_SEATS = 320_000;

/** All entries of a pool. */
export class WorkerIndex<W extends Selectable & { readonly identity: string }> {
  readonly #entries = new Map<string, WorkerEntry<W>>();
  readonly #index: LeastLoadedIndex<W>;
  readonly #byLabel = new SetMap<string, WorkerEntry<W>>();
  readonly #byPrincipal = new SetMap<string | undefined, WorkerEntry<W>>();
  readonly #views = new Map<string, SelectorIndex<W>>();
  readonly #scansBeforeIndex: number;
  readonly #maxCompared: number;
  readonly #maxViewSeats: number;
  /** Seats that can be given work, now or as soon as a slot is free. */
  usable = 0;
  /** Their slots. */
  slots = 0;

  /**
   * @param prefetchLimitOf - How many jobs a worker can be sent beyond its slots now; absent: none.
   * @param scansBeforeIndex - How many entries are passed over in a search before a view is made.
   * @param maxViewSeats - How many entries all views together may have.
   */
  constructor(
    prefetchLimitOf?: (worker: W) => number,
    scansBeforeIndex: number = SCANS_BEFORE_INDEX,
    maxViewSeats: number = MAX_VIEW_SEATS,
  ) {
    this.#index = new LeastLoadedIndex(prefetchLimitOf);
    this.#scansBeforeIndex = scansBeforeIndex;
    this.#maxViewSeats = maxViewSeats;
    this.#maxCompared = Math.min(scansBeforeIndex, MAX_COMPARED);
  }

  /** How many entries there are, whatever their standing. */
  get size(): number {
    return this.#entries.size;
  }

  /** How many jobs all of them together can be prefetched. */
  get prefetchLimit(): number {
    return this.#index.prefetchLimit;
  }

  /** The entry of that identity. */
  get(identity: string): WorkerEntry<W> | undefined {
    return this.#entries.get(identity);
  }

  /** Adds a entry; nobody of its identity may be there. */
  add(entry: WorkerEntry<W>): void {
    const { identity, labels = NO_LABELS, peer } = entry.worker;
    this.#entries.set(identity, entry);
    // Kept with the entry: what it is filed under is what it has to be found under when it goes.
    if (labels.length > 0) entry.labels = [...labels];
    entry.principal = peer?.principal;
    for (const label of entry.labels) this.#byLabel.add(label, entry);
    this.#byPrincipal.add(entry.principal, entry);
    this.count(entry, 1);
    this.#index.update(entry);
    for (const view of this.#views.values()) if (view.selector.matches(entry.worker)) view.add(entry);
  }

  /** Takes a entry out. */
  delete(entry: WorkerEntry<W>): void {
    this.#entries.delete(entry.worker.identity);
    for (const label of entry.labels) this.#byLabel.delete(label, entry);
    this.#byPrincipal.delete(entry.principal, entry);
    this.#index.delete(entry);
    for (const view of this.#views.values()) view.remove(entry);
    if (entry.usable) this.count(entry, -1);
  }

  /** Counts a entry as usable, or no more. */
  count({ capacity }: WorkerEntry<W>, change: 1 | -1): void {
    this.usable += change;
    this.slots += change * capacity;
  }

  /** Puts a entry where its load says. Call after each change to it. */
  place(entry: WorkerEntry<W>): void {
    this.#index.update(entry);
    if (entry.watchers !== undefined) this.#tell(entry);
  }

  /** The free entry to use next, if any; one whose worker is in `avoid` only when no other is free. */
  first(selector: WorkerSelector | undefined, avoid: Avoided<W> | undefined): WorkerEntry<W> | undefined {
    if (selector === undefined) return avoid === undefined ? this.#index.first() : this.#index.firstExcept(avoid);
    const few = this.#fewFor(selector);
    if (few !== undefined) return firstOf(few, selector, avoid);
    const view = this.#known(selector);
    if (view !== undefined) return view.first(selector, avoid);
    const found = this.#index.search((worker) => selector.matches(worker), avoid, this.#scansBeforeIndex);
    return found === "unsure" ? this.#viewFor(selector).first(selector, avoid) : found;
  }

  /** The entry to send a job ahead to, if any. */
  firstForPrefetch(selector: WorkerSelector | undefined): WorkerEntry<W> | undefined {
    if (selector === undefined) return this.#index.firstForPrefetch();
    const few = this.#fewFor(selector);
    if (few !== undefined) return firstForPrefetchOf(few, selector);
    const view = this.#known(selector);
    if (view !== undefined) return view.firstForPrefetch(selector);
    const found = this.#index.searchForPrefetch((worker) => selector.matches(worker), this.#scansBeforeIndex);
    return found === "unsure" ? this.#viewFor(selector).firstForPrefetch(selector) : found;
  }

  /** The workers with room for a job, in a slot or ahead of one; absent when there are more than `most`. */
  withRoom(most: number): W[] | undefined {
    const found: W[] = [];
    for (const entries of [this.#index.free(), this.#index.prefetching()]) {
      for (const { worker } of entries) if (found.push(worker) > most) return undefined;
    }
    return found;
  }

  /** Whether a worker that fits can be given work, now or as soon as a slot is free. */
  hasCandidate(selector: WorkerSelector | undefined): boolean {
    if (selector === undefined) return this.usable > 0;
    if (selector.labels.length === 0) return this.#servesExcept(selector.excludedPrincipals);
    const view = this.#known(selector);
    if (view !== undefined) return view.hasCandidate(selector);
    let passed = 0;
    for (const entry of this.#candidates(selector)) {
      if (entry.usable && selector.matches(entry.worker)) return true;
      if (++passed > this.#scansBeforeIndex) return this.#viewFor(selector).hasCandidate(selector);
    }
    return false;
  }

  /** How many workers have a label, whatever their standing. */
  countWith(label: string): number {
    return this.#byLabel.count(label);
  }

  /** How many workers fit, whatever their standing. */
  countMatching(selector: WorkerSelector | undefined): number {
    if (selector === undefined) return this.size;
    if (selector.labels.length > 0) return this.matching(selector).length;
    return this.size - this.#countOf(selector.excludedPrincipals);
  }

  /** The workers that fit, whatever their standing. */
  matching(selector: WorkerSelector | undefined): W[] {
    const workers = [...(selector === undefined ? this.#entries.values() : this.#candidates(selector))].map(
      ({ worker }) => worker,
    );
    return selector === undefined ? workers : workers.filter((worker) => selector.matches(worker));
  }

  /** All entries that can fit: those with the rarest label. */
  #candidates({ labels }: WorkerSelector): Iterable<WorkerEntry<W>> {
    return labels.length === 0 ? this.#entries.values() : this.#withRarest(labels);
  }

  #withRarest(labels: readonly string[]): ReadonlySet<WorkerEntry<W>> {
    let rarest: ReadonlySet<WorkerEntry<W>> | undefined;
    for (const label of labels) {
      const entries = this.#byLabel.get(label) ?? NOBODY;
      if (rarest === undefined || entries.size < rarest.size) rarest = entries;
    }
    return rarest ?? NOBODY;
  }

  /** All entries that can fit, when they are so few that comparing them is the quickest way. */
  #fewFor({ labels, excludedPrincipals: except }: WorkerSelector): ReadonlySet<WorkerEntry<W>> | undefined {
    if (labels.length === 0) return this.#countOf(except) === this.size ? NOBODY : undefined;
    const entries = this.#withRarest(labels);
    return entries.size <= this.#maxCompared ? entries : undefined;
  }

  #countOf(principals: ReadonlySet<string>): number {
    let count = 0;
    for (const principal of principals) count += this.#byPrincipal.count(principal);
    return count;
  }

  #servesExcept(principals: ReadonlySet<string>): boolean {
    for (const [principal, entries] of this.#byPrincipal) {
      if (principal !== undefined && principals.has(principal)) continue;
      for (const entry of entries) if (entry.usable) return true;
    }
    return false;
  }

  #known({ key }: WorkerSelector): SelectorIndex<W> | undefined {
    const view = this.#views.get(key);
    if (view !== undefined) view.idle = 0;
    return view;
  }

  /**
   * A view of the entries that fit, and maybe some others. Principals with few workers are not left out of it, so that demands
   * that differ only in these share a view.
   */
  #viewFor(selector: WorkerSelector): SelectorIndex<W> {
    const { labels, excludedPrincipals: except } = selector;
    const crowds = [...except].filter((principal) => this.#byPrincipal.count(principal) > this.#maxCompared);
    const wide = crowds.length === except.size ? selector : new WorkerSelector(labels, new Set(crowds));
    return this.#known(wide) ?? this.#makeView(wide);
  }

  #makeView(selector: WorkerSelector): SelectorIndex<W> {
    const candidates = [...this.#candidates(selector)];
    const view = new SelectorIndex<W>(selector, candidates.length);
    // In the order of their use, so that a view changes no choice.
    for (const entry of candidates.sort((one, other) => one.since - other.since)) {
      if (selector.matches(entry.worker)) view.add(entry);
    }
    view.idle = 0;
    this.#makeRoom(view.size);
    this.#views.set(selector.key, view);
    return view;
  }

  /** Drops views that were not of use for long until there is room for one of that size. */
  #makeRoom(size: number): void {
    let entries = size;
    for (const view of this.#views.values()) entries += view.size;
    const idlest = [...this.#views.values()].sort((one, other) => one.idle - other.idle);
    while (this.#views.size >= MAX_VIEWS || entries > this.#maxViewSeats) {
      const view = idlest.pop();
      if (view === undefined) return;
      entries -= view.size;
      this.#drop(view.key);
    }
  }

  /** A view that is of no use any more goes once following the changes has cost as much as making it anew would. */
  #tell(entry: WorkerEntry<W>): void {
    for (const watcher of entry.watchers ?? []) {
      watcher.entryChanged(entry);
      if (watcher.idle > watcher.cost + SCANS_BEFORE_INDEX) this.#drop(watcher.key);
    }
  }

  #drop(key: string): void {
    this.#views.get(key)?.clear();
    this.#views.delete(key);
  }
}

const NOBODY: ReadonlySet<never> = new Set<never>();

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

/** The entry of some to send a job ahead to. */
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
