/**
 * The waiters of each selector, and an index of these queues: which of them match a worker, and which of those has waited
 * longest. A queue is filed under one label of its selector, the one that the fewest workers have, so a worker looks only at
 * queues filed under its own labels, the oldest first. See wait-queue.ts for the queue of a pool as a whole.
 */
import type { WorkerSelector, Selectable } from "./worker-selector.ts";
import { type HeapEntry, IndexedHeap } from "../collections/heap.ts";
import { LinkedQueue } from "../collections/linked-queue.ts";
import type { Waiter } from "./waiter.ts";

/** The waiters with one selector, first come first served. */
export class SelectorQueue<W> implements HeapEntry {
  readonly selector: WorkerSelector;
  readonly waiters: LinkedQueue<Waiter<W>> = new LinkedQueue<Waiter<W>>();
  /** Position among all queues in the order of creation. */
  readonly sequence: number;
  /** Whether there is a usable worker that matches. */
  hasCandidates: boolean;
  place = -1;
  /** @internal Where it is filed; absent: nowhere. */
  bucket: Bucket<W> | undefined;
  /** @internal The group of the bucket it is in; absent: the selector excludes no principal. */
  group: ExclusionGroup<W> | undefined;

  constructor(selector: WorkerSelector, sequence: number, hasCandidates: boolean) {
    this.selector = selector;
    this.sequence = sequence;
    this.hasCandidates = hasCandidates;
  }

  /** Sequence number of its oldest waiter. */
  get headSequence(): number {
    return this.waiters.first?.sequence ?? Number.POSITIVE_INFINITY;
  }
}

interface Headed {
  readonly headSequence: number;
}

function isOlder(one: Headed, other: Headed): boolean {
  return one.headSequence < other.headSequence;
}

/** Queues that all exclude one principal: a worker of that principal skips them at once. */
class ExclusionGroup<W> implements HeapEntry {
  readonly principal: string;
  readonly queues: IndexedHeap<SelectorQueue<W>> = new IndexedHeap<SelectorQueue<W>>(isOlder);
  place = -1;

  constructor(principal: string) {
    this.principal = principal;
  }

  get headSequence(): number {
    return this.queues.first?.headSequence ?? Number.POSITIVE_INFINITY;
  }
}

/** The queues of one bucket that exclude principals. */
class Exclusions<W> {
  readonly #groups = new Map<string, ExclusionGroup<W>>();
  readonly #order = new IndexedHeap<ExclusionGroup<W>>(isOlder);
  /** How many of the queues exclude a principal. */
  readonly #counts = new Map<string, number>();

  get size(): number {
    return this.#groups.size;
  }

  add(queue: SelectorQueue<W>): void {
    const { excludedMost } = this.#count(queue.selector.excludedPrincipals, 1);
    let group = this.#groups.get(excludedMost);
    if (group === undefined) this.#groups.set(excludedMost, (group = new ExclusionGroup(excludedMost)));
    queue.group = group;
    group.queues.push(queue);
    if (group.queues.size === 1) this.#order.push(group);
    else this.#order.update(group);
  }

  remove(queue: SelectorQueue<W>, group: ExclusionGroup<W>): void {
    this.#count(queue.selector.excludedPrincipals, -1);
    group.queues.remove(queue);
    queue.group = undefined;
    if (group.queues.size > 0) return this.#order.update(group);
    this.#order.remove(group);
    this.#groups.delete(group.principal);
  }

  update(queue: SelectorQueue<W>, group: ExclusionGroup<W>): void {
    group.queues.update(queue);
    this.#order.update(group);
  }

  /** Visits the queues a worker of this principal could match. `isWorth`: whether to look at what waits since `headSequence`. */
  walk(
    principal: string | undefined,
    isWorth: (group: Headed) => boolean,
    visit: (queue: SelectorQueue<W>) => boolean,
  ): void {
    this.#order.walk((group) => {
      if (!isWorth(group)) return false;
      if (group.principal !== principal) group.queues.walk(visit);
      return true;
    });
  }

  #count(principals: ReadonlySet<string>, change: 1 | -1): { excludedMost: string } {
    let excludedMost = "";
    let most = 0;
    for (const principal of principals) {
      const count = (this.#counts.get(principal) ?? 0) + change;
      if (count === 0) this.#counts.delete(principal);
      else this.#counts.set(principal, count);
      if (count <= most) continue;
      most = count;
      excludedMost = principal;
    }
    return { excludedMost };
  }
}

/** The queues filed under one label. */
class Bucket<W> {
  readonly label: string;
  /** Those that exclude no principal. */
  readonly queues: IndexedHeap<SelectorQueue<W>> = new IndexedHeap<SelectorQueue<W>>(isOlder);
  /** The others; absent: there are none. */
  exclusions: Exclusions<W> | undefined;
  /** How many workers had the label when the bucket was made. */
  readonly workers: number;
  size = 0;

