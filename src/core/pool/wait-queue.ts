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

/** One queue, as data. */
export interface QueueDepth {
  /** What its waiters require; absent: nothing. */
  readonly selector: WorkerSelector | undefined;
  /** How many wait in it. */
  readonly length: number;
}

/** What the queues ask of the workers. */
export interface CandidateSource<W> {
  /** Whether there is a usable worker that matches. */
  hasCandidate(selector: WorkerSelector): boolean;
  /** How many workers have a label. */
  countWith(label: string): number;
  /** The workers that can take a job now, in a slot or prefetched; absent when there are more than `limit`. */
  withRoom(limit: number): readonly W[] | undefined;
}

/** The queue of a pool. */
export class WaitQueue<W extends Selectable> {
  readonly #workers: CandidateSource<W>;
  /** The waiters without a selector. */
  readonly #plain = new LinkedQueue<Waiter<W>>();
  readonly #queues = new Map<string, SelectorQueue<W>>();
  /** The queues that a usable worker matches, and the others. */
  readonly #withCandidates: SelectorQueueIndex<W>;
  readonly #withoutCandidates: SelectorQueueIndex<W>;
  #sequences = 0;
  #sequence = 0;
  /** How many wait in all. */
  length = 0;

  constructor(workers: CandidateSource<W>) {
    this.#workers = workers;
    const workersWith = (label: string): number => workers.countWith(label);
    this.#withCandidates = new SelectorQueueIndex(workersWith);
    this.#withoutCandidates = new SelectorQueueIndex(workersWith);
  }

  /** Gives a waiter its position in the order of arrival, the first time only. */
  assignSequence(waiter: Waiter<W>): void {
    if (waiter.sequence === 0) waiter.sequence = ++this.#sequences;
  }

  /** Whether no older waiter with the same selector waits. */
  isNext({ selector, sequence }: Waiter<W>): boolean {
    if (this.length === 0) return true;
    const queue = selector === undefined ? this.#plain : this.#queues.get(selector.key)?.waiters;
    return queue?.first === undefined || sequence < queue.first.sequence;
  }

  /** Adds a waiter that has a sequence number, in that order. */
  push(waiter: Waiter<W>): void {
    const { selector } = waiter;
    this.length++;
    if (selector === undefined) return insert(this.#plain, waiter);
    const queue = this.#queues.get(selector.key);
    if (queue === undefined) return this.#makeQueue(selector, waiter);
    insert(queue.waiters, waiter);
    if (queue.waiters.first === waiter) this.#indexOf(queue).update(queue);
  }

  /** Takes a waiter out; `false` when it does not wait here. */
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
    return this.#queues.size === 0 ? first : this.#withCandidates.oldestFor(worker, first);
  }

  /**
   * The waiters of which one is served next, the oldest before the others: the first for each worker with
   * room or the first of each queue, whichever are fewer.
   */
  eligible(): Waiter<W>[] {
    const workers = this.length === 0 ? [] : this.#workers.withRoom(this.#withCandidates.size + 1);
    if (workers === undefined) {
      const supplied = [...this.#queues.values()].filter(({ hasCandidates }) => hasCandidates);
      return inOrder([this.#plain, ...supplied.map(({ waiters }) => waiters)].flatMap(({ first }) => first ?? []));
    }
    return inOrder([...new Set(workers.flatMap((worker) => this.firstFor(worker) ?? []))]);
  }

  /** Whether a usable worker matches a selector, which a waiter here has. */
  hasCandidate(selector: WorkerSelector): boolean {
    return this.#queues.get(selector.key)?.hasCandidates ?? this.#workers.hasCandidate(selector);
  }

  /** A worker became usable, or no longer is. `any`: whether it was the first usable worker, or the last. */
  changed(worker: Selectable, usable: boolean, any: boolean): void {
    if (any) notify(this.#plain, usable);
    if (this.#queues.size === 0) return;
    const [from, to] = usable
      ? [this.#withoutCandidates, this.#withCandidates]
      : [this.#withCandidates, this.#withoutCandidates];
    if (usable) for (const index of [from, to]) index.refile(worker.labels ?? []);
    for (const queue of from.matching(worker)) {
      if (!usable && this.#workers.hasCandidate(queue.selector)) continue;
      from.remove(queue);
      queue.hasCandidates = usable;
      to.add(queue);
      notify(queue.waiters, usable);
    }
  }

  /** How many wait, by what they asked for. */
  depths(): readonly QueueDepth[] {
    const depths = new Map<string, QueueDepth>();
    if (this.#plain.length > 0) depths.set("", { selector: undefined, length: this.#plain.length });
    for (const { selector, waiters } of this.#queues.values()) {
      const { asked } = selector;
      const key = asked?.key ?? "";
      depths.set(key, { selector: asked, length: waiters.length + (depths.get(key)?.length ?? 0) });
    }
    return [...depths.values()];
  }

  /** All waiters, in the order of arrival. */
  all(): Waiter<W>[] {
    const queues = [this.#plain, ...[...this.#queues.values()].map(({ waiters }) => waiters)];
    return inOrder(queues.flatMap((queue) => [...queue]));
  }

  #indexOf({ hasCandidates }: SelectorQueue<W>): SelectorQueueIndex<W> {
    return hasCandidates ? this.#withCandidates : this.#withoutCandidates;
  }

  #drop(queue: SelectorQueue<W>): void {
    this.#queues.delete(queue.selector.key);
    this.#indexOf(queue).remove(queue);
  }

  #makeQueue(selector: WorkerSelector, first: Waiter<W>): void {
    const queue = new SelectorQueue<W>(selector, this.#sequence++, this.#workers.hasCandidate(selector));
    queue.waiters.push(first);
    this.#queues.set(selector.key, queue);
    this.#indexOf(queue).add(queue);
  }
}

/** Adds a waiter in the order of sequence numbers. */
function insert<W>(queue: LinkedQueue<Waiter<W>>, waiter: Waiter<W>): void {
  const { last } = queue;
  if (last === undefined || last.sequence < waiter.sequence) queue.push(waiter);
  else queue.insertBefore(waiter, firstAfter(queue, waiter.sequence));
}

/** The first waiter with a higher number. Searched from both ends at once: a waiter that comes back is near one of them. */
function firstAfter<W>(queue: LinkedQueue<Waiter<W>>, sequence: number): Waiter<W> | undefined {
  let late = queue.last;
  for (let early = queue.first; early !== undefined; early = early.next) {
    if (early.sequence > sequence) return early;
    if (late === undefined || late.sequence < sequence) return late?.next;
    late = late.previous;
  }
  return undefined;
}

function inOrder<W>(waiters: Waiter<W>[]): Waiter<W>[] {
  return waiters.sort((one, other) => one.sequence - other.sequence);
}

function notify<W>(queue: LinkedQueue<Waiter<W>>, usable: boolean): void {
  for (const waiter of queue) waiter.hasCandidates?.(usable);
}
