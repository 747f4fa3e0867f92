/**
 * Which workers can take a job: the least loaded first, among equals the one that has waited longest; from 16 jobs on only
 * about. The order is kept by moving a seat from one line to the next, so choosing costs the same for ten workers and ten
 * thousand. Whom a demand fits is in worker-index.ts, who waits for a seat in workers.ts.
 */
import { Line, type Member } from "../collections/linked-queue.ts";
import type { Avoided } from "./waiter.ts";

/** Whether a worker can be given work: only a `ready` one; a `congested` one can soon; a `suspect` one counts as absent. */
export type Standing = "ready" | "congested" | "suspect";

/** Who is told of each change to a seat. */
export interface SeatWatcher<W> {
  /** Names it among the watchers. */
  readonly key: string;
  /** How often it was told since that was last of use. */
  readonly idle: number;
  /** What making it anew would cost, in seats to look at. */
  readonly cost: number;
  /** The seat was placed anew. */
  placed(seat: Seat<W>): void;
}

/** Which workers will do. */
export type Fits<W> = (worker: W) => boolean;

/** The labels of a worker without any: the same list for all of them. */
export const NO_LABELS: readonly string[] = [];

/** One worker's place in the pool, and how many of its slots are leased. */
export class Seat<W> implements Member<Seat<W>> {
  readonly worker: W;
  readonly capacity: number;
  /** Slots handed out and not yet given back; over `capacity` while jobs were sent ahead. */
  leases = 0;
  /** How many of them somebody holds who may not be using them. */
  held = 0;
  /** How many it could be sent ahead when it was last placed. */
  extra = 0;
  standing: Standing = "ready";
  /** When it was put into its line, counted in such steps: orders those of one line. */
  since = 0;
  /** @internal The labels and the principal its worker is filed under. */
  labels: readonly string[] = NO_LABELS;
  /** @internal */
  principal: string | undefined;
  /** Who watches it; absent: nobody. */
  watchers: Set<SeatWatcher<W>> | undefined;
  /** The line it stands in, once more: the one it was put into. */
  filed: Line<Seat<W>> | undefined;
  line: object | undefined;
  ahead: Seat<W> | undefined;
  behind: Seat<W> | undefined;

  constructor(worker: W, capacity: number) {
    this.worker = worker;
    this.capacity = capacity;
  }

  /** Slots that are not handed out. */
  get spare(): number {
    return this.capacity - this.leases;
  }

  /** Whether its worker can be given work, now or as soon as a slot is free. */
  get usable(): boolean {
    return this.standing !== "suspect";
  }

  /** Whether it was last placed among the free ones. */
  get isFree(): boolean {
    return this.filed !== undefined && this.leases < this.capacity;
  }

  /** Whether it was last placed among those that can be sent a job ahead. */
  get isPrefetching(): boolean {
    return this.filed !== undefined && this.leases >= this.capacity;
  }
}

/** Loads up to here have a line each; above, so many share one. */
const EXACT = 16;
const SHARED_BITS = 4;

/** The line of a load: a busy worker is given a run of jobs before it is the next one's turn, which keeps batches together. */
function lineNumber(load: number): number {
  return load < EXACT ? load : EXACT + ((load - EXACT) >> SHARED_BITS);
}

/** Whether one free seat is to be used before another. */
export function isUsedBefore(one: Seat<unknown>, other: Seat<unknown>): boolean {
  const difference = lineNumber(one.leases) - lineNumber(other.leases);
  return difference < 0 || (difference === 0 && one.since < other.since);
}

/** The free seats by load, and those that can be sent a job ahead. */
export class SeatIndex<W> {
  readonly #byLoad: Line<Seat<W>>[] = [];
  readonly #ahead = new Line<Seat<W>>();
  readonly #aheadOf: ((worker: W) => number) | undefined;
  #lowest = 0;
  #steps = 0;
  /** How many all of them together can be sent ahead. */
  extra = 0;

