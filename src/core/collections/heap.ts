/**
 * A binary heap whose entries know their own place. Any entry can be removed or moved without a search, and no step
 * allocates. The order is the caller's: see timer-queue.ts for times, selector-queues.ts for order of arrival.
 */

/** What an {@link IndexedHeap} holds. An entry is in one heap at a time. */
export interface HeapEntry {
  /** @internal Index in the heap, or -1. */
  place: number;
}

/** A min-heap: `first` is the entry that comes before all others. */
export class IndexedHeap<E extends HeapEntry> {
  readonly #entries: E[] = [];
  readonly #isBefore: (one: E, other: E) => boolean;

  /** @param isBefore - A strict order. Call `update` for an entry whose position in this order has changed. */
  constructor(isBefore: (one: E, other: E) => boolean) {
    this.#isBefore = isBefore;
  }

  /** Number of entries. */
  get size(): number {
    return this.#entries.length;
  }

  /** The entry that comes before all others. */
  get first(): E | undefined {
    return this.#entries[0];
  }

  /** Adds an entry, which must be in no heap. */
  push(entry: E): void {
    entry.place = this.#entries.length;
    this.#entries.push(entry);
    this.#moveUp(entry);
  }

  /** Removes an entry; `false` when it is not in this heap. */
  remove(entry: E): boolean {
    const { place } = entry;
    if (place < 0 || this.#entries[place] !== entry) return false;
    const last = this.#entries.pop();
    entry.place = -1;
    if (last === undefined || last === entry) return true;
    this.#entries[place] = last;
    last.place = place;
    this.update(last);
    return true;
  }

  /** Restores the order after the position of one entry has changed. */
  update(entry: E): void {
    this.#moveUp(entry);
    this.#moveDown(entry);
  }

  /** Visits entries, each before those below it. `visit` returns whether to go on below that entry. */
  walk(visit: (entry: E) => boolean, place = 0): void {
    const entry = this.#entries[place];
    if (entry === undefined || !visit(entry)) return;
    this.walk(visit, 2 * place + 1);
    this.walk(visit, 2 * place + 2);
  }

  #moveUp(entry: E): void {
    let { place } = entry;
    while (place > 0) {
      const parentPlace = (place - 1) >> 1;
      const parent = this.#entries[parentPlace];
      if (parent === undefined || !this.#isBefore(entry, parent)) break;
      this.#entries[place] = parent;
      parent.place = place;
      place = parentPlace;
    }
    this.#entries[place] = entry;
    entry.place = place;
  }

  #moveDown(entry: E): void {
    let { place } = entry;
    for (;;) {
      let childPlace = 2 * place + 1;
      let child = this.#entries[childPlace];
      if (child === undefined) break;
      const right = this.#entries[childPlace + 1];
      if (right !== undefined && this.#isBefore(right, child)) {
        child = right;
        childPlace++;
      }
      if (!this.#isBefore(child, entry)) break;
      this.#entries[place] = child;
      child.place = place;
      place = childPlace;
    }
    this.#entries[place] = entry;
    entry.place = place;
  }
}
