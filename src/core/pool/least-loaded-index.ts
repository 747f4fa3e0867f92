/**
 * The order in which workers are used: the least loaded first, and among equals the one that has waited longest. From 16 jobs on
 * a worker the order is approximate. A worker moves from one bucket to the next, so choosing costs the same for ten workers and
 * ten thousand. Which workers match a selector is in worker-index.ts.
 */
import { LinkedQueue, type LinkedNode } from "../collections/linked-queue.ts";
import type { Avoided } from "./waiter.ts";

/** Whether a worker can be given work: only a `ready` one; a `congested` one can soon; a `suspect` one counts as absent. */
export type Availability = "ready" | "congested" | "suspect";

/** Who is told of each change to a entry. */
export interface EntryWatcher<W> {
  /** Names it among the watchers. */
  readonly key: string;
  /** How often it was told since that was last of use. */
  readonly idle: number;
  /** What making it anew would cost, in entries to look at. */
  readonly cost: number;
  /** The entry was placed anew. */
  entryChanged(entry: WorkerEntry<W>): void;
}

/** Which workers will do. */
export type Matches<W> = (worker: W) => boolean;

/** The labels of a worker without any: the same list for all of them. */
export const NO_LABELS: readonly string[] = [];

/** One worker's place in the pool, and how many of its slots are leased. */
export class WorkerEntry<W> implements LinkedNode<WorkerEntry<W>> {
  readonly worker: W;
  readonly capacity: number;
  /** Slots handed out and not yet given back; over `capacity` while jobs were prefetched. */
  inUse = 0;
  /** How many of them somebody holds who may not be using them. */
  leased = 0;
  /** How many it could be prefetched when it was last placed. */
  prefetchLimit = 0;
  availability: Availability = "ready";
  /** When it was put into its line, counted in such steps: orders those of one line. */
  since = 0;
  /** @internal The labels and the principal its worker is filed under. */
  labels: readonly string[] = NO_LABELS;
  /** @internal */
  principal: string | undefined;
  /** Who watches it; absent: nobody. */
  watchers: Set<EntryWatcher<W>> | undefined;
  /** The line it stands in, once more: the one it was put into. */
  bucket: LinkedQueue<WorkerEntry<W>> | undefined;
  list: object | undefined;
  previous: WorkerEntry<W> | undefined;
  next: WorkerEntry<W> | undefined;

  constructor(worker: W, capacity: number) {
    this.worker = worker;
    this.capacity = capacity;
  }

  /** Slots that are not handed out. */
  get freeSlots(): number {
    return this.capacity - this.inUse;
  }

  /** Whether its worker can be given work, now or as soon as a slot is free. */
  get usable(): boolean {
    return this.availability !== "suspect";
  }

  /** Whether it was last placed among the free ones. */
  get isFree(): boolean {
    return this.bucket !== undefined && this.inUse < this.capacity;
  }

  /** Whether it was last placed among those that can be sent a job ahead. */
  get isPrefetching(): boolean {
    return this.bucket !== undefined && this.inUse >= this.capacity;
  }
}

/** Loads up to here have a line each; above, so many share one. */
const EXACT = 16;
const SHARED_BITS = 4;

/** The line of a load: a busy worker is given a run of jobs before it is the next one's turn, which keeps batches together. */
function bucketNumber(load: number): number {
  return load < EXACT ? load : EXACT + ((load - EXACT) >> SHARED_BITS);
}

/** Whether one free entry is to be used before another. */
export function isUsedBefore(one: WorkerEntry<unknown>, other: WorkerEntry<unknown>): boolean {
  const difference = bucketNumber(one.inUse) - bucketNumber(other.inUse);
  return difference < 0 || (difference === 0 && one.since < other.since);
}

/** The free entries by load, and those that can be sent a job ahead. */
export class LeastLoadedIndex<W> {
  readonly #byLoad: LinkedQueue<WorkerEntry<W>>[] = [];
  readonly #prefetching = new LinkedQueue<WorkerEntry<W>>();
  readonly #prefetchLimitOf: ((worker: W) => number) | undefined;
  #lowest = 0;
  #steps = 0;
  /** How many all of them together can be prefetched. */
  prefetchLimit = 0;