  /** @param aheadOf - How many jobs a worker can be sent beyond its slots now; absent: none. */
  constructor(aheadOf?: (worker: W) => number) {
    this.#aheadOf = aheadOf;
  }

  /** Puts a seat where its load says, or takes it out when it has no room. Call after each change to the seat. */
  place(seat: Seat<W>): void {
    const line = this.#lineFor(seat);
    if (line === seat.filed && line !== undefined && (line === this.#ahead || seat.leases >= EXACT)) return;
    this.remove(seat);
    seat.filed = line;
    seat.since = ++this.#steps;
    line?.join(seat);
  }

  /** Takes a seat out. */
  remove(seat: Seat<W>): void {
    seat.filed?.leave(seat);
    seat.filed = undefined;
  }

  /** Takes a seat out for good. */
  delete(seat: Seat<W>): void {
    this.remove(seat);
    this.#allow(seat, 0);
  }

  #allow(seat: Seat<W>, extra: number): void {
    this.extra += extra - seat.extra;
    seat.extra = extra;
  }

  #lineFor(seat: Seat<W>): Line<Seat<W>> | undefined {
    const { leases, capacity } = seat;
    if (this.#aheadOf !== undefined) this.#allow(seat, this.#aheadOf(seat.worker));
    if (seat.standing !== "ready") return undefined;
    if (leases < capacity) {
      const number = lineNumber(leases);
      if (number < this.#lowest) this.#lowest = number;
      return this.#line(number);
    }
    // Behind a slot that somebody holds a job could wait for as long as he pleases.
    return seat.held === 0 && leases < capacity + seat.extra ? this.#ahead : undefined;
  }

  /** The seat to send a job ahead to, if any. */
  firstAhead(): Seat<W> | undefined {
    return this.#ahead.first;
  }

  /** The free seat to use next, if any. */
  first(): Seat<W> | undefined {
    for (; this.#lowest < this.#byLoad.length; this.#lowest++) {
      const seat = this.#line(this.#lowest).first;
      if (seat !== undefined) return seat;
    }
    return undefined;
  }

  /** The free seat to use next among those that are not in `avoid`, or just the next one when all are. */
  firstExcept(avoid: Avoided<W>): Seat<W> | undefined {
    for (const line of this.#byLoad) {
      for (const seat of line) if (!avoid.has(seat.worker)) return seat;
    }
    return this.first();
  }

  /**
   * The free seat to use next among those that fit; one in `avoid` only when no other is free. `"unsure"` when more than
   * `most` were passed over and it has yet to be found.
   */
  search(fits: Fits<W>, avoid: Avoided<W> | undefined, most: number): Seat<W> | undefined | "unsure" {
    let avoided: Seat<W> | undefined;
    let passed = 0;
    for (const line of this.#byLoad) {
      for (const seat of line) {
        if (!fits(seat.worker)) passed++;
        else if (avoid?.has(seat.worker) === true) avoided ??= seat;
        else return seat;
        if (passed > most) return "unsure";
      }
    }
    return avoided;
  }

  /** The free seats in the order of their use. */
  *free(): Generator<Seat<W>> {
    for (const line of this.#byLoad) yield* line;
  }

  /** Those that can be sent a job ahead, in the order of their use. */
  prefetching(): Iterable<Seat<W>> {
    return this.#ahead;
  }

  /** The seat to send a job ahead to among those that fit. `"unsure"`: as for `search`. */
  searchAhead(fits: Fits<W>, most: number): Seat<W> | undefined | "unsure" {
    let passed = 0;
    for (const seat of this.#ahead) {
      if (fits(seat.worker)) return seat;
      if (++passed > most) return "unsure";
    }
    return undefined;
  }

  #line(number: number): Line<Seat<W>> {
    for (let next = this.#byLoad.length; next <= number; next++) this.#byLoad.push(new Line<Seat<W>>());
    const line = this.#byLoad[number];
    if (line === undefined) throw new RangeError(`no line ${number}`);
    return line;
  }
}
