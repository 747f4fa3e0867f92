/**
 * The waiters of a pool: one queue for each selector, so that no waiter is held up by one that waits for another kind of worker.
 * Keeps the order of arrival, and finds the oldest waiter that a given worker matches. Which waiter gets which worker is decided
 * in scheduler.ts.
 *
 * Queues that no usable worker matches are indexed apart: they cost nothing when a slot is freed.
 */
import type { WorkerSelector, Selectable } from "./worker-selector.ts";
import { LinkedQueue } from "../collections/linked-queue.ts";
import { SelectorQueue, SelectorQueueIndex } from "./selector-queues.ts";
import type { Waiter } from "./waiter.ts";

/** Those who wait for the same, as data. */
export interface QueueDepth {
  /** What they ask for; absent: nothing. */
  readonly selector: WorkerSelector | undefined;
  /** How many they are. */
  readonly length: number;
}

/** What a queue knows of the workers. */
export interface CandidateSource<W> {
  /** Whether there is a usable worker that matches. */
  hasCandidate(selector: WorkerSelector): boolean;
  /** How many workers have a label. */
  countWith(label: string): number;
  /** The workers with room for a job, in a slot or ahead of one; absent when there are more than `most`. */
  withRoom(most: number): readonly W[] | undefined;
}

/** The queue of a pool. */
export class WaitQueue<W extends Selectable> {
  readonly #supply: CandidateSource<W>;
  /** Those who ask for nothing. */
  readonly #plain = new LinkedQueue<Waiter<W>>();
  readonly #queues = new Map<string, SelectorQueue<W>>();
  /** The queues that a usable worker matches, and the others. */
  readonly #supplied: SelectorQueueIndex<W>;
  readonly #stranded: SelectorQueueIndex<W>;
  #sequences = 0;
  #sequence = 0;
  /** How many wait in all. */
  length = 0;

  constructor(supply: CandidateSource<W>) {
    this.#supply = supply;
    const workersWith = (label: string): number => supply.countWith(label);
    this.#supplied = new SelectorQueueIndex(workersWith);
    this.#stranded = new SelectorQueueIndex(workersWith);
  }

  /** Gives somebody who comes for the first time a place in the order of arrival. */
  assignSequence(waiter: Waiter<W>): void {
    if (waiter.sequence === 0) waiter.sequence = ++this.#sequences;
  }

  /** Whether nobody with the same demand waits who came before. */
  isNext({ selector, sequence }: Waiter<W>): boolean {
    if (this.length === 0) return true;
    const line = selector === undefined ? this.#plain : this.#queues.get(selector.key)?.waiters;
    return line?.first === undefined || sequence < line.first.sequence;
  }

  /** Adds somebody who was admitted, at the place that is his. */
  push(waiter: Waiter<W>): void {
    const { selector } = waiter;
    this.length++;
    if (selector === undefined) return insert(this.#plain, waiter);
    const queue = this.#queues.get(selector.key);
    if (queue === undefined) return this.#makeQueue(selector, waiter);
    insert(queue.waiters, waiter);
    if (queue.waiters.first === waiter) this.#indexOf(queue).update(queue);
  }

  /** Takes somebody out, wherever he stands; `false` when he does not wait here. */
  remove(waiter: Waiter<W>): boolean {
    const { selector } = waiter;
    if (selector === undefined) {
      if (!this.#plain.remove(waiter)) return false;
      this.length--;
      return true;
    }
    const queue = this.#queues.get(selector.key);
    if (queue === undefined) return false;
    const { first } = queue.waiters;
    if (!queue.waiters.remove(waiter)) return false;
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
  isSupplied(selector: WorkerSelector): boolean {
    return this.#queues.get(selector.key)?.hasCandidates ?? this.#supply.hasCandidate(selector);
  }

  /** A worker came (`true`), or went, that could be given work. `any`: whether it was the first one, or the last. */
  changed(worker: W, usable: boolean, any: boolean): void {
    if (any) tell(this.#plain, usable);
    if (this.#queues.size === 0) return;
    const [from, to] = usable ? [this.#stranded, this.#supplied] : [this.#supplied, this.#stranded];
    if (usable) for (const index of [from, to]) index.refile(worker.labels ?? []);
    for (const queue of from.matching(worker)) {
      if (!usable && this.#supply.hasCandidate(queue.selector)) continue;
      from.remove(queue);
      queue.hasCandidates = usable;
      to.add(queue);
      tell(queue.waiters, usable);
    }
  }

  /** How many wait for what. */
  depths(): readonly QueueDepth[] {
    const demanding = [...this.#queues.values()].map(({ selector, waiters }) => ({
      selector,
      length: waiters.length,
    }));
    return this.#plain.length === 0 ? demanding : [{ selector: undefined, length: this.#plain.length }, ...demanding];
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

  #makeQueue(selector: WorkerSelector, first: Waiter<W>): void {
    const queue = new SelectorQueue<W>(selector, this.#sequence++, this.#supply.hasCandidate(selector));
    queue.waiters.push(first);
    this.#queues.set(selector.key, queue);
    this.#indexOf(queue).add(queue);
  }
}

/** Adds a waiter at the place of its sequence. */
function insert<W>(line: LinkedQueue<Waiter<W>>, waiter: Waiter<W>): void {
  const { last } = line;
  if (last === undefined || last.sequence < waiter.sequence) line.push(waiter);
  else line.insertBefore(waiter, placeIn(line, waiter.sequence));
}

/** Before whom somebody belongs. Looked for from both ends at once: who comes back is among the first or among the last. */
function placeIn<W>(line: LinkedQueue<Waiter<W>>, sequence: number): Waiter<W> | undefined {
  let late = line.last;
  for (let early = line.first; early !== undefined; early = early.next) {
    if (early.sequence > sequence) return early;
    if (late === undefined || late.sequence < sequence) return late?.next;
    late = late.previous;
  }
  return undefined;
}

function inOrder<W>(waiters: Waiter<W>[]): Waiter<W>[] {
  return waiters.sort((one, other) => one.sequence - other.sequence);
}

function tell<W>(line: LinkedQueue<Waiter<W>>, usable: boolean): void {
  for (const waiter of line) waiter.hasCandidates?.(usable);
}
