/**
 * The order in which workers are used: the least loaded first, and among equals the one that has waited longest. From 16 jobs on
 * a worker the order is approximate. A worker moves from one bucket to the next, so choosing costs the same for ten workers and
 * ten thousand. Which workers match a selector is in worker-index.ts.
 */
import { LinkedQueue, type LinkedNode } from "../collections/linked-queue.ts";
import type { Avoided } from "./waiter.ts";

/** Whether a worker can be given work: only a `ready` one; a `congested` one can soon; a `suspect` one counts as absent. */
export type Availability = "ready" | "congested" | "suspect";

/** Follows each change to an entry. */
export interface EntryWatcher<W> {
  /** Unique among the watchers. */
  readonly key: string;
  /** Changes since it was last used. */
  readonly idle: number;
  /** What rebuilding it costs, in entries to look at. */
  readonly cost: number;
  /** The entry has a new place in the index. */
  entryChanged(entry: WorkerEntry<W>): void;
}

/** Which workers will do. */
export type Matches<W> = (worker: W) => boolean;

/** The labels of a worker without any: the same list for all of them. */
export const NO_LABELS: readonly string[] = [];

/** One worker in the pool, and how many of its slots are in use. */
export class WorkerEntry<W> implements LinkedNode<WorkerEntry<W>> {
  readonly worker: W;
  /** Its slots; 0: it can be given nothing for now. */
  capacity: number;
  /** Slots granted and not freed yet; over `capacity` while jobs are prefetched. */
  inUse = 0;
  /** How many of them are leased: their holder may leave them idle. */
  leased = 0;
  /** Whether jobs wait at its worker, though it has slots: those of other runners have them. */
  hasParked = false;
  /** How many jobs it could be prefetched at its last update. */
  prefetchLimit = 0;
  availability: Availability = "ready";
  /** Step number of its entry into the bucket: the order within a bucket. */
  since = 0;
  /** @internal The labels and the principal its worker is filed under. */
  labels: readonly string[] = NO_LABELS;
  /** @internal */
  principal: string | undefined;
  /** Absent: no watcher. */
  watchers: Set<EntryWatcher<W>> | undefined;
  /** The queue of the index it is in, typed; the same object as `list`. */
  bucket: LinkedQueue<WorkerEntry<W>> | undefined;
  list: object | undefined;
  previous: WorkerEntry<W> | undefined;
  next: WorkerEntry<W> | undefined;

  constructor(worker: W, capacity: number) {
    this.worker = worker;
    this.capacity = capacity;
  }

  /** Slots that are not granted. */
  get freeSlots(): number {
    return this.capacity - this.inUse;
  }

  /** Whether its worker can be given work, now or as soon as a slot is free. */
  get usable(): boolean {
    return this.availability !== "suspect" && this.capacity > 0;
  }

  /** Whether the index has it among the free entries. */
  get isFree(): boolean {
    return this.bucket !== undefined && this.inUse < this.capacity;
  }

  /** Whether the index has it among the entries that can be prefetched a job. */
  get isPrefetching(): boolean {
    return this.bucket !== undefined && this.inUse >= this.capacity;
  }
}

/** Loads below this have a bucket each; above, 16 loads share one. */
const EXACT_LOADS = 16;
const SHARED_BITS = 4;

/** The bucket of a load. Shared buckets give a busy worker several jobs in a row, which keeps batches together. */
function bucketNumber(load: number): number {
  return load < EXACT_LOADS ? load : EXACT_LOADS + ((load - EXACT_LOADS) >> SHARED_BITS);
}

/** Whether one free entry is to be used before another. */
export function isUsedBefore(one: WorkerEntry<unknown>, other: WorkerEntry<unknown>): boolean {
  const difference = bucketNumber(one.inUse) - bucketNumber(other.inUse);
  return difference < 0 || (difference === 0 && one.since < other.since);
}

/** The free entries by load, and those that can be prefetched a job. */
export class LeastLoadedIndex<W> {
  readonly #byLoad: LinkedQueue<WorkerEntry<W>>[] = [];
  readonly #prefetching = new LinkedQueue<WorkerEntry<W>>();
  readonly #prefetchLimitOf: ((worker: W) => number) | undefined;
  #lowest = 0;
  #steps = 0;
  /** How many jobs all entries together can be prefetched. */
  prefetchLimit = 0;

