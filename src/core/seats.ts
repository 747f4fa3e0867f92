/**
 * Which workers can take a job, ordered by load: the least loaded first, among equals the one that has waited longest. The
 * order is kept by moving a seat from one line to the next, so choosing costs the same for ten workers and ten thousand.
 * Who waits for a seat is in workers.ts.
 */
import { Line, type Member } from "./line.ts";

/** Whether a worker can be given work: only a `ready` one; a `congested` one can soon; a `suspect` one counts as absent. */
export type Standing = "ready" | "congested" | "suspect";

/** One worker's place in the pool, and how many of its slots are leased. */
export class Seat<W> implements Member<Seat<W>> {
  readonly worker: W;
  readonly capacity: number;
  /** Slots handed out and not yet given back. */
  leases = 0;
  standing: Standing = "ready";
  /** The load it is filed under while it stands in a line. */
  filed = 0;
  line: object | undefined;
  ahead: Seat<W> | undefined;
  behind: Seat<W> | undefined;

  constructor(worker: W, capacity: number) {
    this.worker = worker;
    this.capacity = capacity;
  }

  /** Whether it can be given a job now. */
  get free(): boolean {
    return this.standing === "ready" && this.leases < this.capacity;
  }
}

/** The free seats by load. */
export class SeatIndex<W> {
  readonly #byLoad: Line<Seat<W>>[] = [];
  #lowest = 0;

  /** Puts a seat where its load says, or takes it out when it is not free. Call after each change to the seat. */
  place(seat: Seat<W>): void {
    this.remove(seat);
    if (!seat.free) return;
    seat.filed = seat.leases;
    this.#line(seat.filed).join(seat);
    if (seat.leases < this.#lowest) this.#lowest = seat.leases;
  }

  /** Takes a seat out. */
  remove(seat: Seat<W>): void {
    if (seat.line !== undefined) this.#line(seat.filed).leave(seat);
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
  firstExcept(avoid: ReadonlySet<W>): Seat<W> | undefined {
    for (const line of this.#byLoad) {
      for (const seat of line) if (!avoid.has(seat.worker)) return seat;
    }
    return this.first();
  }

  #line(load: number): Line<Seat<W>> {
    for (let next = this.#byLoad.length; next <= load; next++) this.#byLoad.push(new Line<Seat<W>>());
    const line = this.#byLoad[load];
    if (line === undefined) throw new RangeError(`no line for load ${load}`);
    return line;
  }
}