  constructor(label: string, workers: number) {
    this.label = label;
    this.workers = workers;
  }
}

/** The label of selectors that ask for none. */
const NO_LABEL = "";

/** Queues by what they ask of a worker. */
export class SelectorQueueIndex<W extends Selectable> {
  readonly #buckets = new Map<string, Bucket<W>>();
  readonly #workersWith: (label: string) => number;
  /** How many queues are filed. */
  size = 0;

  /** @param workersWith - How many workers have a label. */
  constructor(workersWith: (label: string) => number) {
    this.#workersWith = workersWith;
  }

  /** Files a queue that has waiters. */
  add(queue: SelectorQueue<W>): void {
    const bucket = this.#bucketFor(queue.selector.labels);
    bucket.size++;
    this.size++;
    queue.bucket = bucket;
    if (queue.selector.excludedPrincipals.size === 0) bucket.queues.push(queue);
    else (bucket.exclusions ??= new Exclusions()).add(queue);
  }

  /** Takes a queue out. */
  remove(queue: SelectorQueue<W>): void {
    const { bucket, group } = queue;
    if (bucket === undefined) return;
    queue.bucket = undefined;
    bucket.size--;
    this.size--;
    if (group === undefined) bucket.queues.remove(queue);
    else bucket.exclusions?.remove(queue, group);
    if (bucket.exclusions?.size === 0) bucket.exclusions = undefined;
    if (bucket.size === 0) this.#buckets.delete(bucket.label);
  }

  /** Restores the order after another waiter has become the first of a queue. */
  update(queue: SelectorQueue<W>): void {
    if (queue.group === undefined) queue.bucket?.queues.update(queue);
    else queue.bucket?.exclusions?.update(queue, queue.group);
  }

  /** The oldest waiter that this worker matches, if it is older than `than`; else `than`. */
  oldestFor(worker: W, than: Waiter<W> | undefined): Waiter<W> | undefined {
    let oldest = than;
    const isWorth = ({ headSequence }: Headed): boolean => oldest === undefined || headSequence < oldest.sequence;
    this.#walk(worker, [NO_LABEL, ...(worker.labels ?? [])], isWorth, (queue) => {
      if (!isWorth(queue)) return false;
      if (!queue.selector.matches(worker)) return true;
      oldest = queue.waiters.first;
      return false;
    });
    return oldest;
  }

  /** The queues that this worker matches, in the order they were created. */
  matching(worker: Selectable): SelectorQueue<W>[] {
    const found: SelectorQueue<W>[] = [];
    const labels = new Set([NO_LABEL, ...(worker.labels ?? [])]);
    this.#walk(worker, labels, everyGroup, (queue) => {
      if (queue.selector.matches(worker)) found.push(queue);
      return true;
    });
    return found.sort((one, other) => one.sequence - other.sequence);
  }

  /** Files queues anew where a label has become common: by now twice as many workers have it. */
  refile(labels: readonly string[]): void {
    for (const label of labels) {
      const bucket = this.#buckets.get(label);
      if (bucket === undefined || this.#workersWith(label) < 2 * Math.max(1, bucket.workers)) continue;
      const queues: SelectorQueue<W>[] = [];
      walkBucket(bucket, undefined, everyGroup, (queue) => queues.push(queue) > 0);
      for (const queue of queues) this.remove(queue);
      for (const queue of queues) this.add(queue);
    }
  }

  #walk(
    { peer }: Selectable,
    labels: Iterable<string>,
    isWorth: (group: Headed) => boolean,
    visit: (queue: SelectorQueue<W>) => boolean,
  ): void {
    for (const label of labels) {
      const bucket = this.#buckets.get(label);
      if (bucket !== undefined) walkBucket(bucket, peer?.principal, isWorth, visit);
    }
  }

  /** The bucket of the label that the fewest workers have; among such labels, the one with the fewest queues. */
  #bucketFor(labels: readonly string[]): Bucket<W> {
    let rarest = NO_LABEL;
    let fewest = Number.POSITIVE_INFINITY;
    let smallest = Number.POSITIVE_INFINITY;
    for (const label of labels) {
      const workers = this.#workersWith(label);
      const size = this.#buckets.get(label)?.size ?? 0;
      if (workers > fewest || (workers === fewest && size >= smallest)) continue;
      rarest = label;
      fewest = workers;
      smallest = size;
    }
    let bucket = this.#buckets.get(rarest);
    if (bucket === undefined) this.#buckets.set(rarest, (bucket = new Bucket(rarest, fewest)));
    return bucket;
  }
}

function everyGroup(): boolean {
  return true;
}

function walkBucket<W>(
  { queues, exclusions }: Bucket<W>,
  principal: string | undefined,
  isWorth: (group: Headed) => boolean,
  visit: (queue: SelectorQueue<W>) => boolean,
): void {
  queues.walk(visit);
  exclusions?.walk(principal, isWorth, visit);
}
