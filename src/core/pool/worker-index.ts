/**
 * The workers of a pool: who is there, and who of them is the one to use next for a given demand. Who waits for one is in
 * wait-queue.ts, and what is done about it in workers.ts.
 *
 * For a demand only seats with the rarest of its labels are looked at. Few of them are compared one by one. Many are searched
 * in the order of their use, past those that do not fit; where these are many too, a view of those that fit is kept
 * (selector-index.ts), so that one worker of its kind is found at once among ten thousand others.
 */
import { Demand, type Demanded } from "./worker-selector.ts";
import { SeatView } from "./selector-index.ts";
import { isUsedBefore, NO_LABELS, type Seat, SeatIndex } from "./least-loaded-index.ts";
import { SetMap } from "../collections/set-map.ts";
import type { Avoided } from "./waiter.ts";

const PATIENCE = 64;
/** So many candidates are compared one by one. */
const MAX_COMPARED = 16;
/** Views at a time, and seats in all of them: each has to follow the changes of its seats. */
const MAX_VIEWS = 256;
const MAX_VIEW_SEATS = 320_000;

/** All seats of a pool. */
export class Fleet<W extends Demanded & { readonly identity: string }> {
  readonly #seats = new Map<string, Seat<W>>();
  readonly #index: SeatIndex<W>;
  readonly #byLabel = new SetMap<string, Seat<W>>();
  readonly #byPrincipal = new SetMap<string | undefined, Seat<W>>();
  readonly #views = new Map<string, SeatView<W>>();
  readonly #patience: number;
  readonly #maxCompared: number;
  readonly #maxViewSeats: number;
  /** Seats that can be given work, now or as soon as a slot is free. */
  usable = 0;
  /** Their slots. */
  slots = 0;

  /**
   * @param ahead - How many jobs a worker can be sent beyond its slots now; absent: none.
   * @param patience - How many seats are passed over in a search before a view is made.
   * @param maxViewSeats - How many seats all views together may have.
   */
  constructor(ahead?: (worker: W) => number, patience: number = PATIENCE, maxViewSeats: number = MAX_VIEW_SEATS) {
    this.#index = new SeatIndex(ahead);
    this.#patience = patience;
    this.#maxViewSeats = maxViewSeats;
    this.#maxCompared = Math.min(patience, MAX_COMPARED);
  }

  /** How many seats there are, whatever their standing. */
  get size(): number {
    return this.#seats.size;
  }

  /** How many jobs all of them together can be sent ahead. */
  get extra(): number {
    return this.#index.extra;
  }

  /** The seat of that identity. */
  get(identity: string): Seat<W> | undefined {
    return this.#seats.get(identity);
  }