  /** @param prefetchLimitOf - How many jobs a worker can be sent beyond its slots now; absent: none. */
  constructor(prefetchLimitOf?: (worker: W) => number) {
    this.#prefetchLimitOf = prefetchLimitOf;
  }

  /** Puts a entry where its load says, or takes it out when it has no room. Call after each change to the entry. */
  update(entry: WorkerEntry<W>): void {
    const line = this.#bucketFor(entry);
    if (line === entry.bucket && line !== undefined && (line === this.#prefetching || entry.inUse >= EXACT)) return;
    this.remove(entry);
    entry.bucket = line;
    entry.since = ++this.#steps;
    line?.push(entry);
  }

  /** Takes a entry out. */
  remove(entry: WorkerEntry<W>): void {
    entry.bucket?.remove(entry);
    entry.bucket = undefined;
  }

  /** Takes a entry out for good. */
  delete(entry: WorkerEntry<W>): void {
    this.remove(entry);
    this.#allow(entry, 0);
  }

  #allow(entry: WorkerEntry<W>, prefetchLimit: number): void {
    this.prefetchLimit += prefetchLimit - entry.prefetchLimit;
    entry.prefetchLimit = prefetchLimit;
  }

  #bucketFor(entry: WorkerEntry<W>): LinkedQueue<WorkerEntry<W>> | undefined {
    const { inUse: leases, capacity } = entry;
    if (this.#prefetchLimitOf !== undefined) this.#allow(entry, this.#prefetchLimitOf(entry.worker));
    if (entry.availability !== "ready") return undefined;
    if (leases < capacity) {
      const number = bucketNumber(leases);
      if (number < this.#lowest) this.#lowest = number;
      return this.#bucket(number);
    }
    // Behind a slot that somebody holds a job could wait for as long as he pleases.
    return entry.leased === 0 && leases < capacity + entry.prefetchLimit ? this.#prefetching : undefined;
  }

  /** The entry to send a job ahead to, if any. */
  firstForPrefetch(): WorkerEntry<W> | undefined {
    return this.#prefetching.first;
  }

  /** The free entry to use next, if any. */
  first(): WorkerEntry<W> | undefined {
    for (; this.#lowest < this.#byLoad.length; this.#lowest++) {
      const entry = this.#bucket(this.#lowest).first;
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  /** The free entry to use next among those that are not in `avoid`, or just the next one when all are. */
  firstExcept(avoid: Avoided<W>): WorkerEntry<W> | undefined {
    for (const line of this.#byLoad) {
      for (const entry of line) if (!avoid.has(entry.worker)) return entry;
    }
    return this.first();
  }

  /**
   * The free entry to use next among those that fit; one in `avoid` only when no other is free. `"unsure"` when more than
   * `most` were passed over and it has yet to be found.
   */
  search(fits: Matches<W>, avoid: Avoided<W> | undefined, most: number): WorkerEntry<W> | undefined | "unsure" {
    let avoided: WorkerEntry<W> | undefined;
    let passed = 0;
    for (const line of this.#byLoad) {
      for (const entry of line) {
        if (!fits(entry.worker)) passed++;
        else if (avoid?.has(entry.worker) === true) avoided ??= entry;
        else return entry;
        if (passed > most) return "unsure";
      }
    }
    return avoided;
  }

  /** The free entries in the order of their use. */
  *free(): Generator<WorkerEntry<W>> {
    for (const line of this.#byLoad) yield* line;
  }

  /** Those that can be sent a job ahead, in the order of their use. */
  prefetching(): Iterable<WorkerEntry<W>> {
    return this.#prefetching;
  }

  /** The entry to send a job ahead to among those that fit. `"unsure"`: as for `search`. */
  searchForPrefetch(fits: Matches<W>, most: number): WorkerEntry<W> | undefined | "unsure" {
    let passed = 0;
    for (const entry of this.#prefetching) {
      if (fits(entry.worker)) return entry;
      if (++passed > most) return "unsure";
    }
    return undefined;
  }

  #bucket(number: number): LinkedQueue<WorkerEntry<W>> {
    for (let next = this.#byLoad.length; next <= number; next++) this.#byLoad.push(new LinkedQueue<WorkerEntry<W>>());
    const line = this.#byLoad[number];
    if (line === undefined) throw new RangeError(`no line ${number}`);
    return line;
  }
}