  /** @param prefetchLimitOf - How many jobs a worker can be sent beyond its slots now; absent: none. */
  constructor(prefetchLimitOf?: (worker: W) => number) {
    this.#prefetchLimitOf = prefetchLimitOf;
  }

  /** Moves an entry to the bucket of its load, or out when it can take no job. Call after each change to the entry. */
  update(entry: WorkerEntry<W>): void {
    const bucket = this.#bucketFor(entry);
    const keepsOrder = bucket === this.#prefetching || entry.inUse >= EXACT_LOADS;
    if (bucket === entry.bucket && bucket !== undefined && keepsOrder) return;
    this.remove(entry);
    entry.bucket = bucket;
    entry.since = ++this.#steps;
    bucket?.push(entry);
  }

  /** Takes an entry out. */
  remove(entry: WorkerEntry<W>): void {
    entry.bucket?.remove(entry);
    entry.bucket = undefined;
  }

  /** Takes an entry out for good. */
  delete(entry: WorkerEntry<W>): void {
    this.remove(entry);
    this.#setPrefetchLimit(entry, 0);
  }

  #setPrefetchLimit(entry: WorkerEntry<W>, prefetchLimit: number): void {
    this.prefetchLimit += prefetchLimit - entry.prefetchLimit;
    entry.prefetchLimit = prefetchLimit;
  }

  #bucketFor(entry: WorkerEntry<W>): LinkedQueue<WorkerEntry<W>> | undefined {
    const { inUse, capacity } = entry;
    if (this.#prefetchLimitOf !== undefined) this.#setPrefetchLimit(entry, this.#prefetchLimitOf(entry.worker));
    if (entry.availability !== "ready") return undefined;
    if (inUse < capacity) {
      const number = bucketNumber(inUse);
      if (number < this.#lowest) this.#lowest = number;
      return this.#bucket(number);
    }
    // Do not prefetch to a leased worker: the lease has no time limit.
    return entry.leased === 0 && capacity > 0 && inUse < capacity + entry.prefetchLimit ? this.#prefetching : undefined;
  }

  /** The entry to prefetch a job to, if any. */
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
    for (const bucket of this.#byLoad) {
      for (const entry of bucket) if (!avoid.has(entry.worker)) return entry;
    }
    return this.first();
  }

  /**
   * The free entry to use next among those that match; one in `avoid` only when no other is free. `"unsure"` when the search
   * has passed over more than `limit` entries.
   */
  search(matches: Matches<W>, avoid: Avoided<W> | undefined, limit: number): WorkerEntry<W> | undefined | "unsure" {
    let avoided: WorkerEntry<W> | undefined;
    let passed = 0;
    for (const bucket of this.#byLoad) {
      for (const entry of bucket) {
        if (!matches(entry.worker)) passed++;
        else if (avoid?.has(entry.worker) === true) avoided ??= entry;
        else return entry;
        if (passed > limit) return "unsure";
      }
    }
    return avoided;
  }

  /** The free entries in the order of their use. */
  *free(): Generator<WorkerEntry<W>> {
    for (const bucket of this.#byLoad) yield* bucket;
  }

  /** The entries that can be prefetched a job, in the order of their use. */
  prefetching(): Iterable<WorkerEntry<W>> {
    return this.#prefetching;
  }

  /** The entry to prefetch a job to among those that match. `"unsure"`: as for `search`. */
  searchForPrefetch(matches: Matches<W>, limit: number): WorkerEntry<W> | undefined | "unsure" {
    let passed = 0;
    for (const entry of this.#prefetching) {
      if (matches(entry.worker)) return entry;
      if (++passed > limit) return "unsure";
    }
    return undefined;
  }

  #bucket(number: number): LinkedQueue<WorkerEntry<W>> {
    for (let next = this.#byLoad.length; next <= number; next++) this.#byLoad.push(new LinkedQueue<WorkerEntry<W>>());
    const bucket = this.#byLoad[number];
    if (bucket === undefined) throw new RangeError(`no bucket ${number}`);
    return bucket;
  }
}
