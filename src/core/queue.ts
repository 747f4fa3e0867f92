/**
 * Those who wait in a pool: in a line for each demand, so that nobody is held up by somebody who waits for something else.
 * Knows who came first, and who is first for a given worker. Which worker somebody gets is decided in workers.ts.
 */
import type { Demand, Demanded } from "./demand.ts";
import { Line } from "./line.ts";
import type { Waiter } from "./waiter.ts";

/** Those who have one demand. Kept while there are any. */
interface DemandLine<W> {
  readonly demand: Demand;
  readonly line: Line<Waiter<W>>;
  /** Whether there is a usable worker that would do. */
  supplied: boolean;
}

/** Those who wait for the same, as data. */
export interface WaitingLine {
  /** What they ask for; absent: nothing. */
  readonly demand: Demand | undefined;
  /** How many they are. */
  readonly length: number;
}

/** The queue of a pool. */
export class Queue<W extends Demanded> {
  readonly #serves: (demand: Demand) => boolean;
  /** Those who ask for nothing. */
  readonly #plain = new Line<Waiter<W>>();
  readonly #lines = new Map<string, DemandLine<W>>();
  /** The lines by the first label they ask for, or none: a worker looks only at what begins with a label of its own. */
  readonly #byLabel = new Map<string, Set<DemandLine<W>>>();
  #ranks = 0;
  /** How many wait in all. */
  length = 0;

  /** @param serves - Whether there is a usable worker for a demand. */
  constructor(serves: (demand: Demand) => boolean) {
    this.#serves = serves;
  }

  /** Gives somebody who comes for the first time a place in the order of arrival. */
  admit(waiter: Waiter<W>): void {
    if (waiter.rank === 0) waiter.rank = ++this.#ranks;
  }

  /** Whether nobody with the same demand waits who came before. */
  isNext({ demand, rank }: Waiter<W>): boolean {
    if (this.length === 0) return true;
    const line = demand === undefined ? this.#plain : this.#lines.get(demand.key)?.line;
    return line?.first === undefined || rank < line.first.rank;
  }

  /** Adds somebody who was admitted, at the place that is his. */
  join(waiter: Waiter<W>): void {
    const { demand } = waiter;
    const { line } = demand === undefined ? { line: this.#plain } : this.#lineFor(demand);
    this.length++;
    const { last } = line;
    if (last === undefined || last.rank < waiter.rank) line.join(waiter);
    else line.joinBefore(waiter, placeIn(line, waiter.rank));
  }

  /** Takes somebody out, wherever he stands; `false` when he does not wait here. */
  leave(waiter: Waiter<W>): boolean {
    const { demand } = waiter;
    const place = demand === undefined ? undefined : this.#lines.get(demand.key);
    const line = demand === undefined ? this.#plain : place?.line;
    if (line === undefined || !line.leave(waiter)) return false;
    this.length--;
    if (place !== undefined && line.length === 0) this.#drop(place);
    return true;
  }

  /** Who came first among those whom this worker would do. */
  firstFor(worker: W): Waiter<W> | undefined {
    let { first } = this.#plain;
    if (this.#lines.size === 0) return first;
    first = this.#oldest(this.#byLabel.get(""), worker, first);
    for (const label of worker.labels ?? []) first = this.#oldest(this.#byLabel.get(label), worker, first);
    return first;
  }

  /** The first of each line, the oldest before the others. */
  firsts(): Waiter<W>[] {
    const lines = [this.#plain, ...[...this.#lines.values()].map(({ line }) => line)];
    return inOrder(lines.flatMap(({ first }) => first ?? []));
  }

  /** Whether there is a usable worker for this demand, which somebody here has. */
  isSupplied(demand: Demand): boolean {
    return this.#lines.get(demand.key)?.supplied ?? this.#serves(demand);
  }

  /** A worker came (`true`), or went, that could be given work. `any`: whether it was the first one, or the last. */
  changed(worker: W, usable: boolean, any: boolean): void {
    if (any) tell(this.#plain, usable);
    for (const line of this.#lines.values()) {
      if (line.supplied === usable || !line.demand.fits(worker)) continue;
      if (!usable && this.#serves(line.demand)) continue;
      line.supplied = usable;
      tell(line.line, usable);
    }
  }

  /** How many wait for what. */
  lines(): readonly WaitingLine[] {
    const demanding = [...this.#lines.values()].map(({ demand, line }) => ({ demand, length: line.length }));
    return this.#plain.length === 0 ? demanding : [{ demand: undefined, length: this.#plain.length }, ...demanding];
  }

  /** Everybody, in the order they came. */
  all(): Waiter<W>[] {
    const lines = [this.#plain, ...[...this.#lines.values()].map(({ line }) => line)];
    return inOrder(lines.flatMap((line) => [...line]));
  }

  #oldest(
    lines: ReadonlySet<DemandLine<W>> | undefined,
    worker: W,
    than: Waiter<W> | undefined,
  ): Waiter<W> | undefined {
    let oldest = than;
    for (const { demand, line } of lines ?? []) {
      const { first } = line;
      if (first === undefined || (oldest !== undefined && oldest.rank < first.rank)) continue;
      if (demand.fits(worker)) oldest = first;
    }
    return oldest;
  }

  #lineFor(demand: Demand): DemandLine<W> {
    const known = this.#lines.get(demand.key);
    if (known !== undefined) return known;
    const made = { demand, line: new Line<Waiter<W>>(), supplied: this.#serves(demand) };
    this.#lines.set(demand.key, made);
    const [label = ""] = demand.labels;
    const neighbours = this.#byLabel.get(label);
    if (neighbours === undefined) this.#byLabel.set(label, new Set([made]));
    else neighbours.add(made);
    return made;
  }

  #drop(line: DemandLine<W>): void {
    this.#lines.delete(line.demand.key);
    const [label = ""] = line.demand.labels;
    const neighbours = this.#byLabel.get(label);
    neighbours?.delete(line);
    if (neighbours?.size === 0) this.#byLabel.delete(label);
  }
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
