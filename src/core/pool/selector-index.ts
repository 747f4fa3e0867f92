/**
 * The seats that fit one demand, in the order of their use: an index like that of all seats, with entries of its own. Made
 * where searching among all of them takes too long, and dropped when it is not used: worker-index.ts decides both.
 */
import type { Demand, Demanded } from "./worker-selector.ts";
import { Seat, SeatIndex, type SeatWatcher } from "./least-loaded-index.ts";
import type { Avoided } from "./waiter.ts";

/** A view of some seats. */
export class SeatView<W extends Demanded> implements SeatWatcher<W> {
  /** What they fit. */
  readonly demand: Demand;
  readonly #index = new SeatIndex<Seat<W>>();
  readonly #entries = new Map<Seat<W>, Seat<Seat<W>>>();
  /** How many of its seats can be given work. */
  usable = 0;
  /** Changes it has followed since it was last of use. */
  idle = 0;
  /** How many seats were looked at to make it. */
  readonly cost: number;

  constructor(demand: Demand, cost: number) {
    this.demand = demand;
    this.cost = cost;
  }

  /** How many seats it has. */
  get size(): number {
    return this.#entries.size;
  }

  get key(): string {
    return this.demand.key;
  }

  /** Adds a seat, once, and follows it from now on. */
  add(seat: Seat<W>): void {
    if (this.#entries.has(seat)) return;
    const entry = new Seat(seat, seat.capacity);
    if (entry.usable) this.usable++;
    this.#entries.set(seat, entry);
    (seat.watchers ??= new Set()).add(this);
    this.placed(seat);
  }

  /** Takes a seat out. */
  remove(seat: Seat<W>): void {
    const entry = this.#entries.get(seat);
    if (entry === undefined) return;
    if (entry.usable) this.usable--;
    this.#index.remove(entry);
    this.#entries.delete(seat);
    seat.watchers?.delete(this);
    if (seat.watchers?.size === 0) seat.watchers = undefined;
  }

  /** Takes all of them out. */
  clear(): void {
    for (const seat of this.#entries.keys()) this.remove(seat);
  }

  placed(seat: Seat<W>): void {
    const entry = this.#entries.get(seat);
    if (entry === undefined) return;
    this.idle++;
    if (entry.usable !== seat.usable) this.usable += seat.usable ? 1 : -1;
    entry.leases = seat.leases;
    entry.held = seat.held;
    entry.extra = seat.extra;
    entry.standing = seat.standing;
    this.#index.place(entry);
  }

  /** Whether a seat among those that match, which may be fewer than all here, can be given work. */
  serves(selector: Demand): boolean {
    if (selector.key === this.key || this.usable === 0) return this.usable > 0;
    for (const seat of this.#entries.keys()) if (seat.usable && selector.fits(seat.worker)) return true;
    return false;
  }

  /**
   * The free seat to use next among those that match; one whose worker is in `avoid` only when no other is free.
   */
  first(selector: Demand, avoid: Avoided<W> | undefined): Seat<W> | undefined {
    if (avoid === undefined && selector.key === this.key) return this.#index.first()?.worker;
    let avoided: Seat<W> | undefined;
    for (const { worker: seat } of this.#index.free()) {
      if (!selector.fits(seat.worker)) continue;
      if (avoid?.has(seat.worker) !== true) return seat;
      avoided ??= seat;
    }
    return avoided;
  }

  /** The seat to send a job ahead to among those that match, if any. */
  firstAhead(selector: Demand): Seat<W> | undefined {
    if (selector.key === this.key) return this.#index.firstAhead()?.worker;
    for (const { worker: seat } of this.#index.prefetching()) if (selector.fits(seat.worker)) return seat;
    return undefined;
  }
}
