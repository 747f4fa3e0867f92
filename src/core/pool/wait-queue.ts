/**
 * The waiters of a pool: in a queue for each selector, so that no waiter is held up by one that waits for another kind of worker.
 * Knows who came first, and who is first for a given worker. Which worker somebody gets is decided in workers.ts.
 *
 * Queues that no usable worker matches are indexed apart: they cost nothing when a slot is freed.
 */
import type { Demand, Demanded } from "./worker-selector.ts";
import { Line } from "../collections/linked-queue.ts";
import { SelectorQueue, SelectorQueueIndex } from "./selector-queues.ts";
import type { Waiter } from "./waiter.ts";

/** Those who wait for the same, as data. */
export interface WaitingLine {
  /** What they ask for; absent: nothing. */
  readonly demand: Demand | undefined;
  /** How many they are. */
  readonly length: number;
}

/** What a queue knows of the workers. */
export interface WorkerSupply<W> {
  /** Whether there is a usable worker that matches. */
  serves(selector: Demand): boolean;
  /** How many workers have a label. */
  countWith(label: string): number;
  /** The workers with room for a job, in a slot or ahead of one; absent when there are more than `most`. */
  withRoom(most: number): readonly W[] | undefined;
}

/** The queue of a pool. */
export class Queue<W extends Demanded> {
  readonly #supply: WorkerSupply<W>;
  /** Those who ask for nothing. */
  readonly #plain = new Line<Waiter<W>>();
  readonly #queues = new Map<string, SelectorQueue<W>>();
  /** The queues that a usable worker matches, and the others. */
  readonly #supplied: SelectorQueueIndex<W>;
  readonly #stranded: SelectorQueueIndex<W>;
  #ranks = 0;
  #sequence = 0;
  /** How many wait in all. */
  length = 0;

  constructor(supply: WorkerSupply<W>) {
    this.#supply = supply;
    const workersWith = (label: string): number => supply.countWith(label);
    this.#supplied = new SelectorQueueIndex(workersWith);
    this.#stranded = new SelectorQueueIndex(workersWith);
  }

  /** Gives somebody who comes for the first time a place in the order of arrival. */
  admit(waiter: Waiter<W>): void {
    if (waiter.rank === 0) waiter.rank = ++this.#ranks;
  }

  /** Whether nobody with the same demand waits who came before. */
  isNext({ demand, rank }: Waiter<W>): boolean {
    if (this.length === 0) return true;
    const line = demand === undefined ? this.#plain : this.#queues.get(demand.key)?.waiters;
    return line?.first === undefined || rank < line.first.rank;
  }

