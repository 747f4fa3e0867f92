/**
 * The workers of a pool: who is there, and who of them is the one to use next for a given demand. Who waits for one is in
 * queue.ts, and what is done about it in workers.ts.
 *
 * For a demand the seats are searched in the order of their use, past those that do not fit. Where these are many, a view of
 * those that fit is kept instead (seat-view.ts), so that one worker of its kind is found at once among ten thousand others.
 */
import type { Demand, Demanded } from "./demand.ts";
import { SeatView } from "./seat-view.ts";
import { type Seat, SeatIndex } from "./seats.ts";

const PATIENCE = 64;
/** Views at a time: each has to follow the changes of its seats. */
const MAX_VIEWS = 32;

/** All seats of a pool. */
export class Fleet<W extends Demanded & { readonly identity: string }> {
  readonly #seats = new Map<string, Seat<W>>();
  readonly #index: SeatIndex<W>;
  readonly #views = new Map<string, SeatView<W>>();
  readonly #patience: number;
  /** Seats that can be given work, now or as soon as a slot is free. */
  usable = 0;
  /** Their slots. */
  slots = 0;

  /**
   * @param ahead - How many jobs a worker can be sent beyond its slots now; absent: none.
   * @param patience - How many seats are passed over in a search before a view is made.
   */
  constructor(ahead?: (worker: W) => number, patience: number = PATIENCE) {
    this.#index = new SeatIndex(ahead);
    this.#patience = patience;
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
    this.#seats.set(seat.worker.identity, seat);
    this.count(seat, 1);
    this.#index.place(seat);
    for (const view of this.#views.values()) if (view.demand.fits(seat.worker)) view.add(seat);
  }

  /** Takes a seat out. */
  delete(seat: Seat<W>): void {
    this.#seats.delete(seat.worker.identity);
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
  first(demand: Demand | undefined, avoid: ReadonlySet<W> | undefined): Seat<W> | undefined {
    if (demand === undefined) return avoid === undefined ? this.#index.first() : this.#index.firstExcept(avoid);
    const view = this.#known(demand);
    if (view !== undefined) return view.first(avoid);
    const found = this.#index.search((worker) => demand.fits(worker), avoid, this.#patience);
    return found === "unsure" ? this.#makeView(demand).first(avoid) : found;
  }

  /** The seat to send a job ahead to, if any. */
  firstAhead(demand: Demand | undefined): Seat<W> | undefined {
    if (demand === undefined) return this.#index.firstAhead();
    const view = this.#known(demand);
    if (view !== undefined) return view.firstAhead();
    const found = this.#index.searchAhead((worker) => demand.fits(worker), this.#patience);
    return found === "unsure" ? this.#makeView(demand).firstAhead() : found;
  }

  /** Whether a worker that fits can be given work, now or as soon as a slot is free. */
  serves(demand: Demand | undefined): boolean {
    if (demand === undefined) return this.usable > 0;
    const view = this.#known(demand);
    if (view !== undefined) return view.usable > 0;
    let passed = 0;
    for (const seat of this.#seats.values()) {
      if (seat.usable && demand.fits(seat.worker)) return true;
      if (++passed > this.#patience) return this.#makeView(demand).usable > 0;
    }
    return false;
  }

  /** The workers that fit, whatever their standing: looks at all. */
  fitting(demand: Demand | undefined): W[] {
    const workers = [...this.#seats.values()].map(({ worker }) => worker);
    return demand === undefined ? workers : workers.filter((worker) => demand.fits(worker));
  }

  #known({ key }: Demand): SeatView<W> | undefined {
    const view = this.#views.get(key);
    if (view !== undefined) view.idle = 0;
    return view;
  }

  #makeView(demand: Demand): SeatView<W> {
    if (this.#views.size >= MAX_VIEWS) this.#dropIdlest();
    const view = new SeatView<W>(demand);
    // Those with room in the order of their use, so that nobody can tell whether there is a view; then the others.
    for (const seats of [this.#index, this.#seats.values()])
      for (const seat of seats) if (demand.fits(seat.worker)) view.add(seat);
    view.idle = 0;
    this.#views.set(demand.key, view);
    return view;
  }

  #dropIdlest(): void {
    const [idlest] = [...this.#views.values()].sort((one, other) => other.idle - one.idle);
    if (idlest !== undefined) this.#drop(idlest.key);
  }

  /** A view that is of no use any more goes once following the changes has cost as much as making it anew would. */
  #tell(seat: Seat<W>): void {
    for (const watcher of seat.watchers ?? []) {
      watcher.placed(seat);
      if (watcher.idle > this.#seats.size + PATIENCE) this.#drop(watcher.key);
    }
  }

  #drop(key: string): void {
    this.#views.get(key)?.clear();
    this.#views.delete(key);
  }
}