  /** Adds a seat; nobody of its identity may be there. */
  add(seat: Seat<W>): void {
    const { identity, labels = NO_LABELS, peer } = seat.worker;
    this.#seats.set(identity, seat);
    // Kept with the seat: what it is filed under is what it has to be found under when it goes.
    if (labels.length > 0) seat.labels = [...labels];
    seat.principal = peer?.principal;
    for (const label of seat.labels) this.#byLabel.add(label, seat);
    this.#byPrincipal.add(seat.principal, seat);
    this.count(seat, 1);
    this.#index.place(seat);
    for (const view of this.#views.values()) if (view.demand.fits(seat.worker)) view.add(seat);
  }

  /** Takes a seat out. */
  delete(seat: Seat<W>): void {
    this.#seats.delete(seat.worker.identity);
    for (const label of seat.labels) this.#byLabel.delete(label, seat);
    this.#byPrincipal.delete(seat.principal, seat);
    this.#index.delete(seat);
    for (const view of this.#views.values()) view.remove(seat);
    if (seat.usable) this.count(seat, -1);
  }

  /** Counts a seat as usable, or no more. */
  count({ capacity }: Seat<W>, change: 1 | -1): void {
    this.usable += change;
    this.slots += change * capacity;
  }

  /** Puts a seat where its load says. Call after each change to it. */
  place(seat: Seat<W>): void {
    this.#index.place(seat);
    if (seat.watchers !== undefined) this.#tell(seat);
  }

  /** The free seat to use next, if any; one whose worker is in `avoid` only when no other is free. */
  first(demand: Demand | undefined, avoid: Avoided<W> | undefined): Seat<W> | undefined {
    if (demand === undefined) return avoid === undefined ? this.#index.first() : this.#index.firstExcept(avoid);
    const few = this.#fewFor(demand);
    if (few !== undefined) return firstOf(few, demand, avoid);
    const view = this.#known(demand);
    if (view !== undefined) return view.first(demand, avoid);
    const found = this.#index.search((worker) => demand.fits(worker), avoid, this.#patience);
    return found === "unsure" ? this.#viewFor(demand).first(demand, avoid) : found;
  }

  /** The seat to send a job ahead to, if any. */
  firstAhead(demand: Demand | undefined): Seat<W> | undefined {
    if (demand === undefined) return this.#index.firstAhead();
    const few = this.#fewFor(demand);
    if (few !== undefined) return firstAheadOf(few, demand);
    const view = this.#known(demand);
    if (view !== undefined) return view.firstAhead(demand);
    const found = this.#index.searchAhead((worker) => demand.fits(worker), this.#patience);
    return found === "unsure" ? this.#viewFor(demand).firstAhead(demand) : found;
  }

  /** The workers with room for a job, in a slot or ahead of one; absent when there are more than `most`. */
  withRoom(most: number): W[] | undefined {
    const found: W[] = [];
    for (const seats of [this.#index.free(), this.#index.prefetching()]) {
      for (const { worker } of seats) if (found.push(worker) > most) return undefined;
    }
    return found;
  }

  /** Whether a worker that fits can be given work, now or as soon as a slot is free. */
  serves(demand: Demand | undefined): boolean {
    if (demand === undefined) return this.usable > 0;
    if (demand.labels.length === 0) return this.#servesExcept(demand.except);
    const view = this.#known(demand);
    if (view !== undefined) return view.serves(demand);
    let passed = 0;
    for (const seat of this.#candidates(demand)) {
      if (seat.usable && demand.fits(seat.worker)) return true;
      if (++passed > this.#patience) return this.#viewFor(demand).serves(demand);
    }
    return false;
  }

  /** How many workers have a label, whatever their standing. */
  countWith(label: string): number {
    return this.#byLabel.count(label);
  }

  /** How many workers fit, whatever their standing. */
  countMatching(demand: Demand | undefined): number {
    if (demand === undefined) return this.size;
    if (demand.labels.length > 0) return this.matching(demand).length;
    return this.size - this.#countOf(demand.except);
  }

  /** The workers that fit, whatever their standing. */
  matching(demand: Demand | undefined): W[] {
    const workers = [...(demand === undefined ? this.#seats.values() : this.#candidates(demand))].map(
      ({ worker }) => worker,
    );
    return demand === undefined ? workers : workers.filter((worker) => demand.fits(worker));
  }

  /** All seats that can fit: those with the rarest label. */
  #candidates({ labels }: Demand): Iterable<Seat<W>> {
    return labels.length === 0 ? this.#seats.values() : this.#withRarest(labels);
  }

  #withRarest(labels: readonly string[]): ReadonlySet<Seat<W>> {
    let rarest: ReadonlySet<Seat<W>> | undefined;
    for (const label of labels) {
      const seats = this.#byLabel.get(label) ?? NOBODY;
      if (rarest === undefined || seats.size < rarest.size) rarest = seats;
    }
    return rarest ?? NOBODY;
  }

  /** All seats that can fit, when they are so few that comparing them is the quickest way. */
  #fewFor({ labels, except }: Demand): ReadonlySet<Seat<W>> | undefined {
    if (labels.length === 0) return this.#countOf(except) === this.size ? NOBODY : undefined;
    const seats = this.#withRarest(labels);
    return seats.size <= this.#maxCompared ? seats : undefined;
  }

  #countOf(principals: ReadonlySet<string>): number {
    let count = 0;
    for (const principal of principals) count += this.#byPrincipal.count(principal);
    return count;
  }

  #servesExcept(principals: ReadonlySet<string>): boolean {
    for (const [principal, seats] of this.#byPrincipal) {
      if (principal !== undefined && principals.has(principal)) continue;
      for (const seat of seats) if (seat.usable) return true;
    }
    return false;
  }