  /** Adds somebody who was admitted, at the place that is his. */
  join(waiter: Waiter<W>): void {
    const { demand } = waiter;
    this.length++;
    if (demand === undefined) return insert(this.#plain, waiter);
    const queue = this.#queues.get(demand.key);
    if (queue === undefined) return this.#makeQueue(demand, waiter);
    insert(queue.waiters, waiter);
    if (queue.waiters.first === waiter) this.#indexOf(queue).update(queue);
  }

  /** Takes somebody out, wherever he stands; `false` when he does not wait here. */
  leave(waiter: Waiter<W>): boolean {
    const { demand } = waiter;
    if (demand === undefined) {
      if (!this.#plain.leave(waiter)) return false;
      this.length--;
      return true;
    }
    const queue = this.#queues.get(demand.key);
    if (queue === undefined) return false;
    const { first } = queue.waiters;
    if (!queue.waiters.leave(waiter)) return false;
    this.length--;
    if (queue.waiters.length === 0) this.#drop(queue);
    else if (first === waiter) this.#indexOf(queue).update(queue);
    return true;
  }

  /** The oldest waiter that this worker, a usable one, matches. */
  firstFor(worker: W): Waiter<W> | undefined {
    const { first } = this.#plain;
    return this.#queues.size === 0 ? first : this.#supplied.oldestFor(worker, first);
  }

  /**
   * The waiters of which one is served next, the oldest before the others: the first for each worker with
   * room or the first of each queue, whichever are fewer.
   */
  eligible(): Waiter<W>[] {
    const workers = this.length === 0 ? [] : this.#supply.withRoom(this.#supplied.size + 1);
    if (workers === undefined) {
      const supplied = [...this.#queues.values()].filter(({ hasCandidates }) => hasCandidates);
      return inOrder([this.#plain, ...supplied.map(({ waiters }) => waiters)].flatMap(({ first }) => first ?? []));
    }
    return inOrder([...new Set(workers.flatMap((worker) => this.firstFor(worker) ?? []))]);
  }

  /** Whether there is a usable worker for this demand, which somebody here has. */
  isSupplied(demand: Demand): boolean {
    return this.#queues.get(demand.key)?.hasCandidates ?? this.#supply.serves(demand);
  }

  /** A worker came (`true`), or went, that could be given work. `any`: whether it was the first one, or the last. */
  changed(worker: W, usable: boolean, any: boolean): void {
    if (any) tell(this.#plain, usable);
    if (this.#queues.size === 0) return;
    const [from, to] = usable ? [this.#stranded, this.#supplied] : [this.#supplied, this.#stranded];
    if (usable) for (const index of [from, to]) index.refile(worker.labels ?? []);
    for (const queue of from.matching(worker)) {
      if (!usable && this.#supply.serves(queue.selector)) continue;
      from.remove(queue);
      queue.hasCandidates = usable;
      to.add(queue);
      tell(queue.waiters, usable);
    }
  }

  /** How many wait for what. */
  lines(): readonly WaitingLine[] {
    const demanding = [...this.#queues.values()].map(({ selector, waiters }) => ({
      demand: selector,
      length: waiters.length,
    }));
    return this.#plain.length === 0 ? demanding : [{ demand: undefined, length: this.#plain.length }, ...demanding];
  }

  /** Everybody, in the order they came. */
  all(): Waiter<W>[] {
    const lines = [this.#plain, ...[...this.#queues.values()].map(({ waiters }) => waiters)];
    return inOrder(lines.flatMap((line) => [...line]));
  }

  #indexOf({ hasCandidates }: SelectorQueue<W>): SelectorQueueIndex<W> {
    return hasCandidates ? this.#supplied : this.#stranded;
  }

  #drop(queue: SelectorQueue<W>): void {
    this.#queues.delete(queue.selector.key);
    this.#indexOf(queue).remove(queue);
  }

  #makeQueue(selector: Demand, first: Waiter<W>): void {
    const queue = new SelectorQueue<W>(selector, this.#sequence++, this.#supply.serves(selector));
    queue.waiters.join(first);
    this.#queues.set(selector.key, queue);
    this.#indexOf(queue).add(queue);
  }
}

/** Adds a waiter at the place of its rank. */
function insert<W>(line: Line<Waiter<W>>, waiter: Waiter<W>): void {
  const { last } = line;
  if (last === undefined || last.rank < waiter.rank) line.join(waiter);
  else line.joinBefore(waiter, placeIn(line, waiter.rank));
}

/** Before whom somebody belongs. Looked for from both ends at once: who comes back is among the first or among the last. */
function placeIn<W>(line: Line<Waiter<W>>, rank: number): Waiter<W> | undefined {
  let late = line.last;
  for (let early = line.first; early !== undefined; early = early.behind) {
    if (early.rank > rank) return early;
    if (late === undefined || late.rank < rank) return late?.behind;
    late = late.ahead;
  }
  return undefined;
}

function inOrder<W>(waiters: Waiter<W>[]): Waiter<W>[] {
  return waiters.sort((one, other) => one.rank - other.rank);
}

function tell<W>(line: Line<Waiter<W>>, usable: boolean): void {
  for (const waiter of line) waiter.supplied?.(usable);
}