  #known({ key }: Demand): SeatView<W> | undefined {
    const view = this.#views.get(key);
    if (view !== undefined) view.idle = 0;
    return view;
  }

  /**
   * A view of the seats that fit, and maybe some others. Principals with few workers are not left out of it, so that demands
   * that differ only in these share a view.
   */
  #viewFor(demand: Demand): SeatView<W> {
    const { labels, except } = demand;
    const crowds = [...except].filter((principal) => this.#byPrincipal.count(principal) > this.#maxCompared);
    const wide = crowds.length === except.size ? demand : new Demand(labels, new Set(crowds));
    return this.#known(wide) ?? this.#makeView(wide);
  }

  #makeView(demand: Demand): SeatView<W> {
    const candidates = [...this.#candidates(demand)];
    const view = new SeatView<W>(demand, candidates.length);
    // In the order of their use, so that a view changes no choice.
    for (const seat of candidates.sort((one, other) => one.since - other.since)) {
      if (demand.fits(seat.worker)) view.add(seat);
    }
    view.idle = 0;
    this.#makeRoom(view.size);
    this.#views.set(demand.key, view);
    return view;
  }

  /** Drops views that were not of use for long until there is room for one of that size. */
  #makeRoom(size: number): void {
    let seats = size;
    for (const view of this.#views.values()) seats += view.size;
    const idlest = [...this.#views.values()].sort((one, other) => one.idle - other.idle);
    while (this.#views.size >= MAX_VIEWS || seats > this.#maxViewSeats) {
      const view = idlest.pop();
      if (view === undefined) return;
      seats -= view.size;
      this.#drop(view.key);
    }
  }

  /** A view that is of no use any more goes once following the changes has cost as much as making it anew would. */
  #tell(seat: Seat<W>): void {
    for (const watcher of seat.watchers ?? []) {
      watcher.placed(seat);
      if (watcher.idle > watcher.cost + PATIENCE) this.#drop(watcher.key);
    }
  }

  #drop(key: string): void {
    this.#views.get(key)?.clear();
    this.#views.delete(key);
  }
}

const NOBODY: ReadonlySet<never> = new Set<never>();

/** The free seat to use next of some. */
function firstOf<W extends Demanded>(
  seats: Iterable<Seat<W>>,
  demand: Demand,
  avoid: Avoided<W> | undefined,
): Seat<W> | undefined {
  let first: Seat<W> | undefined;
  let avoided: Seat<W> | undefined;
  for (const seat of seats) {
    if (!seat.isFree || !demand.fits(seat.worker)) continue;
    if (avoid?.has(seat.worker) === true) avoided = earlier(seat, avoided);
    else first = earlier(seat, first);
  }
  return first ?? avoided;
}

function earlier<W>(seat: Seat<W>, than: Seat<W> | undefined): Seat<W> {
  return than === undefined || isUsedBefore(seat, than) ? seat : than;
}

/** The seat of some to send a job ahead to. */
function firstAheadOf<W extends Demanded>(seats: Iterable<Seat<W>>, demand: Demand): Seat<W> | undefined {
  let first: Seat<W> | undefined;
  for (const seat of seats) {
    if (!seat.isPrefetching || (first !== undefined && first.since < seat.since)) continue;
    if (demand.fits(seat.worker)) first = seat;
  }
  return first;
}
